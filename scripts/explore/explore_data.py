from loramake.agents import get_agent
from loramake.console import step
from loramake.explore.task import explore_data

with step(snakemake.log[0]):
    explore_data(
        csv=snakemake.input.csv,
        test_csv=snakemake.input.test_csv or None,
        profile=snakemake.input.profile,
        feedback=snakemake.input.feedback or None,
        settings=snakemake.params.settings,
        agent=get_agent(snakemake.params.agent, snakemake.rule, f"results/{snakemake.wildcards.experiment}"),
        out=snakemake.output.task,
    )

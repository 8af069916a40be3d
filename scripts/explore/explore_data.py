from loramake.agents import get_agent
from loramake.console import step
from loramake.explore.task import explore_data
from loramake.tables.source import describe_source

with step(snakemake.log[0]):
    explore_data(
        source=describe_source(snakemake.params.csv, snakemake.params.test_csv, snakemake.input.profile),
        profile=snakemake.input.profile,
        feedback=snakemake.params.feedback,
        settings=snakemake.params.settings,
        agent=get_agent(snakemake.params.agent, snakemake.rule, f"results/{snakemake.wildcards.experiment}"),
        out=snakemake.output.task,
    )

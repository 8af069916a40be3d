from loramake.agents import get_agent
from loramake.console import step
from loramake.prepare.plan import plan_preparation

with step(snakemake.log[0]):
    plan_preparation(
        profile=snakemake.input.profile,
        task=snakemake.input.task,
        selected=snakemake.input.selected,
        feedback=snakemake.params.feedback,
        model=snakemake.params.model,
        agent=get_agent(snakemake.params.agent, snakemake.rule, f"results/{snakemake.wildcards.experiment}"),
        out=snakemake.output.plan,
    )

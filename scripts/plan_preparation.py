from loramake.console import step
from loramake.plan import plan_preparation

with step(snakemake.log[0]):
    plan_preparation(
        profile=snakemake.input.profile,
        task=snakemake.input.task,
        selected=snakemake.input.selected,
        feedback=snakemake.input.feedback or None,
        model=snakemake.params.model,
        agent=snakemake.params.agent,
        out=snakemake.output.plan,
    )

from loramake.console import step
from loramake.trust.risk import control_risk

with step(snakemake.log[0]):
    control_risk(
        task=snakemake.input.task,
        held_out=snakemake.input.held_out,
        test=snakemake.input.test,
        **snakemake.params.settings,
        out=snakemake.output.risk,
    )

from loramake.console import step
from loramake.trust.risk import control_risk

with step(snakemake.log[0]):
    control_risk(
        task=snakemake.input.task,
        held_out=snakemake.input.held_out,
        test=snakemake.input.test,
        max_selective_error=snakemake.params.max_selective_error,
        selective_error_confidence=snakemake.params.selective_error_confidence,
        costs=snakemake.params.costs,
        abstain_cost=snakemake.params.abstain_cost,
        seed=snakemake.params.seed,
        out=snakemake.output.risk,
    )

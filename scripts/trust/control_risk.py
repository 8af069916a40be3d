from loramake.console import step
from loramake.trust.risk import control_risk

with step(snakemake.log[0]):
    control_risk(
        task=snakemake.input.task,
        calibration=snakemake.input.calibration,
        test=snakemake.input.test,
        max_error=snakemake.params.max_error,
        confidence=snakemake.params.confidence,
        costs=snakemake.params.costs,
        abstain_cost=snakemake.params.abstain_cost,
        seed=snakemake.params.seed,
        out=snakemake.output.risk,
    )

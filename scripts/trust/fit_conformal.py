from loramake.console import step
from loramake.trust.conformal import fit_conformal

with step(snakemake.log[0]):
    fit_conformal(
        task=snakemake.input.task,
        calibration=snakemake.input.calibration,
        test=snakemake.input.test,
        method=snakemake.params.method,
        confidence=snakemake.params.confidence,
        seed=snakemake.params.seed,
        out=snakemake.output.conformal,
    )

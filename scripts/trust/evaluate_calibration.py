from loramake.console import step
from loramake.trust.calibration_measures import evaluate_calibration

with step(snakemake.log[0]):
    evaluate_calibration(
        task=snakemake.input.task,
        before=snakemake.input.before,
        after=snakemake.input.after,
        calibrator=snakemake.input.calibrator,
        seed=snakemake.params.seed,
        out=snakemake.output.calibration_measures,
    )

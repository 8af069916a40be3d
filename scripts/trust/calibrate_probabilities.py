from loramake.console import step
from loramake.trust.calibration import calibrate_probabilities

with step(snakemake.log[0]):
    calibrate_probabilities(
        task=snakemake.input.task,
        calibration=snakemake.input.calibration,
        test=snakemake.input.test,
        method=snakemake.params.method,
        seed=snakemake.params.seed,
        out=snakemake.output.calibrator,
        held_out_out=snakemake.output.held_out,
        test_out=snakemake.output.test,
    )

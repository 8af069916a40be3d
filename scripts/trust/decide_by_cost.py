from loramake.console import step
from loramake.trust.costs import decide_by_cost

with step(snakemake.log[0]):
    decide_by_cost(
        task=snakemake.input.task,
        train=snakemake.input.train,
        calibration=snakemake.input.calibration,
        test=snakemake.input.test,
        baselines=snakemake.input.baselines,
        calibrator=snakemake.input.calibrator,
        risk=snakemake.input.risk,
        **snakemake.params.settings,
        out=snakemake.output.costs,
    )

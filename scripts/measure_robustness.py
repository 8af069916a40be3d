from loramake.console import step
from loramake.plots.robustness import plot_importance
from loramake.trust.robustness import measure_robustness

with step(snakemake.log[0]):
    measure_robustness(
        csv=snakemake.input.csv,
        test_csv=snakemake.input.test_csv or None,
        task=snakemake.input.task,
        plan=snakemake.input.plan,
        splits=snakemake.input.splits,
        verification=snakemake.input.verification,
        script=snakemake.input.script,
        state=snakemake.input.state,
        config=snakemake.input.config,
        calibrator=snakemake.input.calibrator,
        test=snakemake.input.test,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        out=snakemake.output.robustness,
    )
    plot_importance(snakemake.output.robustness, snakemake.output.plot)

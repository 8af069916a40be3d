from loramake.console import step
from loramake.evaluation.baselines import fit_baselines

with step(snakemake.log[0]):
    fit_baselines(
        csv=snakemake.input.csv,
        test_csv=snakemake.input.test_csv or None,
        task=snakemake.input.task,
        splits=snakemake.input.splits,
        plan=snakemake.input.plan,
        seed=snakemake.params.seed,
        out=snakemake.output.baselines,
    )

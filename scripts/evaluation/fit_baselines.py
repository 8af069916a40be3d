from loramake.console import step
from loramake.evaluation.baselines import fit_baselines

with step(snakemake.log[0]):
    fit_baselines(
        csv=snakemake.params.csv,
        test_csv=snakemake.params.test_csv,
        task=snakemake.input.task,
        splits=snakemake.input.splits,
        plan=snakemake.input.plan,
        seed=snakemake.params.seed,
        out=snakemake.output.baselines,
    )

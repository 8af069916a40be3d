from loramake.baselines import fit_baselines
from loramake.console import step

with step(snakemake.log[0]):
    fit_baselines(
        csv=snakemake.input.csv,
        test_csv=snakemake.input.test_csv or None,
        profile=snakemake.input.profile,
        task=snakemake.input.task,
        splits=snakemake.input.splits,
        selected=snakemake.input.selected,
        seed=snakemake.params.seed,
        out=snakemake.output.baselines,
    )

from loramake.console import step
from loramake.prepare.features import select_features

with step(snakemake.log[0]):
    select_features(
        csv=snakemake.params.csv,
        profile=snakemake.input.profile,
        task=snakemake.input.task,
        splits=snakemake.input.splits,
        max_features=snakemake.params.max_features,
        seed=snakemake.params.seed,
        out=snakemake.output.selected,
        rankings=snakemake.output.rankings,
    )

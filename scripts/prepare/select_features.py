from loramake.console import step
from loramake.plots.features import plot_feature_rankings
from loramake.prepare.features import select_features

with step(snakemake.log[0]):
    select_features(
        csv=snakemake.params.csv,
        profile=snakemake.input.profile,
        task=snakemake.input.task,
        splits=snakemake.input.splits,
        features_to_keep=snakemake.params.features_to_keep,
        seed=snakemake.params.seed,
        out=snakemake.output.selected,
        rankings=snakemake.output.rankings,
    )
    plot_feature_rankings(snakemake.output.rankings, snakemake.output.plot)

from loramake.console import step
from loramake.plots.features import plot_feature_rankings

with step(snakemake.log[0]):
    plot_feature_rankings(snakemake.input.rankings, snakemake.output.plot)

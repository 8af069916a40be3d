from loramake.console import step
from loramake.plots.robustness import plot_importance

with step(snakemake.log[0]):
    plot_importance(snakemake.input.robustness, snakemake.output.plot)

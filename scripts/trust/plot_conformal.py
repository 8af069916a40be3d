from loramake.console import step
from loramake.plots.conformal import plot_conformal

with step(snakemake.log[0]):
    plot_conformal(snakemake.input.conformal, snakemake.output.plot)

from loramake.console import step
from loramake.plots.calibration import plot_reliability

with step(snakemake.log[0]):
    plot_reliability(snakemake.input.calibration_measures, snakemake.output.plot)

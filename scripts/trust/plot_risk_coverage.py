from loramake.console import step
from loramake.plots.risk import plot_risk_coverage

with step(snakemake.log[0]):
    plot_risk_coverage(snakemake.input.risk, snakemake.output.plot)

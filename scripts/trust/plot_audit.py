from loramake.console import step
from loramake.plots.audit import plot_audit

with step(snakemake.log[0]):
    plot_audit(snakemake.input.audit, snakemake.output.plot)

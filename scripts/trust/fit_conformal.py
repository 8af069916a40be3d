from loramake.console import step
from loramake.trust.conformal import fit_conformal

with step(snakemake.log[0]):
    fit_conformal(
        task=snakemake.input.task,
        held_out=snakemake.input.held_out,
        test=snakemake.input.test,
        method=snakemake.params.method,
        **snakemake.params.settings,
        out=snakemake.output.conformal,
    )

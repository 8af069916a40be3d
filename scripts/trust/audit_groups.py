from loramake.console import step
from loramake.plots.audit import plot_audit
from loramake.trust.audit import audit_groups
from loramake.trust.requirements import FILES

with step(snakemake.log[0]):
    audit_groups(
        csv=snakemake.input.csv,
        test_csv=snakemake.input.test_csv or None,
        task=snakemake.input.task,
        held_out=snakemake.input.held_out,
        test=snakemake.input.test,
        measured={name: snakemake.input[name] for name in FILES},
        columns=snakemake.params.columns,
        requirements=snakemake.params.requirements,
        seed=snakemake.params.seed,
        out=snakemake.output.audit,
    )
    plot_audit(snakemake.output.audit, snakemake.output.plot)

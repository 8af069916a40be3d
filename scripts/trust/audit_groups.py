from loramake.console import step
from loramake.tables.source import describe_source
from loramake.trust.audit import audit_groups
from loramake.trust.requirements import FILES

with step(snakemake.log[0]):
    audit_groups(
        source=describe_source(snakemake.params.csv, snakemake.params.test_csv, snakemake.input.profile),
        task=snakemake.input.task,
        held_out=snakemake.input.held_out,
        test=snakemake.input.test,
        measured={name: snakemake.input[name] for name in FILES},
        columns=snakemake.params.columns,
        requirements=snakemake.params.requirements,
        seed=snakemake.params.seed,
        out=snakemake.output.audit,
    )

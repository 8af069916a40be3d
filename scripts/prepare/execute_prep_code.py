from loramake.console import step
from loramake.prepare.code import choose_prep_sandbox
from loramake.prepare.execution import execute_prep_code
from loramake.tasks.source import describe_labelled

with step(snakemake.log[0]):
    execute_prep_code(
        script=snakemake.input.script,
        plan=snakemake.input.plan,
        source=describe_labelled(
            snakemake.params.csv, snakemake.params.test_csv, snakemake.input.profile, snakemake.input.task
        ),
        splits=snakemake.input.splits,
        sandbox=choose_prep_sandbox(snakemake.params.sandbox, snakemake.input.plan),
        out=snakemake.output.all_data,
        state=snakemake.output.state,
    )

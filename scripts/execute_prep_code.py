from loramake.console import step
from loramake.preparation import execute_prep_code
from loramake.sandbox import choose_sandbox

with step(snakemake.log[0]):
    execute_prep_code(
        script=snakemake.input.script,
        csv=snakemake.input.csv,
        test_csv=snakemake.input.test_csv or None,
        splits=snakemake.input.splits,
        sandbox=choose_sandbox(**snakemake.params.sandbox),
        out=snakemake.output.all_data,
        state=snakemake.output.state,
    )

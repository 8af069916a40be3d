from loramake.console import step
from loramake.sandbox import choose_sandbox
from loramake.verification import verify_prepared_data

with step(snakemake.log[0]):
    verify_prepared_data(
        all_data=snakemake.input.all_data,
        plan=snakemake.input.plan,
        splits=snakemake.input.splits,
        script=snakemake.input.script,
        state=snakemake.input.state,
        csv=snakemake.input.csv,
        test_csv=snakemake.input.test_csv or None,
        encoder=snakemake.params.encoder,
        cutoff_len=snakemake.params.cutoff_len,
        agent=snakemake.params.agent,
        sandbox=choose_sandbox(**snakemake.params.sandbox),
        out=snakemake.output.verification,
    )

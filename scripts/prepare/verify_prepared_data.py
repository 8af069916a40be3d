from loramake.agents import get_agent
from loramake.console import step
from loramake.prepare.code import choose_prep_sandbox
from loramake.prepare.verification import verify_prepared_data
from loramake.tasks.source import describe_labelled

with step(snakemake.log[0]):
    verify_prepared_data(
        all_data=snakemake.input.all_data,
        plan=snakemake.input.plan,
        splits=snakemake.input.splits,
        script=snakemake.input.script,
        state=snakemake.input.state,
        source=describe_labelled(
            snakemake.params.csv, snakemake.params.test_csv, snakemake.input.profile, snakemake.input.task
        ),
        profile=snakemake.input.profile,
        encoder=snakemake.params.encoder,
        cutoff_len=snakemake.params.cutoff_len,
        agent=get_agent(snakemake.params.agent, snakemake.rule, f"results/{snakemake.wildcards.experiment}"),
        sandbox=choose_prep_sandbox(snakemake.params.sandbox, snakemake.input.plan),
        out=snakemake.output.verification,
    )

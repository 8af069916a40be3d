from loramake.agents import get_agent
from loramake.console import step
from loramake.prepare.code import choose_prep_sandbox, write_prep_code
from loramake.tasks.source import describe_labelled

with step(snakemake.log[0]):
    write_prep_code(
        plan=snakemake.input.plan,
        profile=snakemake.input.profile,
        source=describe_labelled(
            snakemake.params.csv, snakemake.params.test_csv, snakemake.input.profile, snakemake.input.task
        ),
        splits=snakemake.input.splits,
        agent=get_agent(snakemake.params.agent, snakemake.rule, f"results/{snakemake.wildcards.experiment}"),
        sandbox=choose_prep_sandbox(snakemake.params.sandbox, snakemake.input.plan),
        out=snakemake.output.script,
    )

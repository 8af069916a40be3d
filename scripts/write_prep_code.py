from loramake.console import step
from loramake.preparation import write_prep_code

with step(snakemake.log[0]):
    write_prep_code(
        plan=snakemake.input.plan,
        profile=snakemake.input.profile,
        agent=snakemake.params.agent,
        out=snakemake.output.script,
    )

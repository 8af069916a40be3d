from loramake.console import step
from loramake.dataset import write_balance_code

with step(snakemake.log[0]):
    write_balance_code(
        review=snakemake.input.review,
        balance=snakemake.params.balance,
        agent=snakemake.params.agent,
        out=snakemake.output.script,
    )

from loramake.console import step
from loramake.dataset import execute_balance_code

with step(snakemake.log[0]):
    execute_balance_code(
        script=snakemake.input.script,
        train=snakemake.input.train,
        seed=snakemake.params.seed,
        out=snakemake.output.balanced,
    )

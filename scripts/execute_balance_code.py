from loramake.console import step
from loramake.dataset import execute_balance_code
from loramake.sandbox import choose_sandbox

with step(snakemake.log[0]):
    execute_balance_code(
        script=snakemake.input.script,
        train=snakemake.input.train,
        seed=snakemake.params.seed,
        sandbox=choose_sandbox(**snakemake.params.sandbox),
        out=snakemake.output.balanced,
    )

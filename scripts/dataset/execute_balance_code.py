from loramake.console import step
from loramake.dataset.balance import choose_balance_sandbox, execute_balance_code, read_strategy

with step(snakemake.log[0]):
    execute_balance_code(
        script=snakemake.input.script,
        train=snakemake.input.train,
        strategy=read_strategy(snakemake.input.review, snakemake.params.balance),
        seed=snakemake.params.seed,
        sandbox=choose_balance_sandbox(snakemake.params.sandbox),
        out=snakemake.output.balanced,
        shift_out=snakemake.output.label_shift,
    )

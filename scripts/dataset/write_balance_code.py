from loramake.agents import get_agent
from loramake.console import step
from loramake.dataset.balance import choose_balance_sandbox, write_balance_code

with step(snakemake.log[0]):
    write_balance_code(
        review=snakemake.input.review,
        balance=snakemake.params.balance,
        train=snakemake.input.train,
        seed=snakemake.params.seed,
        agent=get_agent(snakemake.params.agent, snakemake.rule, f"results/{snakemake.wildcards.experiment}"),
        sandbox=choose_balance_sandbox(snakemake.params.sandbox),
        out=snakemake.output.script,
    )

from loramake.console import step
from loramake.trust.costs import decide_by_cost

with step(snakemake.log[0]):
    decide_by_cost(
        task=snakemake.input.task,
        train=snakemake.input.train,
        test=snakemake.input.test,
        baselines=snakemake.input.baselines,
        costs=snakemake.params.costs,
        abstain_cost=snakemake.params.abstain_cost,
        seed=snakemake.params.seed,
        out=snakemake.output.costs,
    )

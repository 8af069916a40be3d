from loramake.console import step
from loramake.evaluation.run import run_evaluation

with step(snakemake.log[0]):
    run_evaluation(
        task=snakemake.input.task,
        train=snakemake.input.train,
        test=snakemake.input.test,
        baselines=snakemake.input.baselines,
        seed=snakemake.params.seed,
        out=snakemake.output.metrics,
    )

from loramake.console import step
from loramake.results import summarize_results

with step(snakemake.log[0]):
    summarize_results(
        experiment=snakemake.params.experiment,
        task=snakemake.input.task,
        splits=snakemake.input.splits,
        plan=snakemake.input.plan,
        train_config=snakemake.input.train_config,
        metrics=snakemake.input.metrics,
        predictions=snakemake.input.predictions,
        all_artifacts=snakemake.input.artifacts,
        benchmarks=snakemake.params.benchmarks,
        out=snakemake.output.results,
    )

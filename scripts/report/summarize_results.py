from loramake.console import step
from loramake.report.results import TRUST, summarize_results

with step(snakemake.log[0]):
    summarize_results(
        experiment=snakemake.params.experiment,
        task=snakemake.input.task,
        splits=snakemake.input.splits,
        plan=snakemake.input.plan,
        train_config=snakemake.input.train_config,
        metrics=snakemake.input.metrics,
        predictions=snakemake.input.predictions,
        trust={name: snakemake.input[name] for name in TRUST},
        all_artifacts=snakemake.input.artifacts,
        benchmarks=snakemake.params.benchmarks,
        out=snakemake.output.results,
    )

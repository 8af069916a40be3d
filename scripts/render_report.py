from loramake.console import step
from loramake.report import render_report

with step(snakemake.log[0]):
    render_report(
        experiment=snakemake.params.experiment,
        profile=snakemake.input.profile,
        task=snakemake.input.task,
        splits=snakemake.input.splits,
        selected=snakemake.input.selected,
        rankings_plot=snakemake.input.rankings_plot,
        plan=snakemake.input.plan,
        verification=snakemake.input.verification,
        all_data=snakemake.input.all_data,
        balanced=snakemake.input.balanced,
        train_config=snakemake.input.train_config,
        adapter=snakemake.input.adapter,
        predictions=snakemake.input.predictions,
        metrics=snakemake.input.metrics,
        plots=snakemake.input.plots,
        settings=snakemake.params.settings,
        benchmarks=snakemake.params.benchmarks,
        out=snakemake.output.report,
    )

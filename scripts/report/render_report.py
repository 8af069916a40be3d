from loramake.console import step
from loramake.report.report import FILES, render_report
from loramake.tables.source import describe_source

with step(snakemake.log[0]):
    render_report(
        experiment=snakemake.params.experiment,
        source=describe_source(snakemake.params.csv, snakemake.params.test_csv, snakemake.input.profile),
        files={name: snakemake.input[name] for name in FILES},
        plots=snakemake.input.plots,
        settings=snakemake.params.settings,
        benchmarks=snakemake.params.benchmarks,
        transcripts=snakemake.params.transcripts,
        history=snakemake.params.history,
        out=snakemake.output.report,
        model_card_out=snakemake.output.model_card,
    )

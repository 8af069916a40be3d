from loramake.console import step
from loramake.report.report import FILES, render_report

with step(snakemake.log[0]):
    render_report(
        experiment=snakemake.params.experiment,
        csv=snakemake.params.csv,
        test_csv=snakemake.params.test_csv,
        files={name: snakemake.input[name] for name in FILES},
        plots=snakemake.input.plots,
        settings=snakemake.params.settings,
        benchmarks=snakemake.params.benchmarks,
        transcripts=snakemake.params.transcripts,
        history=snakemake.params.history,
        out=snakemake.output.report,
        model_card_out=snakemake.output.model_card,
    )

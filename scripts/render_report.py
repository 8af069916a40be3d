from loramake.console import step
from loramake.model_card import write_model_card
from loramake.report import FILES, render_report

with step(snakemake.log[0]):
    files = {name: snakemake.input[name] for name in FILES}
    render_report(
        experiment=snakemake.params.experiment,
        csv=snakemake.input.csv,
        test_csv=snakemake.input.test_csv or None,
        files=files,
        plots=snakemake.input.plots,
        settings=snakemake.params.settings,
        benchmarks=snakemake.params.benchmarks,
        transcripts=snakemake.params.transcripts,
        history=snakemake.params.history,
        out=snakemake.output.report,
    )
    write_model_card(
        experiment=snakemake.params.experiment,
        files=files,
        history=snakemake.params.history,
        out=snakemake.output.model_card,
    )

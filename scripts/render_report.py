from loramake.console import step
from loramake.report import FILES, render_report

with step(snakemake.log[0]):
    render_report(
        experiment=snakemake.params.experiment,
        files={name: snakemake.input[name] for name in FILES},
        rankings_plot=snakemake.input.rankings_plot,
        plots=snakemake.input.plots,
        settings=snakemake.params.settings,
        benchmarks=snakemake.params.benchmarks,
        transcripts=snakemake.params.transcripts,
        out=snakemake.output.report,
    )

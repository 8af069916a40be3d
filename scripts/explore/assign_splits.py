from loramake.console import step
from loramake.explore.splits import assign_splits
from loramake.tables.source import describe_source

with step(snakemake.log[0]):
    assign_splits(
        source=describe_source(snakemake.params.csv, snakemake.params.test_csv, snakemake.input.profile),
        profile=snakemake.input.profile,
        task=snakemake.input.task,
        ratios=snakemake.params.ratios,
        seed=snakemake.params.seed,
        out=snakemake.output.splits,
        summary=snakemake.output.summary,
        feedback=snakemake.params.feedback,
    )

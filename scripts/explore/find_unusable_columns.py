from loramake.console import step
from loramake.explore.unusable import find_unusable_columns
from loramake.tasks.source import describe_labelled

with step(snakemake.log[0]):
    find_unusable_columns(
        source=describe_labelled(
            snakemake.params.csv, snakemake.params.test_csv, snakemake.input.profile, snakemake.input.task
        ),
        profile=snakemake.input.profile,
        splits=snakemake.input.splits,
        settings=snakemake.params.settings,
        out=snakemake.output.unusable,
    )

from loramake.console import step
from loramake.prepare.features import select_features
from loramake.tables.source import describe_source

with step(snakemake.log[0]):
    select_features(
        source=describe_source(snakemake.params.csv, None, snakemake.input.profile),
        profile=snakemake.input.profile,
        task=snakemake.input.task,
        splits=snakemake.input.splits,
        **snakemake.params.settings,
        out=snakemake.output.selected,
        rankings=snakemake.output.rankings,
    )

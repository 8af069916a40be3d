from loramake.console import step
from loramake.prepare.features import select_features
from loramake.tasks.source import describe_labelled

with step(snakemake.log[0]):
    select_features(
        source=describe_labelled(snakemake.params.csv, None, snakemake.input.profile, snakemake.input.task),
        profile=snakemake.input.profile,
        task=snakemake.input.task,
        splits=snakemake.input.splits,
        unusable=snakemake.input.unusable,
        **snakemake.params.settings,
        out=snakemake.output.selected,
        rankings=snakemake.output.rankings,
    )

from loramake.console import step
from loramake.dataset.split import split_data

with step(snakemake.log[0]):
    split_data(
        all_data=snakemake.input.all_data,
        splits=snakemake.input.splits,
        outs=dict(snakemake.output.items()),
    )

from loramake.console import step
from loramake.explore.splits import assign_splits

with step(snakemake.log[0]):
    assign_splits(
        csv_path=snakemake.input.csv,
        test_csv=snakemake.input.test_csv or None,
        task=snakemake.input.task,
        ratios=snakemake.params.ratios,
        seed=snakemake.params.seed,
        out=snakemake.output.splits,
        summary=snakemake.output.summary,
    )

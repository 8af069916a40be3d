from loramake.console import step
from loramake.explore.splits import assign_splits

with step(snakemake.log[0]):
    assign_splits(
        csv_path=snakemake.params.csv,
        test_csv=snakemake.params.test_csv,
        task=snakemake.input.task,
        ratios=snakemake.params.ratios,
        seed=snakemake.params.seed,
        out=snakemake.output.splits,
        summary=snakemake.output.summary,
    )

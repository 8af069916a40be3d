from loramake.console import step
from loramake.evaluation.baselines import fit_baselines
from loramake.tables.source import describe_source

with step(snakemake.log[0]):
    fit_baselines(
        source=describe_source(snakemake.params.csv, snakemake.params.test_csv, snakemake.input.profile),
        task=snakemake.input.task,
        splits=snakemake.input.splits,
        plan=snakemake.input.plan,
        seed=snakemake.params.seed,
        out=snakemake.output.baselines,
    )

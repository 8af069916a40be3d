from loramake.console import step
from loramake.evaluation.baselines import fit_baselines
from loramake.tasks.source import describe_labelled

with step(snakemake.log[0]):
    fit_baselines(
        source=describe_labelled(
            snakemake.params.csv, snakemake.params.test_csv, snakemake.input.profile, snakemake.input.task
        ),
        task=snakemake.input.task,
        splits=snakemake.input.splits,
        plan=snakemake.input.plan,
        seed=snakemake.params.seed,
        out=snakemake.output.baselines,
    )

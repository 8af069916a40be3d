from loramake.console import step
from loramake.prediction import run_prediction

with step(snakemake.log[0]):
    run_prediction(
        config=snakemake.input.config,
        plan=snakemake.input.plan,
        data={split: snakemake.input[split] for split, _ in snakemake.output.items()},
        threads=snakemake.threads,
        outs=dict(snakemake.output.items()),
    )

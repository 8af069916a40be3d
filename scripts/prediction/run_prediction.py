from pathlib import Path

from loramake.console import step
from loramake.prediction.run import run_prediction

with step(snakemake.log[0]):
    run_prediction(
        config=snakemake.input.config,
        adapter=Path(snakemake.input.adapter).parent,
        plan=snakemake.input.plan,
        label_shift=snakemake.input.label_shift,
        data={split: snakemake.input[split] for split, _ in snakemake.output.items()},
        trust_remote_code=snakemake.params.trust_remote_code,
        threads=snakemake.threads,
        outs=dict(snakemake.output.items()),
    )

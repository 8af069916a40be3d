from pathlib import Path

from loramake.console import step
from loramake.training.finetuning import run_finetuning

with step(snakemake.log[0]):
    run_finetuning(
        config=snakemake.input.config,
        own=snakemake.params.own,
        precision=snakemake.params.precision,
        flash_attn=snakemake.params.flash_attn,
        threads=snakemake.threads,
        out=Path(snakemake.output.adapter).parent,
    )

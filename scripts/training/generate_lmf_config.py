from pathlib import Path

from loramake.console import step
from loramake.training.config import generate_lmf_config

with step(snakemake.log[0]):
    generate_lmf_config(
        settings=snakemake.params.settings,
        results=Path(snakemake.output.train).parents[1],
        balanced=snakemake.input.balanced,
        validation=snakemake.input.validation,
        plan=snakemake.input.plan,
        verification=snakemake.input.verification,
        outs=dict(snakemake.output.items()),
    )

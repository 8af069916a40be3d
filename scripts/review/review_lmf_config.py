from loramake.console import step
from loramake.review.screens import review_lmf_config

with step(snakemake.log[0]):
    review_lmf_config(
        mode=snakemake.params.mode,
        history=snakemake.params.history,
        plan=snakemake.input.plan,
        verification=snakemake.input.verification,
        balanced=snakemake.input.balanced,
        configs=list(snakemake.input.configs),
        ratios=snakemake.params.ratios,
        out=snakemake.output.review,
    )

from loramake.console import step
from loramake.review.screens import review_balanced_data

with step(snakemake.log[0]):
    review_balanced_data(
        mode=snakemake.params.mode,
        history=snakemake.params.history,
        plan=snakemake.input.plan,
        train=snakemake.input.train,
        balanced=snakemake.input.balanced,
        script=snakemake.input.script,
        ratios=snakemake.params.ratios,
        out=snakemake.output.review,
    )

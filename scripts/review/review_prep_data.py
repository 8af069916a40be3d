from loramake.console import step
from loramake.review.screens import review_prep_data

with step(snakemake.log[0]):
    review_prep_data(
        mode=snakemake.params.mode,
        history=snakemake.params.history,
        profile=snakemake.input.profile,
        task=snakemake.input.task,
        verification=snakemake.input.verification,
        plan=snakemake.input.plan,
        all_data=snakemake.input.all_data,
        splits=snakemake.input.splits,
        script=snakemake.input.script,
        balance=snakemake.params.balance,
        ratios=snakemake.params.ratios,
        out=snakemake.output.review,
    )

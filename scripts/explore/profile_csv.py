from loramake.console import step
from loramake.explore.profile import profile_csv

with step(snakemake.log[0]):
    profile_csv(
        csv=snakemake.input.csv,
        test_csv=snakemake.input.test_csv or None,
        out=snakemake.output.profile,
    )

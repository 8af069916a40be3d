from loramake.console import step
from loramake.explore.profile import profile_csv

with step(snakemake.log[0]):
    profile_csv(
        csv=snakemake.params.csv,
        test_csv=snakemake.params.test_csv,
        settings=snakemake.params.settings,
        out=snakemake.output.profile,
    )

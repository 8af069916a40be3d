from loramake.console import step
from loramake.tables.source import describe_source
from loramake.trust.label_noise import find_label_noise

with step(snakemake.log[0]):
    find_label_noise(
        source=describe_source(snakemake.params.csv, snakemake.params.test_csv, snakemake.input.profile),
        task=snakemake.input.task,
        plan=snakemake.input.plan,
        calibrator=snakemake.input.calibrator,
        predictions=[snakemake.input.calibration, snakemake.input.test],
        out=snakemake.output.label_noise,
        suspects_out=snakemake.output.suspects,
    )

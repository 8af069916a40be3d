from pathlib import Path

from loramake.console import step
from loramake.prepare.code import choose_prep_sandbox
from loramake.tables.source import describe_source
from loramake.trust.robustness import measure_robustness

with step(snakemake.log[0]):
    measure_robustness(
        source=describe_source(snakemake.params.csv, snakemake.params.test_csv, snakemake.input.profile),
        task=snakemake.input.task,
        plan=snakemake.input.plan,
        splits=snakemake.input.splits,
        script=snakemake.input.script,
        state=snakemake.input.state,
        sandbox=choose_prep_sandbox(snakemake.params.sandbox, snakemake.input.plan),
        config=snakemake.input.config,
        adapter=Path(snakemake.input.adapter).parent,
        label_shift=snakemake.input.label_shift,
        calibrator=snakemake.input.calibrator,
        test=snakemake.input.test,
        trust_remote_code=snakemake.params.trust_remote_code,
        **snakemake.params.settings,
        threads=snakemake.threads,
        out=snakemake.output.robustness,
    )

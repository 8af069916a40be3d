from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")


include: "rules/common.smk"


check_config_file()
if Path("config.yaml").is_file():

    configfile: "config.yaml"


let_ctrl_c_end_in_one_sentence()
let_snakemake_wait()
check_settings()


if config.get("container"):

    container: str(config["container"])


wildcard_constraints:
    experiment=EXPERIMENT_NAME,


localrules:
    all,


rule all:
    default_target: True
    input:
        expand(
            "results/{experiment}/evaluation/results.json",
            experiment=config.get("experiments") or [],
        ),


include: "rules/explore.smk"
include: "rules/prepare.smk"
include: "rules/dataset.smk"
include: "rules/review.smk"
include: "rules/training.smk"
include: "rules/prediction.smk"
include: "rules/evaluation.smk"
include: "rules/trust.smk"
include: "rules/report.smk"


place_small_rules()
show_steps()
follow_jobs()

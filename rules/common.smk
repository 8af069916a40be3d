import atexit
import functools
import logging
import re
import sys
from pathlib import Path

from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from snakemake.utils import update_config

from loramake.agents import AGENT_KEYS
from loramake.config import (
    EXPERIMENT_NAME,
    check_config,
    read_card,
    read_config,
    resolve,
    split_ratios,
)
from loramake.feedback import FEEDBACK_SETTINGS, name_feedback, read_feedback
from loramake.settings import NAMES, TOP_LEVEL, TRAINING_KEYS
from loramake.console import PrintableFormatter, refusal
from loramake.errors import LoramakeError
from loramake.experiments import refuse_links
from loramake.hashes import hash_file, hash_files
from loramake.workflow.versions import version_of as get_version
from loramake.workflow.preflight import (
    check_experiment_names,
    check_results_folder,
    check_feedback_files,
    check_inputs,
)
from loramake.workflow.slurm.queue import check_cluster
from loramake.workflow.steps import HidesReplaced, Steps, find_earlier
from loramake.workflow.stopping import PREFIX, stop_in_one_sentence
from loramake.llm.arguments import check_extra, check_scheduler, check_template
from loramake.llm.models import check_model
from loramake.paths import APPROVALS, TEMPLATES, locate_model
from loramake.terminal import Waiting
from loramake.llm.extra import check_quantization, check_training_extra
from loramake.training.processes import check_processes
from loramake.workflow.slurm.fit import (
    TERM_OPTION,
    fitting_cpus,
    fitting_memory,
    fitting_minutes,
)

REPORT_TEMPLATES = sorted(
    str(path.relative_to(TEMPLATES)) for path in TEMPLATES.glob("render_report/*")
) + ["render_report.html.j2"]


def refuse_in_one_sentence(function):
    """End the run with a LoramakeError's sentence alone: Snakemake would print its own traceback around it."""

    @functools.wraps(function)
    def wrapped(*arguments):
        try:
            return function(*arguments)
        except LoramakeError as error:
            sys.exit(refusal(error))

    return wrapped


def let_ctrl_c_end_in_one_sentence():
    """One sentence of ours, after the last job, in place of Snakemake's lines and each job's traceback."""
    screens = [
        handler
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler)
        and not isinstance(handler, logging.FileHandler)
    ]
    stop_in_one_sentence(screens)
    shell.prefix(PREFIX)


def let_snakemake_wait():
    """Keep Snakemake's own lines out of a review's question, too, and make them printable."""
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream.isatty():
            waiting = Waiting(handler)
            handler.addFilter(waiting)
            handler.setFormatter(PrintableFormatter(handler.formatter))
            atexit.register(waiting.show_kept)


@refuse_in_one_sentence
def check_config_file():
    """Refuse a bad config.yaml before Snakemake reads it, with a traceback or as a template that runs Python."""
    read_config()


def keep_names_as_written():
    """Undo what Snakemake makes of columns named 007, no or 2024-01-31, in config.yaml and after --config."""
    update_config(config, read_config())
    update_config(config, workflow.config_settings.overwrite_config)
    given = workflow.config_settings.config
    for entry in workflow.config_settings.config_args or []:
        key, _, text = entry.partition("=")
        if key in NAMES and not isinstance(given[key], str | list | None):
            given[key] = config[key] = text.strip("'\"")


@refuse_in_one_sentence
def check_settings():
    keep_names_as_written()
    check_config(workflow.config_settings.config, "--config")
    check_config(config)
    check_experiment_names(sys.argv[1:])
    check_results_folder()


@functools.cache
def get_settings(experiment, feedback=None):
    """Every setting of one experiment, resolved; `feedback` names the step whose feedback file applies."""
    path = Path(f"results/{experiment}/feedback/{feedback}.yaml")
    content = read_feedback(path) if feedback and path.is_file() else {}
    given = workflow.config_settings.config
    return name_feedback(
        lambda applies: resolve(config, experiment, given, content if applies else {}),
        [path],
    )


def get_setting(key, feedback=None):
    """A function that gives one setting of the rule's experiment."""
    return refuse_in_one_sentence(
        lambda wildcards: get_settings(wildcards.experiment, feedback)[key]
    )


def get_slice(*keys, feedback=None):
    """A function that gives several settings of the rule's experiment by name.

    Snakemake compares the sorted values of params, without names: only a mapping shows that two numbers were swapped.
    """

    def get_settings_by_name(wildcards):
        settings = get_settings(wildcards.experiment, feedback)
        return {key: settings[key] for key in keys}

    return refuse_in_one_sentence(get_settings_by_name)


@refuse_in_one_sentence
def get_split_ratios(wildcards):
    """The shares of the rows that are not for training."""
    return split_ratios(get_settings(wildcards.experiment, "splits"))


@functools.cache
@refuse_in_one_sentence
def validate_tables(experiment):
    """Refuse bad tables before anything is deleted; returns the paths of the table and the test table (or None)."""
    if is_for_slurm() and not workflow.remote_exec:
        check_cluster()
    results = Path(f"results/{experiment}")
    settings = get_settings(experiment, "explore")
    refuse_links(results)
    check_feedback_files(results / "feedback")
    name_feedback(
        lambda applies: check_inputs(
            settings if applies else get_settings(experiment), results
        ),
        [results / "feedback/explore.yaml"],
    )
    return settings["csv"], settings["test_csv"]


# The path of a source is passed to a script as a Path: Snakemake stores only params of plain values, and compares the
# stored ones, so a result is identified by the content of its sources and not by their path. They are not inputs, which
# would be compared by path and time, and whose names would be read as patterns: {a} in one would be a wildcard.
# Snakemake computes the params of all rules before the first job, so bad tables and models are refused then.


def get_csv(wildcards):
    """The table's path."""
    return Path(validate_tables(wildcards.experiment)[0])


def get_test_csv(wildcards):
    """The test table's path; None if there is none."""
    path = validate_tables(wildcards.experiment)[1]
    return None if path is None else Path(path)


@refuse_in_one_sentence
def get_csv_hash(wildcards):
    """The hash of the table."""
    return f"csv {hash_file(get_csv(wildcards))}"


@refuse_in_one_sentence
def get_tables_hash(wildcards):
    """The hashes of the table and, if there is one, the test table."""
    path = get_test_csv(wildcards)
    test_csv = "none" if path is None else hash_file(path)
    return f"{get_csv_hash(wildcards)}, test_csv {test_csv}"


@refuse_in_one_sentence
def get_all_settings(wildcards):
    """Every setting in its final value, each with the feedback of its step."""
    settings = dict(get_settings(wildcards.experiment))
    for key in ("csv", "test_csv", *TOP_LEVEL):  # paths, and where steps run
        del settings[key]
    for step, keys in FEEDBACK_SETTINGS.items():
        of_step = get_settings(wildcards.experiment, step)
        settings |= {key: of_step[key] for key in keys}
    return settings


def get_feedback(step):
    """A function that gives the path of a step's feedback file; None if there is none."""

    def get_path(wildcards):
        path = Path(f"results/{wildcards.experiment}/feedback/{step}.yaml")
        return path if path.is_file() else None

    return get_path


def get_feedback_hash(step):
    """A function that gives the hash of a step's feedback; none if there is no file."""

    def get_hash(wildcards):
        path = get_feedback(step)(wildcards)
        return f"feedback {'none' if path is None else hash_file(path)}"

    return refuse_in_one_sentence(get_hash)


@functools.cache
@refuse_in_one_sentence
def validate_model(experiment):
    """Refuse a bad base model, or settings it cannot be trained with, before anything is deleted; returns the model."""
    settings = get_settings(experiment)
    check_model(locate_model(settings["model"]), settings["trust_remote_code"])

    def check_training(applies):
        training = get_settings(experiment, "config" if applies else None)
        splits = get_settings(experiment, "splits" if applies else None)
        extra = training["extra_training_args"]
        check_template(training["template"])
        check_scheduler(training["lr_scheduler_type"])
        check_extra(extra, splits["validation_ratio"] > 0)
        check_quantization(
            training["quantization_bit"], extra.get("quantization_method")
        )
        check_processes(training["gpus"], training["nodes"], extra, has_nodes())

    folder = Path(f"results/{experiment}/feedback")
    name_feedback(check_training, [folder / "config.yaml", folder / "splits.yaml"])
    return settings["model"]


@functools.cache
@refuse_in_one_sentence
def hash_model(experiment):
    """The hash of a base model's folder; of no files for one from the hub."""
    folder = Path(locate_model(validate_model(experiment)))
    names = ("config.json", "tokenizer*.json", "*.jinja", "*.safetensors")
    return f"model {hash_files(path for name in names for path in folder.glob(name))}"


def before_training(function):
    """A parameter of the training, which is refused before the first step where its packages are missing.

    Jobs elsewhere have packages of their own, and a training that is done needs none.
    """

    def get_checked(wildcards):
        executor = workflow.executor_plugin
        is_here = executor is not None and executor.name == "local"
        adapter = Path(f"results/{wildcards.experiment}/adapter/adapter_config.json")
        if (
            is_here
            and not workflow.deployment_settings.deployment_method
            and not adapter.exists()
        ):
            check_training_extra()
        return function(wildcards)

    return refuse_in_one_sentence(get_checked)


def get_model_hash(wildcards):
    """The hash of the base model's files."""
    return hash_model(wildcards.experiment)


@refuse_in_one_sentence
def get_model_card(wildcards):
    """The card of the base model."""
    return read_card(get_settings(wildcards.experiment)["model"])


def get_review_mode(review):
    """A function that gives the mode of one of the reviews: the setting is a word for all, or one for each."""

    def get_mode(wildcards):
        modes = get_settings(wildcards.experiment)["review"]
        return modes if isinstance(modes, str) else modes.get(review, "ask")

    return refuse_in_one_sentence(get_mode)


def hash_templates(*names):
    """The hashes of templates, by their names."""
    return " ".join(f"{name} {hash_file(TEMPLATES / name)}" for name in names)


def get_prompts_hash(*names):
    """A function that gives the hashes of a step's prompts; none if its agent is not an LLM."""

    def get_hash(wildcards):
        if get_settings(wildcards.experiment)["agent"] == "builtin":
            return "prompts none"
        return hash_templates(*(f"openai/{name}.j2" for name in ("system", *names)))

    return refuse_in_one_sentence(get_hash)


@refuse_in_one_sentence
def get_balance_feedback(wildcards):
    """The balancing that feedback/balance.yaml sets; None leaves it to the data review."""
    path = Path(f"results/{wildcards.experiment}/feedback/balance.yaml")
    if not path.is_file() or "balance" not in read_feedback(path):
        return None
    balance = get_setting("balance", feedback="balance")(wildcards)
    return None if balance == "auto" else balance


def get_artifacts():
    """Every artifact of the rules defined before this call."""
    outputs = [str(path) for rule in workflow.rules for path in rule.output]
    return [re.sub(r"{experiment,[^}]*}", "{experiment}", path) for path in outputs]


def get_missing_artifacts(wildcards):
    """Artifacts that were deleted since results.json was made (nothing else would request them)."""
    if not Path(f"results/{wildcards.experiment}/evaluation/results.json").exists():
        return []
    paths = expand(ARTIFACTS, experiment=wildcards.experiment)
    return [path for path in paths if not Path(path).exists()]


def is_for_slurm():
    """Whether jobs are submitted to SLURM by this process, or this is such a job."""
    executor = workflow.executor_plugin  # None where nothing is run: --summary, --lint
    return workflow.remote_exec or (executor is not None and executor.name == "slurm")


def has_nodes():
    """Whether a job may be on several nodes; a dry run, too, shows such a job."""
    executor = workflow.executor_plugin
    return is_for_slurm() or executor is None or executor.name in ("dryrun", "touch")


def get_partition():
    """The partition that the user's own file names for jobs with a GPU; None where it names none."""
    resource = workflow.get_rule("run_finetuning").resources.get("slurm_partition")
    return None if resource is None else str(resource.raw)


# Jobs with a GPU ask for what they would like, twice as much after a first try, as far as a node has it: SLURM leaves a
# job that no node fits waiting for ever. On one machine Snakemake itself scales threads down and ignores the rest.


def get_one(wildcards):
    """One GPU."""
    return 1


get_gpus = get_setting("gpus", feedback="config")  # of the training, on each node
get_nodes = get_setting("nodes", feedback="config")


def get_cpus(most, count_gpus=get_one):
    """A function that gives a rule's threads: so many for each GPU of a node."""

    def get_threads(wildcards):
        wanted = most * count_gpus(wildcards)
        return fitting_cpus(wanted, get_partition(), True) if is_for_slurm() else wanted

    return get_threads


def get_memory(megabytes, count_gpus=get_one):
    """A function that gives a rule's memory: so much for each GPU of a node, more at each further try."""

    def get_megabytes(wildcards, attempt):
        wanted = megabytes * count_gpus(wildcards) * attempt
        if not is_for_slurm():
            return wanted
        return fitting_memory(wanted, get_partition(), True)

    return get_megabytes


def get_minutes(minutes):
    """A function that gives the longest time a rule may take, more at each further try."""

    def get_runtime(wildcards, attempt):
        wanted = minutes * attempt
        if not is_for_slurm():
            return wanted
        return fitting_minutes(wanted, get_partition(), True)

    return get_runtime


# A job on several nodes is an MPI job to the executor: it runs the script on the first node, outside of any srun, and
# the training starts a process on each node by an srun of its own. Its GPUs are as many on each node.


def on_several_nodes(get_value):
    """A function that gives a resource of a training on several nodes; None, which is no resource, on one."""

    def get_resource(wildcards):
        return get_value(wildcards) if get_nodes(wildcards) > 1 else None

    return get_resource


def get_slurm_options(wildcards):
    """Further options of sbatch for the training."""
    if get_nodes(wildcards) == 1:
        return TERM_OPTION
    return f"{TERM_OPTION} --gpus-per-node={get_gpus(wildcards)}"


# Which small rules are one job where `small_rules: grouped`. Between two groups a person approves or a GPU is needed.
GROUPS = {
    "prepare": [
        "profile_csv",
        "explore_data",
        "assign_splits",
        "find_unusable_columns",
        "select_features",
        "plan_preparation",
        "write_prep_code",
        "execute_prep_code",
        "verify_prepared_data",
        "plot_feature_rankings",
    ],
    "balance": ["split_data", "write_balance_code", "execute_balance_code"],
    "configure": ["generate_lmf_config"],
    "evaluate": [
        "fit_baselines",
        "run_evaluation",
        "plot_evaluation",
        "calibrate_probabilities",
        "evaluate_calibration",
        "plot_reliability",
        "fit_conformal",
        "plot_conformal",
        "control_risk",
        "plot_risk_coverage",
        "decide_by_cost",
        "audit_groups",
        "plot_audit",
        "find_label_noise",
    ],
    "report": ["plot_importance", "render_report"],
}


def place_small_rules():
    """Where rules without a GPU run on a cluster: beside Snakemake, or a few of them as one job.

    What runs beside Snakemake is not tried again, whatever `retries` says, or a review would ask again.
    """
    grouped = GROUPS if config.get("small_rules") == "grouped" else {}
    for group, names in grouped.items():
        for name in names:
            workflow.get_rule(name).group = group
    small = [
        step
        for step in workflow.rules
        if "gpu" not in step.resources and step.group is None
    ]
    workflow.localrules(*(step.name for step in small))
    for step in small:
        step.restart_times = 0


def stop_retrying(step):
    """Have Snakemake submit no job of a rule, or of a group of rules, again."""
    for name in GROUPS.get(step, [step]):
        workflow.get_rule(name).restart_times = 0


def show_steps():
    """Print a line a finished step in place of Snakemake's several, or beside them where a user asks for these."""
    if not workflow.is_main_process:
        return
    is_quiet = Quietness.RULES in (workflow.output_settings.quiet or [])
    if is_quiet and logger.level > logging.DEBUG:
        for handler in logger.handlers:
            handler.addFilter(HidesReplaced(lambda: workflow.dryrun))
    logger.addHandler(Steps(find_earlier_times))


def find_earlier_times(experiment, rules):
    """What rules took earlier; of a dry run nobody asks, and nobody knows how long a cluster lets them wait."""
    if workflow.dryrun or is_for_slurm():
        return None
    return find_earlier(
        Path(f"results/{experiment}"), rules, get_settings(experiment, "config")
    )


def follow_jobs():
    """Say what becomes of jobs on SLURM: the executor leaves the reasons in its logs."""
    if workflow.remote_exec or workflow.resource_settings.nodes is None:
        return
    from loramake.workflow.slurm.follower import Follower, SaysNothingTwice

    follower = Follower(
        lambda: workflow.execution_settings.retries, stop_retrying, GROUPS
    )
    if logger.level > logging.DEBUG:
        for handler in logger.handlers:
            handler.addFilter(SaysNothingTwice())
    logger.addHandler(follower)
    atexit.register(follower.look)

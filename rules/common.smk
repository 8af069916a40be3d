import atexit
import functools
import logging
import re
import sys
from pathlib import Path

from snakemake.logging import logger

from loramake.agents import AGENT_KEYS
from loramake.config import (
    EXPERIMENT_NAME,
    FEEDBACK_SETTINGS,
    TRAINING_KEYS,
    check_config,
    read_config,
    read_feedback,
    resolve,
)
from loramake.console import PrintableFormatter, refusal
from loramake.errors import LoramakeError
from loramake.experiments import refuse_links
from loramake.workflow.preflight import (
    check_experiment_names,
    check_feedback_files,
    check_inputs,
)
from loramake.llm.arguments import check_extra, check_scheduler, check_template
from loramake.llm.models import check_model
from loramake.paths import APPROVALS
from loramake.terminal import Waiting
from loramake.llm.extra import check_quantization

TEMPLATES = f"{workflow.basedir}/templates"
REPORT_TEMPLATES = sorted(
    str(path) for path in Path(TEMPLATES).glob("render_report*/*")
) + [f"{TEMPLATES}/render_report.html.j2"]


def refuse_in_one_sentence(function):
    """A LoramakeError ends the run with its sentence alone: Snakemake would print its own traceback around it."""

    @functools.wraps(function)
    def wrapped(*arguments):
        try:
            return function(*arguments)
        except LoramakeError as error:
            sys.exit(refusal(error))

    return wrapped


def let_snakemake_wait():
    """Snakemake's own lines are not to tear a review's question, either, nor to do more than be read."""
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


@refuse_in_one_sentence
def check_settings():
    check_config(workflow.config_settings.config, "--config")
    check_config(config)
    check_experiment_names(sys.argv[1:])


@functools.cache
def get_settings(experiment, feedback=None):
    """Every setting of one experiment, resolved; `feedback` names the step whose feedback file counts."""
    path = Path(f"results/{experiment}/feedback/{feedback}.yaml")
    asked = read_feedback(path) if feedback and path.is_file() else {}
    return resolve(config, experiment, workflow.config_settings.config, asked)


def get_setting(key, feedback=None):
    """A function that gives one setting of the rule's experiment."""
    return refuse_in_one_sentence(
        lambda wildcards: get_settings(wildcards.experiment, feedback)[key]
    )


def get_slice(*keys, feedback=None):
    """A function that gives several settings of the rule's experiment by name."""

    def get_settings_by_name(wildcards):
        settings = get_settings(wildcards.experiment, feedback)
        return {key: settings[key] for key in keys}

    return refuse_in_one_sentence(get_settings_by_name)


@functools.cache
@refuse_in_one_sentence
def validate_tables(experiment):
    """Refuse bad tables before anything is wiped; gives the paths of the table and the test table (None without)."""
    settings = get_settings(experiment, "explore")
    refuse_links(Path(f"results/{experiment}"))
    check_feedback_files(f"results/{experiment}/feedback")
    check_inputs(settings, f"results/{experiment}")
    return settings["csv"], settings["test_csv"]


def get_csv(wildcards):
    """The table."""
    return validate_tables(wildcards.experiment)[0]


def get_test_csv(wildcards):
    """The test table, where there is one."""
    return validate_tables(wildcards.experiment)[1] or []


@refuse_in_one_sentence
def get_all_settings(wildcards):
    """Every setting as it counts in the end, each from the step that its feedback file speaks to."""
    settings = dict(get_settings(wildcards.experiment))
    for step, keys in FEEDBACK_SETTINGS.items():
        asked = get_settings(wildcards.experiment, step)
        settings |= {key: asked[key] for key in keys}
    return settings


def get_feedback(step):
    """A function that gives the feedback file of a step, where there is one."""

    def get_file(wildcards):
        path = f"results/{wildcards.experiment}/feedback/{step}.yaml"
        return path if Path(path).is_file() else []

    return get_file


@functools.cache
@refuse_in_one_sentence
def validate_model(experiment):
    """Refuse a bad base model, or settings it cannot be trained with, before anything is wiped; gives the model."""
    settings = get_settings(experiment, "config")
    extra = settings["extra_training_args"]
    check_model(settings["model"], settings["trust_remote_code"])
    check_template(settings["template"])
    check_scheduler(settings["lr_scheduler_type"])
    check_extra(extra, get_settings(experiment, "splits")["validation_ratio"] > 0)
    check_quantization(settings["quantization_bit"], extra.get("quantization_method"))
    return settings["model"]


def get_model_files(wildcards):
    """The files of a base model that is a folder; none of one from the hub."""
    folder = Path(validate_model(wildcards.experiment))
    names = ("config.json", "tokenizer*.json", "*.jinja", "*.safetensors")
    return sorted(str(path) for name in names for path in folder.glob(name))


@refuse_in_one_sentence
def get_model_card(wildcards):
    """The card of a base model that is a folder."""
    card = Path(get_settings(wildcards.experiment)["model"]) / "README.md"
    return str(card) if card.is_file() else []


def get_review_mode(review):
    """A function that gives the mode of one of the reviews: the setting is a word for all, or one for each."""

    def get_mode(wildcards):
        modes = get_settings(wildcards.experiment)["review"]
        return modes if isinstance(modes, str) else modes.get(review, "ask")

    return refuse_in_one_sentence(get_mode)


def get_prompts(*names):
    """A function that gives the prompts of a step where its agent is an LLM."""

    def get_files(wildcards):
        if get_settings(wildcards.experiment)["agent"] == "builtin":
            return []
        return [f"{TEMPLATES}/openai/{name}.j2" for name in ("system", *names)]

    return refuse_in_one_sentence(get_files)


@refuse_in_one_sentence
def get_balance_feedback(wildcards):
    """The balancing that feedback/balance.yaml asks for; None leaves it to the data review."""
    path = Path(f"results/{wildcards.experiment}/feedback/balance.yaml")
    if not path.is_file() or "balance" not in read_feedback(path):
        return None
    asked = get_setting("balance", feedback="balance")(wildcards)
    return None if asked == "auto" else asked


def get_artifacts():
    """Every artifact of the rules that stand before this call."""
    outputs = [str(path) for rule in workflow.rules for path in rule.output]
    return [re.sub(r"{experiment,[^}]*}", "{experiment}", path) for path in outputs]


def get_missing_artifacts(wildcards):
    """Artifacts that were deleted since results.json was made (nothing else would ask for them)."""
    if not Path(f"results/{wildcards.experiment}/evaluation/results.json").exists():
        return []
    paths = expand(ARTIFACTS, experiment=wildcards.experiment)
    return [path for path in paths if not Path(path).exists()]

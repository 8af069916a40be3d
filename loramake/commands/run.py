"""loramake run."""

import enum
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from loramake.artifact_types.review import ReviewName
from loramake.errors import ConfigError, OptionError

_SETTINGS = {
    "epochs": "num_train_epochs",
    "batch_size": "per_device_train_batch_size",
    "grad_accumulation": "gradient_accumulation_steps",
}
"""Options that have another name in config.yaml."""
_OF_THE_RUN = ("name", "directory", "start_from", "keep", "agent_api_key", "cores", "profile", "verbose", "column_type")
"""Options that are not settings."""


class Start(enum.StrEnum):
    REVIEW_PREP = "review_prep"
    SPLIT = "split"
    CONFIG = "config"


_FIRST_REVIEW: dict[Start, ReviewName] = {Start.REVIEW_PREP: "data", Start.SPLIT: "balance", Start.CONFIG: "config"}
"""The first review that each start repeats."""


def _option(about: str, panel: str | None = None, *names: str) -> Any:
    return typer.Option(*names, help=about, rich_help_panel=panel)


_AGENT, _TRAINING, _RUNNING = "A language model as the agent", "Training (unset: the base model's own)", "Running"


def run(
    context: typer.Context,
    csv: Annotated[Path | None, _option("The table to learn from; unset, the one in config.yaml.")] = None,
    name: Annotated[str | None, _option("Folder under results/; unset, the CSV's name.")] = None,
    directory: Annotated[
        Path,
        _option("Folder for results/, with config.yaml, if there is one.", None, "--output", "--directory"),
    ] = Path(),
    target: Annotated[str | None, _option("The column to predict; unset, it is detected.")] = None,
    model: Annotated[str | None, _option("The base model: a folder or a hub id.")] = None,
    column_type: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=TYPE", help="numeric, category, text, date or id, for a column; repeatable."),
    ] = None,
    test_csv: Annotated[Path | None, _option("A second table to test on.")] = None,
    test_ratio: Annotated[float | None, _option("Share of the rows to test on.")] = None,
    review: Annotated[str | None, _option("Who approves: ask, approve or file.")] = None,
    start_from: Annotated[Start | None, _option("Repeat the reviews from this one on, and run what follows.")] = None,
    keep: Annotated[
        bool, _option("Copy the previous run to results/NAME/runs/ before it is replaced.", None, "--keep")
    ] = False,
    agent_model: Annotated[str | None, _option("The model that decides.", _AGENT)] = None,
    coder_model: Annotated[str | None, _option("The model that writes code.", _AGENT)] = None,
    agent_api_base: Annotated[str | None, _option("Its address: http://host:port/v1.", _AGENT)] = None,
    agent_api_key: Annotated[
        str | None,
        typer.Option(
            metavar="env:NAME|file:PATH|ask",
            help="Where its key is, or ask to type it, without echo; unset, OPENAI_API_KEY.",
            rich_help_panel=_AGENT,
        ),
    ] = None,
    agent_temperature: Annotated[float | None, _option("How varied its answers are.", _AGENT)] = None,
    epochs: Annotated[float | None, _option("Passes over the training split.", _TRAINING)] = None,
    lora_rank: Annotated[int | None, _option("Rank of the LoRA matrices.", _TRAINING)] = None,
    lora_alpha: Annotated[int | None, _option("Scale of the LoRA update.", _TRAINING)] = None,
    use_dora: Annotated[bool | None, _option("Weight-decomposed LoRA.", _TRAINING)] = None,
    learning_rate: Annotated[float | None, _option("Peak learning rate.", _TRAINING)] = None,
    batch_size: Annotated[int | None, _option("Rows in one forward pass.", _TRAINING)] = None,
    grad_accumulation: Annotated[int | None, _option("Forward passes in one step.", _TRAINING)] = None,
    cutoff_len: Annotated[int | None, _option("Longest prompt and answer in tokens.", _TRAINING)] = None,
    logging_steps: Annotated[int | None, _option("Steps between two logged losses.", _TRAINING)] = None,
    save_steps: Annotated[int | None, _option("Steps between two checkpoints.", _TRAINING)] = None,
    quantization_bit: Annotated[int | None, _option("4 or 8: quantize the base.", _TRAINING)] = None,
    flash_attn: Annotated[str | None, _option("auto, disabled, sdpa or fa2.", _TRAINING)] = None,
    precision: Annotated[str | None, _option("auto, bf16, fp16 or fp32.", _TRAINING)] = None,
    cores: Annotated[int, typer.Option(min=1, help="CPU cores.", rich_help_panel=_RUNNING)] = 2,
    profile: Annotated[str | None, _option("slurm, or a Snakemake profile of your own.", _RUNNING)] = None,
    verbose: Annotated[bool, _option("Show Snakemake's own log, too.", _RUNNING, "--verbose", "-v")] = False,
) -> None:
    """Run everything for one CSV, and continue after each review until all are approved.

    The same as snakemake --cores N results/NAME/evaluation/results.json --config csv=…, repeated after each feedback.
    """
    raise typer.Exit(_run(context.params))


def _run(options: Mapping[str, Any]) -> int:
    """Run Snakemake with the options of the command line; its exit code."""
    from loramake.workflow.run import Run, check_name, name_of, profile_options

    csv, name, directory = options["csv"], options["name"], options["directory"]
    if csv is None and name is None:
        raise ConfigError("there is nothing to run: give --csv PATH, or --name with an experiment of config.yaml.")
    settings = _settings_of(options)
    is_folder = options["model"] and Path(options["model"]).expanduser().is_dir()
    paths = {"csv": csv, "test_csv": options["test_csv"], "model": Path(options["model"]) if is_folder else None}
    settings |= {key: _relative_to(directory, path) for key, path in paths.items() if path}
    _check(settings)  # before a key in an address is written anywhere
    source, start_from = options["agent_api_key"], options["start_from"]
    key = {} if source is None else {"OPENAI_API_KEY": _find_key(source)}
    _make_folder(directory)
    profile = profile_options(options["profile"], options["cores"], directory)
    experiment = name_of(csv or Path()) if name is None else check_name(name)
    first_review = None if start_from is None else _FIRST_REVIEW[start_from]
    run_of_it = Run(experiment, directory, profile, key, options["verbose"])
    return run_of_it.until_approved(settings, first_review, options["keep"])


def _settings_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the given options stand for, paths as they are."""
    settings = {
        _SETTINGS.get(key, key): value for key, value in options.items() if key not in _OF_THE_RUN and value is not None
    }
    if options["column_type"]:
        settings["column_types"] = dict(map(_column_and_type, options["column_type"]))
    if options["agent_model"] or options["agent_api_base"]:
        settings["agent"] = "openai"
    return settings


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--output: {path} cannot be made a folder ({error.strerror}): name another.") from error


def _find_key(source: str) -> str:
    """The key that is typed, or that is where `source` says."""
    from loramake.agents.connection import read_key

    if source != "ask":
        try:
            return read_key(source, "--agent-api-key")
        except ConfigError as error:
            raise OptionError(str(error)) from None
    if not sys.stdin.isatty():
        raise ConfigError("--agent-api-key ask needs a terminal: set OPENAI_API_KEY in the environment or in .env.")
    return str(typer.prompt("Key of the endpoint", hide_input=True))


def _check(settings: Mapping[str, Any]) -> None:
    """OptionError, in the words of the options, for a value that its setting does not take."""
    from loramake.settings import check_setting

    options = {"column_types": "column_type", **{setting: option for option, setting in _SETTINGS.items()}}
    for key, value in settings.items():
        try:
            check_setting(key, value, f"--{options.get(key, key).replace('_', '-')}")
        except ConfigError as error:
            raise OptionError(str(error)) from error


def _column_and_type(text: str) -> tuple[str, str]:
    column, sign, kind = text.rpartition("=")
    if not sign or not column:
        raise OptionError(f"--column-type {text}: write the column, = and its type, such as zip=category.")
    return column, kind


def _relative_to(directory: Path, path: Path) -> str:
    """A path as it is or, for a run in another folder, relative to that; absolute if it is not below it."""
    path = path.expanduser()
    if directory == Path():
        return str(path)
    path, directory = path.resolve(), directory.resolve()
    return str(path.relative_to(directory) if path.is_relative_to(directory) else path)

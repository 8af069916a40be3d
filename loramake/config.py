"""Settings: what the user wrote, checked, and resolved for one experiment.

What wins: command line > feedback > experiment > top level > the base model's card > the schema's defaults.
A key that is left unset is unset, not its default, until the last step.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema_rs import validator_for

from loramake.addresses import read_url
from loramake.artifact_types.llm import Card
from loramake.artifact_types.review import ReviewName
from loramake.artifact_types.shared import Strategy
from loramake.artifacts import explain_error, is_small, load_schema
from loramake.base_card import CARD, check_base_card, read_base_card
from loramake.errors import ConfigError, nearest
from loramake.parsing import ParsingError, check_size
from loramake.parsing.shape import find_error
from loramake.parsing.yaml_text import VALUES, parse_yaml, read_yaml
from loramake.paths import locate_model, name_model
from loramake.text import quoted, shorten

Settings = dict[str, Any]
Feedback = dict[str, Any]
"""What a file under feedback/ asks for: settings of its step, and lists of columns, labels or notes."""

RENAMED = {
    "confidence": "conformal_confidence",
    "max_error": "max_selective_error",
    "max_error_confidence": "selective_error_confidence",
    "features_to_keep": "max_features",
    "limits": "requirements",
    "num_train_epochs: least": "min_epochs",
    "num_train_epochs: steps": "min_steps",
}
"""Old names of settings, and of parts of one, with the new: an old one is refused."""

TRAINING_KEYS = (
    "lora_rank",
    "lora_alpha",
    "lora_dropout",
    "lora_target",
    "use_dora",
    "additional_target",
    "cutoff_len",
    "num_train_epochs",
    "learning_rate",
    "weight_decay",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "lr_scheduler_type",
    "warmup_ratio",
    "logging_steps",
    "save_steps",
    "save_total_limit",
    "disable_gradient_checkpointing",
    "quantization_bit",
)
"""Settings that are passed to LlamaFactory under the same name."""

FEEDBACK_SETTINGS: dict[str, tuple[str, ...]] = {
    "explore": ("target", "group_column", "time_column", "rare_labels"),
    "splits": ("test_ratio", "calibration_ratio", "validation_ratio"),
    "plan": (),
    "balance": ("balance",),
    "config": (*TRAINING_KEYS, "template", "flash_attn", "precision", "extra_training_args"),
}
"""Which settings a feedback file may override: those of the one step it speaks to."""

_WORDS = ("save_strategy", "eval_strategy", "logging_strategy", "optim", "metric_for_best_model", "rope_scaling")
"""Of extra_training_args: arguments with words as values that a feedback file may set."""
_REPORTS = ("none", "tensorboard")
"""Where a feedback file may have the training reported to: nowhere but this machine."""
_SERVICES = (
    r"(push_to_)?hub.*|(trackio|export|vllm|sglang)_.*|(use_)?(swanlab|ray|kt|unsloth|mca|hyper_parallel|v1_kernels).*"
)
"""Arguments that reach further than the training, whatever their values are."""

REVIEWS: tuple[ReviewName, ...] = ("data", "balance", "config")
"""In the order of the workflow."""

STRATEGIES: tuple[Strategy, ...] = ("none", "oversample", "undersample")
"""Of balancing the training split."""

EXPERIMENT_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
"""What an experiment, a folder under results/, may be called."""

COLUMN_LISTS = ("keep", "drop")
"""What the feedback for explore and plan may list."""

FEEDBACK_KEYS = {"explore": COLUMN_LISTS, "plan": (*COLUMN_LISTS, "only", "instruction", "labels")}
"""What else the feedback of a step may hold."""

_PATHS = ("csv", "test_csv", "model")

_LONGEST_TEXT = 100_000
"""Characters of one setting, such as costs on a command line."""

_BY_NAME = "extra_training_args"

_STRUCTURE = ("experiments", "extends")


def read_config(path: Path = Path("config.yaml")) -> dict[str, Any]:
    """config.yaml, checked; {} where there is none."""
    try:
        config = (read_yaml(path) if path.is_file() else None) or {}
    except ParsingError as error:
        raise ConfigError(f"{path} is not valid YAML ({error}): fix it.") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{path} is no mapping of settings: write, for example, `review: ask`.")
    check_config(config, str(path))
    return config


def check_config(config: Mapping[str, Any], where: str = "config.yaml") -> None:
    """Raise ConfigError, in one sentence, for a key that is unknown or a value of the wrong kind."""
    if "extends" in config:
        raise ConfigError(f"{where}: extends belongs under an experiment.")
    _check_level({key: value for key, value in config.items() if key != "experiments"}, where)
    experiments = config.get("experiments") or {}
    if not isinstance(experiments, Mapping):
        raise ConfigError(f"{where}: experiments: is a {type(experiments).__name__}, not names with settings below.")
    if twice := next((name for name, count in Counter(map(str, experiments)).items() if count > 1), None):
        raise ConfigError(f"{where}: experiments: {twice} is there twice, as a number and as a text: rename one.")
    for name, own in experiments.items():
        if not re.fullmatch(EXPERIMENT_NAME, str(name)):
            raise ConfigError(
                f"{where}: experiment {quoted(repr(name))}: use letters, digits, '_', '-' and '.' only, a letter or "
                f"digit first."
            )
        if own is not None and not isinstance(own, Mapping):
            raise ConfigError(f"{where}: experiments: {name}: is {quoted(repr(own))}, not settings below a name.")
        _check_level(own or {}, f"{where}: experiments: {name}")


def _check_level(level: Mapping[str, Any], where: str) -> None:
    properties = load_schema("config")["properties"]
    for key, value in level.items():
        refuse_renamed(str(key), where)
        if key not in properties or key == "experiments":
            raise ConfigError(f"{where}: {quoted(str(key))} is no setting{nearest(str(key), properties)}.")
        check_setting(key, value, where)


def refuse_renamed(name: str, where: str, next_step: str = "rename it") -> None:
    """Raise ConfigError, which says the new name, for the old name of a setting."""
    if name in RENAMED:
        raise ConfigError(f"{where}: {name} is now called {RENAMED[name]}: {next_step}.")


def check_setting(key: str, value: Any, where: str) -> None:
    """Raise ConfigError where a value is none that a setting takes; it does not repeat an address: keys are in some."""
    if key == "agent_api_base" and coerce(key, value) is not None:
        read_url(value if isinstance(value, str) else "", f"{where}: {key}")
    schema = load_schema("config")["properties"][key]
    _check_length(key, value, where)
    read = coerce(key, value)
    if not _is_finite(read):
        shown = quoted(repr(value))
        raise ConfigError(f"{where}: {key}: {shown} is not a finite number: write one ({schema['description']})")
    for name in read if isinstance(read, Mapping) and "properties" in schema else ():
        refuse_renamed(f"{key}: {name}", where)
        if name not in schema["properties"]:
            raise ConfigError(
                f"{where}: {key}: {quoted(str(name))} is none of them{nearest(str(name), schema['properties'])}."
            )
    error = (
        explain_error(_with_text_keys(read), schema)
        if is_small(read)
        else find_error(validator_for(schema), _with_text_keys(read))
    )
    if error is not None:
        raise ConfigError(f"{where}: {key}: {error[1]} ({schema['description']})")
    if key in _PATHS and read is not None:
        _check_path(key, read, where)


def _check_path(key: str, path: str, where: str) -> None:
    """Raise ConfigError for what can be no path, such as one of 5,000 letters: every look at it would fail."""
    try:
        Path(path).is_dir()
    except OSError as error:
        raise ConfigError(f"{where}: {key}: {shorten(path, 60)} cannot be a path ({error.strerror}).") from error


def _check_length(key: str, value: Any, where: str) -> None:
    """Raise ConfigError for a value larger than any setting is; --config may bring one that no YAML file could."""
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        raise ConfigError(f"{where}: {key}: a text of {len(value):,} characters: write at most {_LONGEST_TEXT:,}.")
    try:
        check_size(value, VALUES)
    except ParsingError as error:
        raise ConfigError(f"{where}: {key}: {error}: write less.") from error


def _is_finite(value: Any) -> bool:
    """No .nan and no .inf, which pass every bound of a schema, in the value or a mapping of values."""
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    return not isinstance(value, float) or math.isfinite(value)


def _with_text_keys(value: Any) -> Any:
    """The value with keys as in JSON, where a label that YAML reads as a number is a text."""
    if isinstance(value, Mapping):
        return {str(name): _with_text_keys(part) for name, part in value.items()}
    return value


def coerce(key: str, value: Any) -> Any:
    """A value as its setting's type: Snakemake's --config and YAML 1.1 hand over `true`, `1e-4`, `{a: 1}` as text."""
    schema = load_schema("config")["properties"][key]
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if isinstance(value, Mapping):
        return {name: _with_numbers(part) for name, part in value.items()}
    if not isinstance(value, str):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return str(value) if is_number and "string" in types else value
    if "object" in types and isinstance(read := _mapping(value), dict):
        return read
    if "array" in types:
        return _listed(value)
    if value.lower() in ("none", "null", "") and ("null" in types or None in schema.get("enum", [])):
        return None
    if "boolean" in types and value.lower() in ("true", "false", "yes", "no", "on", "off"):
        return value.lower() in ("true", "yes", "on")
    if "number" in types or "integer" in types or 4 in schema.get("enum", []):
        return _number(value)
    return value


def _mapping(text: str) -> Any:
    """`{a: 1}` read as YAML; the text itself, which no schema takes for a mapping, where it is none."""
    try:
        read = parse_yaml(text)
    except ParsingError:
        return text
    return read if isinstance(read, dict) else text


def _with_numbers(part: Any) -> Any:
    """A part of a mapping, whose numbers --config hands over as text."""
    if isinstance(part, Mapping):
        return {name: _with_numbers(own) for name, own in part.items()}
    return _number(part) if isinstance(part, str) else part


def _listed(text: str) -> Any:
    """`[a, b]` read as YAML, and `a, b` as well."""
    try:
        read = parse_yaml(text, as_text=True)
    except ParsingError:
        return text
    return read if isinstance(read, list) else [part.strip() for part in text.split(",") if part.strip()]


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def resolve(
    config: Mapping[str, Any],
    experiment: str,
    command_line: Mapping[str, Any] | None = None,
    feedback: Mapping[str, Any] | None = None,
) -> Settings:
    """Every setting of one experiment, by the order of precedence that this module's docstring gives."""
    top = {key: value for key, value in config.items() if key not in _STRUCTURE}
    layers = [command_line or {}, feedback or {}, *_experiment_layers(config, experiment), top]
    written = _merge(layers)
    model = find_model(written.get("model") or defaults()["model"])
    settings = _merge([{"model": model}, written, read_card(model).get("settings", {}), defaults()])
    if settings["csv"] is None:
        raise ConfigError(
            f"experiment {experiment} has no csv: write `experiments: {{{experiment}: {{csv: PATH}}}}` in config.yaml, "
            f"or add --config csv=PATH (of loramake run: --csv PATH)."
        )
    _check_splits(settings)
    _check_abstention(experiment, settings)
    return settings


def read_trust(experiment: str | None) -> dict[str, Any]:
    """The settings sandbox and trust_remote_code as the working folder's config.yaml has them, else their defaults.

    `experiment` names the entry that counts; None for results from elsewhere, which have none there.
    """
    config = read_config()
    top = {key: value for key, value in config.items() if key not in _STRUCTURE}
    own = [] if experiment is None else list(_experiment_layers(config, experiment))
    merged = _merge([*own, top, defaults()])
    return {key: merged[key] for key in ("sandbox", "trust_remote_code")}


def _check_splits(settings: Settings) -> None:
    """Raise ConfigError where the splits leave no row to train on, or are asked for in two ways."""
    if settings["group_column"] is not None and settings["time_column"] is not None:
        raise ConfigError(
            "group_column and time_column: a group may stand on both sides of a date, so set only one of them."
        )
    names = ["calibration_ratio", "validation_ratio", *([] if settings["test_csv"] else ["test_ratio"])]
    total = sum(settings[name] for name in names)
    if total >= 1:
        raise ConfigError(f"{', '.join(names)} add up to {total:g}, which leaves no row to train on: lower one.")


def _check_abstention(experiment: str, settings: Settings) -> None:
    """Raise ConfigError where what asking a person costs is missing, or set for nothing."""
    costs, asking = settings["costs"], settings["abstain_cost"]
    if asking is not None and costs is None:
        raise ConfigError(
            f"experiment {experiment}: abstain_cost: it is weighed against what decisions cost: set costs, too."
        )
    if costs is not None and asking is None and settings["max_selective_error"] is not None:
        raise ConfigError(
            f"experiment {experiment}: costs and max_selective_error: max_selective_error leaves rows to a person, so "
            "that costs have to hold what that costs: set abstain_cost, 0 if nothing."
        )


def find_model(model: str) -> str:
    """A folder as it is, one that comes with loramake by its name, such as models/tiny; else a hub id.

    ConfigError for a path that is not there: a hub would be asked for it.
    """
    if Path(locate_model(model)).is_dir():
        return name_model(model)
    is_path = model.startswith((".", "/", "~")) or model.count("/") != 1 or Path(model).parent.is_dir()
    if is_path and "/" in model:
        near = nearest(model, [str(path) for path in Path(model).parent.glob("*")])
        raise ConfigError(f"model: {model} is not there{near}: name a folder, or a hub id such as owner/name.")
    return model


def _experiment_layers(config: Mapping[str, Any], experiment: str) -> Iterator[Mapping[str, Any]]:
    """The experiment's own settings, then those of the one it extends, and so on."""
    experiments = {str(name): own for name, own in (config.get("experiments") or {}).items()}
    seen: list[str] = []
    name: str | None = experiment
    while name is not None:
        if name in seen:
            raise ConfigError(f"config.yaml: experiments: {' extends '.join([*seen, name])}: that is a circle.")
        if seen and name not in experiments:
            raise ConfigError(
                f"config.yaml: {seen[-1]} extends {name}, which is not there{nearest(name, experiments)}."
            )
        seen.append(name)
        own = experiments.get(name) or {}
        yield {key: value for key, value in own.items() if key != "extends"}
        name = own.get("extends")


def _merge(layers: list[Mapping[str, Any]]) -> Settings:
    """The first layer that has a key wins; of extra_training_args, the first that has a name in it."""
    properties = load_schema("config")["properties"]
    merged: Settings = {}
    for layer in reversed(layers):
        before = merged.get(_BY_NAME) or {}
        merged.update({key: coerce(key, value) for key, value in layer.items() if key in properties})
        merged[_BY_NAME] = {**before, **(merged.get(_BY_NAME) or {})}
    return merged


def defaults() -> Settings:
    """The schema's defaults."""
    properties = load_schema("config")["properties"]
    return {key: schema["default"] for key, schema in properties.items() if key not in _STRUCTURE}


def read_card(model: str) -> Card:
    """What a local base model's card says, its settings as their types; {} where it says nothing."""
    model = locate_model(model)
    card = read_base_card(model)
    if "settings" in card:
        _check_level(card["settings"], str(Path(model) / CARD))
        card = {**card, "settings": {key: coerce(key, value) for key, value in card["settings"].items()}}
    return check_base_card(card, model)


def read_feedback(path: str | Path) -> Feedback:
    """One feedback file: settings of its step, and `keep`, `drop` (lists of columns) and `notes` (free text)."""
    path = Path(path)
    try:
        content = read_yaml(path) or {}
        as_written = read_yaml(path, as_text=True) or {}  # texts as they are there: No is not False
    except ParsingError as error:
        raise ConfigError(f"{path} is not valid YAML ({error}): fix or delete it.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is no mapping of keys to values: write, for example, `notes: [what to change]`.")
    content |= {key: as_written[key] for key in FEEDBACK_KEYS["plan"] if key in content}
    known = {*FEEDBACK_SETTINGS[path.stem], "notes", *FEEDBACK_KEYS.get(path.stem, ())}
    for key in content:
        refuse_renamed(str(key), str(path), "set it in config.yaml, since it is not feedback for this step")
        if key not in known:
            raise ConfigError(f"{path}: {quoted(str(key))} is not feedback for this step{nearest(str(key), known)}.")
    for key in {*COLUMN_LISTS, "only", "notes"} & set(content):
        if not isinstance(content[key], list) or not all(isinstance(entry, str) for entry in content[key]):
            raise ConfigError(
                f"{path}: {key}: is {quoted(repr(content[key]))}, not a list of texts: write `{key}: [one, two]`."
            )
    if not isinstance(content.get("labels", {}), dict) or not isinstance(content.get("instruction", ""), str):
        raise ConfigError(f"{path}: labels is a mapping from labels to answers, and instruction a text.")
    _check_level({key: content[key] for key in FEEDBACK_SETTINGS[path.stem] if key in content}, str(path))
    check_feedback_arguments(coerce(_BY_NAME, content.get(_BY_NAME) or {}), str(path))
    return dict(content)


def check_feedback_arguments(extra: Mapping[str, Any], where: str) -> None:
    """Raise ConfigError for one of extra_training_args that the user's own config.yaml or command line alone may set.

    A feedback file lies among results, which may be somebody else's. It may set numbers and true or false, and a few
    words: other text is paths, addresses and names of programs.
    """
    for name, value in extra.items():
        is_plain = value is None or isinstance(_number(value) if isinstance(value, str) else value, int | float)
        is_word = name in _WORDS and isinstance(value, str) and re.fullmatch(r"\w{1,100}", value, re.ASCII)
        is_report = name == "report_to" and value in _REPORTS
        if re.fullmatch(_SERVICES, str(name)) or not (is_plain or is_word or is_report):
            raise ConfigError(
                f"{where}: extra_training_args: {name}: feedback may not set it to {str(value)[:100]!r}, since it may "
                "reach beyond the training: set it in your own config.yaml."
            )

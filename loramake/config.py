"""config.yaml: what the user wrote, checked, and resolved for one experiment.

What wins: command line > feedback > experiment > top level > the base model's card > the schema's defaults.
An unset key stays unset, without its default, until the last step.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from loramake.artifact_types.llm import Card
from loramake.artifact_types.review import ReviewName
from loramake.artifact_types.shared import Strategy
from loramake.artifacts import load_schema
from loramake.base_card import CARD, check_base_card, read_base_card
from loramake.errors import ConfigError, nearest
from loramake.parsing import MIB, ParsingError, decode, read_bytes
from loramake.parsing.yaml_text import parse_yaml
from loramake.paths import locate_model, name_model
from loramake.settings import BY_NAME, STRUCTURE, TOP_LEVEL, Settings, check_settings, coerce, defaults, keep_names
from loramake.text import quoted

REVIEWS: tuple[ReviewName, ...] = ("data", "balance", "config")
"""In the order of the workflow."""

STRATEGIES: tuple[Strategy, ...] = ("none", "oversample", "undersample")
"""Ways to balance the training split."""

EXPERIMENT_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
"""Valid names of an experiment, a folder under results/."""


def read_config(path: Path = Path("config.yaml")) -> dict[str, Any]:
    """config.yaml, checked; {} if there is none."""
    try:
        config = (parse_config(decode(read_bytes(path, MIB))) if path.is_file() else None) or {}
    except ParsingError as error:
        raise ConfigError(f"{path} is not valid YAML ({error}): fix it.") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{path} is not a mapping of settings: write, for example, `review: ask`.")
    check_config(config, str(path))
    return config


def parse_config(text: str) -> Any:
    """The content of a config.yaml, in which settings that name columns are texts; ParsingError if it is not YAML."""
    config, written = parse_yaml(text), parse_yaml(text, as_text=True)
    experiments = config.get("experiments") if isinstance(config, dict) else None
    if isinstance(experiments, dict):
        levels = zip(experiments.items(), written["experiments"].values(), strict=True)
        config = {**config, "experiments": {name: keep_names(level, text) for (name, level), text in levels}}
    return keep_names(config, written)


def check_config(config: Mapping[str, Any], where: str = "config.yaml") -> None:
    """Raise ConfigError for a key that is unknown or a value of the wrong kind."""
    if "extends" in config:
        raise ConfigError(f"{where}: extends belongs under an experiment.")
    check_settings({key: value for key, value in config.items() if key != "experiments"}, where)
    experiments = config.get("experiments") or {}
    if not isinstance(experiments, Mapping):
        raise ConfigError(f"{where}: experiments: is a {type(experiments).__name__}, not names with settings below.")
    if twice := next((name for name, count in Counter(map(str, experiments)).items() if count > 1), None):
        raise ConfigError(f"{where}: experiments: {twice} appears twice, as a number and as a string: rename one.")
    for name, settings in experiments.items():
        if not re.fullmatch(EXPERIMENT_NAME, str(name)):
            raise ConfigError(
                f"{where}: experiment {quoted(repr(name))}: use letters, digits, '_', '-' and '.' only, a letter or "
                f"digit first."
            )
        if settings is not None and not isinstance(settings, Mapping):
            raise ConfigError(f"{where}: experiments: {name}: is {quoted(repr(settings))}, not settings below a name.")
        for key in TOP_LEVEL:
            if key in (settings or {}):
                raise ConfigError(
                    f"{where}: experiments: {name}: {key} is for all experiments: move it to the top level."
                )
        check_settings(settings or {}, f"{where}: experiments: {name}")


def resolve(
    config: Mapping[str, Any],
    experiment: str,
    command_line: Mapping[str, Any] | None = None,
    feedback: Mapping[str, Any] | None = None,
) -> Settings:
    """Every setting of one experiment, by the order of precedence that this module's docstring gives."""
    top = {key: value for key, value in config.items() if key not in STRUCTURE}
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
    """The settings sandbox and trust_remote_code of the working folder's config.yaml, else their defaults.

    `experiment` names the entry that applies; None for results from elsewhere, which have no entry.
    """
    config = read_config()
    top = {key: value for key, value in config.items() if key not in STRUCTURE}
    layers = [] if experiment is None else list(_experiment_layers(config, experiment))
    merged = _merge([*layers, top, defaults()])
    return {key: merged[key] for key in ("sandbox", "trust_remote_code")}


def _check_splits(settings: Settings) -> None:
    """Raise ConfigError if the splits leave no row to train on, or are set in two ways."""
    if settings["group_column"] is not None and settings["time_column"] is not None:
        raise ConfigError(
            "group_column and time_column: a group may have rows on both sides of a date, so set only one of them."
        )
    check_ratios(split_ratios(settings))


def split_ratios(settings: Settings) -> dict[str, float]:
    """The shares of the rows that are not for training, by their settings."""
    names = ["calibration_ratio", "validation_ratio", *([] if settings["test_csv"] else ["test_ratio"])]
    return {name: settings[name] for name in names}


def check_ratios(ratios: Mapping[str, float]) -> None:
    """Raise ConfigError if `split_ratios` leave no row to train on."""
    if (total := sum(ratios.values())) >= 1:
        raise ConfigError(f"{', '.join(ratios)} add up to {total:g}, which leaves no row to train on: lower one.")


def _check_abstention(experiment: str, settings: Settings) -> None:
    """Raise ConfigError if the cost of asking a person is missing, or set without need."""
    costs, abstain_cost = settings["costs"], settings["abstain_cost"]
    if abstain_cost is not None and costs is None:
        raise ConfigError(
            f"experiment {experiment}: abstain_cost: it is compared with the costs of decisions: set costs, too."
        )
    if costs is not None and abstain_cost is None and settings["max_selective_error"] is not None:
        raise ConfigError(
            f"experiment {experiment}: costs and max_selective_error: max_selective_error leaves rows to a person, "
            "which has a cost of its own: set abstain_cost, to 0 if it costs nothing."
        )


def find_model(model: str) -> str:
    """A folder as it is, one that comes with loramake by its name, such as models/tiny; else a hub id.

    ConfigError for a path that does not exist, which would be requested from the hub.
    """
    if Path(locate_model(model)).is_dir():
        return name_model(model)
    is_path = model.startswith((".", "/", "~")) or model.count("/") != 1 or Path(model).parent.is_dir()
    if is_path and "/" in model:
        near = nearest(model, [str(path) for path in Path(model).parent.glob("*")])
        raise ConfigError(f"model: {model} does not exist{near}: name a folder, or a hub id such as owner/name.")
    return model


def _experiment_layers(config: Mapping[str, Any], experiment: str) -> Iterator[Mapping[str, Any]]:
    """The experiment's own settings, then those of the one it extends, and so on."""
    experiments = {str(name): settings for name, settings in (config.get("experiments") or {}).items()}
    seen: list[str] = []
    name: str | None = experiment
    while name is not None:
        if name in seen:
            raise ConfigError(f"config.yaml: experiments: {' extends '.join([*seen, name])}: this is circular.")
        if seen and name not in experiments:
            raise ConfigError(
                f"config.yaml: {seen[-1]} extends {name}, which does not exist{nearest(name, experiments)}."
            )
        seen.append(name)
        settings = experiments.get(name) or {}
        yield {key: value for key, value in settings.items() if key != "extends"}
        name = settings.get("extends")


def _merge(layers: list[Mapping[str, Any]]) -> Settings:
    """The first layer that has a key wins; so does, for each argument, the first with it in extra_training_args."""
    properties = load_schema("config")["properties"]
    merged: Settings = {}
    for layer in reversed(layers):
        before = merged.get(BY_NAME) or {}
        merged.update({key: coerce(key, value) for key, value in layer.items() if key in properties})
        merged[BY_NAME] = {**before, **(merged.get(BY_NAME) or {})}
    return merged


def read_card(model: str) -> Card:
    """A local base model's card, its settings coerced to their types; {} if it has none."""
    model = locate_model(model)
    card = read_base_card(model)
    if "settings" in card:
        check_settings(card["settings"], str(Path(model) / CARD))
        card = {**card, "settings": {key: coerce(key, value) for key, value in card["settings"].items()}}
    return check_base_card(card, model)

"""Single settings: their names, types and valid values.

Knows the schema; knows nothing of files, experiments or precedence.
"""

import datetime
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema_rs import validator_for

from loramake.addresses import read_url
from loramake.artifacts import is_small, load_schema
from loramake.errors import ConfigError, nearest
from loramake.parsing import ParsingError, check_size
from loramake.parsing.expected import find_mistake
from loramake.parsing.shape import find_error
from loramake.parsing.yaml_text import VALUES, parse_yaml
from loramake.text import listed, quoted, shorten

Settings = dict[str, Any]

RENAMED = {
    "confidence": "conformal_confidence",
    "max_error": "max_selective_error",
    "max_error_confidence": "selective_error_confidence",
    "features_to_keep": "max_features",
    "limits": "requirements",
    "num_train_epochs: least": "min_epochs",
    "num_train_epochs: steps": "min_steps",
}
"""Old names of settings, and of parts of one, with the new names: an old one is refused."""

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

NAMES = ("target", "group_column", "time_column", "audit_columns")
"""Settings that are names of columns."""

COLUMNS = (*NAMES, "column_types", "missing_values")
"""Settings that name columns, or words in them: kept as written, since one may look like a number, a date or null."""

_PATHS = ("csv", "test_csv", "model")

_OF_TEXTS = ("missing_values",)
"""Settings whose values are texts, whatever YAML reads them as."""

_LONGEST_TEXT = 100_000
"""Characters of one setting, such as costs on a command line."""

BY_NAME = "extra_training_args"

STRUCTURE = ("experiments", "extends")
TOP_LEVEL = ("small_rules", "container")
"""Settings that say where steps run, and are for all experiments."""


def defaults() -> Settings:
    """The schema's defaults."""
    properties = load_schema("config")["properties"]
    return {key: schema["default"] for key, schema in properties.items() if key not in STRUCTURE}


def keep_names(level: Any, written: Any) -> Any:
    """A mapping of settings in which names of columns are the texts of `written`, its YAML without types."""
    if not isinstance(level, Mapping):
        return level
    return {key: written[key] if key in COLUMNS and value is not None else value for key, value in level.items()}


def check_settings(level: Mapping[str, Any], where: str) -> None:
    properties = load_schema("config")["properties"]
    for key, value in level.items():
        refuse_renamed(str(key), where)
        if key not in properties or key == "experiments":
            raise ConfigError(f"{where}: {quoted(str(key))} is not a setting{nearest(str(key), properties)}.")
        check_setting(key, value, f"{where}: {key}")


def refuse_renamed(name: str, where: str, next_step: str = "rename it") -> None:
    """Raise ConfigError, with the new name, for the old name of a setting."""
    if name in RENAMED:
        raise ConfigError(f"{where}: {name} is now called {RENAMED[name]}: {next_step}.")


def check_setting(key: str, value: Any, where: str) -> None:
    """Raise ConfigError for an invalid value of a setting; an address is not repeated, since it may contain a key.

    `where` is what the user set: `config.yaml: review`, or an option such as `--review`.
    """
    if key == "agent_api_base" and coerce(key, value) is not None:
        read_url(value if isinstance(value, str) else "", where)
    schema = load_schema("config")["properties"][key]
    _check_length(value, where)
    if key in COLUMNS and isinstance(value, bool | datetime.date):
        raise ConfigError(f"{where}: {value} is not text: write the column's name in quotes.")
    coerced = coerce(key, value)
    if not _is_finite(coerced):
        shown = quoted(repr(value))
        raise ConfigError(f"{where}: {shown} is not a finite number: write one ({schema['description']})")
    for name in coerced if isinstance(coerced, Mapping) and "properties" in schema else ():
        _refuse_renamed_part(key, str(name), where)
        if name not in schema["properties"]:
            near = nearest(str(name), schema["properties"]) or f": {listed(list(schema['properties']), 20)}"
            raise ConfigError(f"{where}: {quoted(str(name))} is not one of its keys{near}.")
    if (error := _find_error(_with_text_keys(coerced), schema)) is not None:
        raise ConfigError(f"{where}: {error} ({schema['description']})")
    if key in _PATHS and coerced is not None:
        _check_path(coerced, where)


def _refuse_renamed_part(key: str, name: str, where: str) -> None:
    if (old := f"{key}: {name}") in RENAMED:
        raise ConfigError(f"{where}: {name} is now called {RENAMED[old]}: rename it.")


def _find_error(value: Any, schema: dict[str, Any]) -> str | None:
    if is_small(value):
        return find_mistake(value, schema)
    error = find_error(validator_for(schema), value)
    return error and error[1]


def _check_path(path: str, where: str) -> None:
    """Raise ConfigError for an impossible path, such as one of 5,000 letters: every access would fail."""
    try:
        Path(path).is_dir()
    except OSError as error:
        raise ConfigError(f"{where}: {shorten(path, 60)} cannot be a path ({error.strerror}).") from error


def _check_length(value: Any, where: str) -> None:
    """Raise ConfigError for a value larger than any setting; --config may bring one that no YAML file could."""
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        raise ConfigError(f"{where}: it has {len(value):,} characters: write at most {_LONGEST_TEXT:,}.")
    try:
        check_size(value, VALUES)
    except ParsingError as error:
        raise ConfigError(f"{where}: {error}: write less.") from error


def _is_finite(value: Any) -> bool:
    """Whether the value, or a mapping of values, is free of .nan and .inf, which pass every bound of a schema."""
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    return not isinstance(value, float) or math.isfinite(value)


def _with_text_keys(value: Any) -> Any:
    """The value with keys as strings, as in JSON: YAML reads some labels as numbers."""
    if isinstance(value, Mapping):
        return {str(name): _with_text_keys(part) for name, part in value.items()}
    return value


def coerce(key: str, value: Any) -> Any:
    """A value as its setting's type: Snakemake's --config and YAML 1.1 pass `true`, `1e-4`, `{a: 1}` as text."""
    schema = load_schema("config")["properties"][key]
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if key in _OF_TEXTS:
        return _as_texts(value)
    if isinstance(value, Mapping):
        return {name: _with_numbers(part) for name, part in value.items()}
    if not isinstance(value, str):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return str(value) if is_number and "string" in types else value
    if "object" in types and isinstance(mapping := _mapping(value), dict):
        return mapping
    if "array" in types:
        return _listed(value)
    unset = ("",) if key in COLUMNS else ("none", "null", "")
    if value.lower() in unset and ("null" in types or None in schema.get("enum", [])):
        return None
    if key in _PATHS:
        return os.path.expanduser(value)  # noqa: PTH111 - Path's fails where there is no home
    if "boolean" in types and value.lower() in ("true", "false", "yes", "no", "on", "off"):
        return value.lower() in ("true", "yes", "on")
    if "number" in types or "integer" in types or 4 in schema.get("enum", []):
        return read_number(value)
    return value


def _as_texts(value: Any) -> Any:
    """Lists of texts, and mappings to such lists, where YAML read numbers, or --config passes the whole as text."""
    if isinstance(value, str):
        try:
            value = parse_yaml(value, as_text=True)
        except ParsingError:
            return value
    if isinstance(value, Mapping):
        return {str(name): _as_texts(part) for name, part in value.items()}
    if isinstance(value, list):
        return ["null" if part is None else str(part) for part in value]
    return value if value is None else [str(value)]


def _mapping(text: str) -> Any:
    """`{a: 1}` read as YAML; the text itself, which no schema accepts as a mapping, if it is not one."""
    try:
        content = parse_yaml(text)
    except ParsingError:
        return text
    return content if isinstance(content, dict) else text


def _with_numbers(part: Any) -> Any:
    """A part of a mapping whose numbers --config passes as text."""
    if isinstance(part, Mapping):
        return {name: _with_numbers(value) for name, value in part.items()}
    return read_number(part) if isinstance(part, str) else part


def _listed(text: str) -> Any:
    """`[a, b]` read as YAML, and `a, b` as well."""
    try:
        content = parse_yaml(text, as_text=True)
    except ParsingError:
        return text
    return content if isinstance(content, list) else [part.strip() for part in text.split(",") if part.strip()]


def read_number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text

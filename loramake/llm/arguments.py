"""The names of LlamaFactory's templates and arguments, read once by a separate process and cached.

LlamaFactory takes six seconds and torch to import, too much for each planning of the workflow. The cache lies under
results/.cache, by installed versions; without the training extra there are no names, and nothing is refused.
"""

import dataclasses
import enum
import importlib.metadata
import json
import subprocess
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from loramake import artifacts, schemas
from loramake.artifact_types.llm import Argument, LlamaFactoryNames, ValueSchema, ValueType
from loramake.console import say
from loramake.errors import ArtifactError, ConfigError, nearest
from loramake.llm.extra import has_training_extra, import_training
from loramake.parsing.expected import find_mistake
from loramake.settings import defaults

CACHE = Path("results/.cache")

BEST_OF_ALL = ("early_stopping_steps", "load_best_model_at_end")
"""Arguments that select the best checkpoint's adapter, not the last one's."""

_SHARED = ("per_device_eval_batch_size", "preprocessing_num_workers")
"""Arguments for predicting besides the model's."""

_TYPES: dict[type, ValueType] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    types.NoneType: "null",
}

_BY_LORAMAKE = "loramake sets it itself"
_OF_THE_DATA = "loramake writes the data sets"
_OF_THE_TOKENS = "it would change the tokens that were counted when the data were verified"
_SECRET = "secrets come from the environment only (HF_TOKEN)"

_OWNED: dict[str, str] = {
    "model_name_or_path": "set model",
    "val_size": "set validation_ratio (LlamaFactory would take balanced copies of the training rows)",
    **dict.fromkeys(("bf16", "fp16", "pure_bf16"), "set precision"),
    "cache_dir": "set the environment variable HF_HOME",
    **dict.fromkeys(("dataset", "eval_dataset", "dataset_dir", "media_dir", "tokenized_path"), _OF_THE_DATA),
    **dict.fromkeys(("packing", "neat_packing"), "packed rows may not train like single ones"),
    **dict.fromkeys(("stage", "finetuning_type", "do_train", "do_predict", "predict_with_generate"), _BY_LORAMAKE),
    **dict.fromkeys(("output_dir", "overwrite_output_dir", "resume_from_checkpoint"), _BY_LORAMAKE),
    **dict.fromkeys(("adapter_name_or_path", "adapter_folder", "create_new_adapter"), _BY_LORAMAKE),
    **dict.fromkeys(("hf_hub_token", "ms_hub_token", "om_hub_token", "hub_token"), _SECRET),
    **dict.fromkeys(("swanlab_api_key", "swanlab_lark_secret"), _SECRET),
    **dict.fromkeys(("default_system", "tool_format", "model_revision", "use_fast_tokenizer"), _OF_THE_TOKENS),
    **dict.fromkeys(("enable_thinking", "preserve_thinking"), f"{_OF_THE_TOKENS}: set template to another one"),
    **dict.fromkeys(("resize_vocab", "split_special_tokens", "add_tokens", "add_special_tokens"), _OF_THE_TOKENS),
    **dict.fromkeys(("new_special_tokens_config", "init_special_tokens"), _OF_THE_TOKENS),
}
"""Arguments that extra_training_args may not contain, and what to do instead."""


def read_names(cache: Path = CACHE) -> LlamaFactoryNames | None:
    """{templates: [names], arguments: {name: {schema, model}}}, or None if the training extra is absent.

    `schema` is a JSON schema of the argument's value, {} if its type is not a simple one; `model` is whether it is
    one of LlamaFactory's ModelArguments, which prediction needs too.
    """
    if not has_training_extra():
        return None
    versions = "-".join(f"{name}-{importlib.metadata.version(name)}" for name in ("llamafactory", "transformers"))
    path = cache / f"{versions}.json"
    try:
        return _read(path)
    except (OSError, ValueError, ArtifactError):
        _write_cache(path)
        return _read(path)


def _read(path: Path) -> LlamaFactoryNames:
    """Read the cache, which lies among results: its JSON schemas are as simple as those of _schema_of."""
    return artifacts.checked(json.loads(path.read_text(encoding="utf-8")), schemas.LMF_NAMES, path)


def _write_cache(path: Path) -> None:
    say("reading LlamaFactory's templates and arguments, once.")
    command = [sys.executable, "-P", "-m", "loramake.llm.arguments", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ConfigError(f"LlamaFactory cannot be imported ({last}): install the training extra again.")


def check_template(template: str | None, cache: Path = CACHE) -> None:
    """Raise ConfigError, with the nearest name, for a template that LlamaFactory does not have."""
    names = read_names(cache) if template is not None else None
    if names is not None and template not in names["templates"]:
        raise unknown_template(str(template), names["templates"])


def unknown_template(name: str, names: Iterable[str]) -> ConfigError:
    listed = list(names)
    return ConfigError(
        f"template: LlamaFactory has no template {name!r}{nearest(name, listed)}: name another, or unset template."
    )


def check_scheduler(name: str | None, cache: Path = CACHE) -> None:
    """Raise ConfigError, with the nearest name, for an lr_scheduler_type that the trainer does not have."""
    default = defaults()["lr_scheduler_type"]
    names = read_names(cache) if name not in (None, default) else None
    argument = names["arguments"].get("lr_scheduler_type") if names is not None else None
    choices = argument["schema"].get("enum") if argument is not None else None
    if choices is not None and name not in choices:
        raise ConfigError(
            f"lr_scheduler_type: {name!r} is not one of {', '.join(map(str, choices))}{nearest(str(name), choices)}."
        )


def check_extra(extra: Mapping[str, Any], has_validation: bool, cache: Path = CACHE) -> dict[str, Any]:
    """extra_training_args as LlamaFactory accepts them: numbers that YAML reads as text (1e-4) become numbers.

    ConfigError for a name that is unknown, reserved by loramake or a setting, for a value of the wrong type, and for
    early stopping without validation rows.
    """
    settings = defaults()
    for name in extra:
        if name in settings:
            raise ConfigError(f"extra_training_args: {name} is a setting itself: write `{name}:` one level up.")
        if name in _OWNED:
            raise ConfigError(f"extra_training_args: {name} cannot be set here: {_OWNED[name]}.")
    for name in (*BEST_OF_ALL, "eval_steps"):
        if extra.get(name) and not has_validation:
            raise ConfigError(
                f"extra_training_args: {name} needs validation rows: set validation_ratio, for example to 0.1."
            )
    names = read_names(cache) if extra else None
    if names is None:
        return dict(extra)
    return {name: _checked(name, value, names["arguments"]) for name, value in extra.items()}


def _checked(name: str, value: Any, arguments: Mapping[str, Any]) -> Any:
    if name not in arguments:
        raise ConfigError(
            f"extra_training_args: LlamaFactory has no argument {name}{nearest(name, arguments)}: its arguments are "
            "those of `llamafactory-cli train -h`."
        )
    schema = arguments[name]["schema"]
    value = _as_meant(value, schema)
    if value not in schema.get("enum", [value]):
        near = nearest(str(value), schema["enum"])
        raise ConfigError(
            f"extra_training_args: {name}: {value!r} is not one of {', '.join(map(str, schema['enum']))}{near}."
        )
    if (mistake := find_mistake(value, schema)) is not None:
        raise ConfigError(f"extra_training_args: {name}: {mistake}.")
    return value


def _as_meant(value: Any, schema: Mapping[str, Any]) -> Any:
    """YAML 1.1 reads `1e-4` as text and `no` as false."""
    if value is False and "no" in schema.get("enum", []):
        return "no"
    if isinstance(value, str) and "number" in schema.get("type", []) and "string" not in schema["type"]:
        try:
            return float(value)
        except ValueError:
            return value
    return value


def shared_arguments(extra: Mapping[str, Any], cache: Path = CACHE) -> dict[str, Any]:
    """Those of `extra` that apply to predicting too: how the base is loaded, and how rows are read."""
    names = read_names(cache) if extra else None
    arguments = {} if names is None else names["arguments"]
    return {
        name: value
        for name, value in extra.items()
        if name in _SHARED or (name in arguments and arguments[name]["model"])
    }


def _schema_of(hint: Any) -> ValueSchema:
    """A JSON schema for a simple type hint, {} for any other."""
    kinds = set(typing.get_args(hint)) if typing.get_origin(hint) in (typing.Union, types.UnionType) else {hint}
    choices = [kind for kind in kinds if _choices(kind)]
    if choices:
        if kinds - set(choices) - {str, types.NoneType}:
            return {}
        values = [value for kind in choices for value in _choices(kind)]
        return {"enum": values + ([None] if types.NoneType in kinds else [])}
    named = [_TYPES.get(typing.get_origin(kind) or kind) for kind in kinds]
    json_types = {kind for kind in named if kind is not None}
    return {} if None in named else {"type": sorted(json_types)}


def _choices(kind: Any) -> list[Any]:
    """The values of a string enumeration or a Literal."""
    if typing.get_origin(kind) is typing.Literal:
        return list(typing.get_args(kind))
    is_enum = isinstance(kind, type) and issubclass(kind, enum.Enum)
    return [member.value for member in kind] if is_enum else []


def _describe() -> LlamaFactoryNames:
    """The content of the cache, by importing LlamaFactory."""
    hparams = import_training("llamafactory.hparams")
    kinds = ("ModelArguments", "DataArguments", "TrainingArguments", "FinetuningArguments", "GeneratingArguments")
    arguments: dict[str, Argument] = {}
    for kind in kinds:
        hints = typing.get_type_hints(getattr(hparams, kind))
        for field in dataclasses.fields(getattr(hparams, kind)):
            if field.init:
                arguments[field.name] = {"schema": _schema_of(hints[field.name]), "model": kind == "ModelArguments"}
    return {"templates": list(import_training("llamafactory.data.template").TEMPLATES), "arguments": arguments}


if __name__ == "__main__":
    artifacts.write_text(sys.argv[1], json.dumps(_describe(), indent=1) + "\n")

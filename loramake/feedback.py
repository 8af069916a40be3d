"""Feedback: what a file beside the results may request of its step.

It lies among results, which may be somebody else's, so it may set less than the user's own config.yaml.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from loramake.errors import ConfigError, DataError, nearest
from loramake.parsing import ParsingError
from loramake.parsing.yaml_text import read_yaml
from loramake.settings import BY_NAME, TRAINING_KEYS, check_settings, coerce, keep_names, read_number, refuse_renamed
from loramake.text import quoted

Result = TypeVar("Result")
Feedback = dict[str, Any]
"""Content of a file under feedback/: settings of its step, and lists of columns, labels or notes."""

COLUMN_LISTS = ("keep", "drop")
"""Lists in the feedback for explore and plan."""

FEEDBACK_SETTINGS: dict[str, tuple[str, ...]] = {
    "explore": (
        "target",
        "group_column",
        "time_column",
        "rare_labels",
        "merge_labels",
        "column_types",
        "missing_values",
    ),
    "splits": ("test_ratio", "calibration_ratio", "validation_ratio"),
    "plan": (),
    "balance": ("balance",),
    "config": (*TRAINING_KEYS, "template", "flash_attn", "precision", "gpus", "nodes", "extra_training_args"),
}
"""Settings that a feedback file may override: those of its step."""

FEEDBACK_KEYS = {"explore": COLUMN_LISTS, "plan": (*COLUMN_LISTS, "only", "instruction", "labels")}
"""Other keys of a step's feedback."""

_WORDS = ("save_strategy", "eval_strategy", "logging_strategy", "optim", "metric_for_best_model", "rope_scaling")
"""Arguments in extra_training_args that a feedback file may set to a word."""

_REPORTS = ("none", "tensorboard")
"""Values of report_to that a feedback file may set: nothing leaves this machine."""

_SERVICES = (
    r"(push_to_)?hub.*|(trackio|export|vllm|sglang)_.*|(use_)?(swanlab|ray|kt|unsloth|mca|hyper_parallel|v1_kernels).*"
)
"""Arguments that reach beyond the training, whatever their values."""


def read_feedback(path: str | Path) -> Feedback:
    """One feedback file: settings of its step, and `keep`, `drop` (lists of columns) and `notes` (free text)."""
    path = Path(path)
    try:
        content = read_yaml(path) or {}
        as_written = read_yaml(path, as_text=True) or {}  # texts as written: No is not False
    except ParsingError as error:
        raise ConfigError(f"{path} is not valid YAML ({error}): fix or delete it.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not a mapping of keys to values: write, for example, `notes: [what to change]`.")
    content = keep_names(content, as_written)
    content |= {key: as_written[key] for key in FEEDBACK_KEYS["plan"] if key in content}
    allowed = {*FEEDBACK_SETTINGS[path.stem], "notes", *FEEDBACK_KEYS.get(path.stem, ())}
    for key in content:
        refuse_renamed(str(key), str(path), "set it in config.yaml, since it is not feedback for this step")
        if key not in allowed:
            raise ConfigError(f"{path}: {quoted(str(key))} is not feedback for this step{nearest(str(key), allowed)}.")
    for key in {*COLUMN_LISTS, "only", "notes"} & set(content):
        if not isinstance(content[key], list) or not all(isinstance(entry, str) for entry in content[key]):
            raise ConfigError(
                f"{path}: {key}: is {quoted(repr(content[key]))}, not a list of texts: write `{key}: [one, two]`."
            )
    if not isinstance(content.get("labels", {}), dict) or not isinstance(content.get("instruction", ""), str):
        raise ConfigError(f"{path}: labels is a mapping from labels to answers, and instruction a text.")
    check_settings({key: content[key] for key in FEEDBACK_SETTINGS[path.stem] if key in content}, str(path))
    check_feedback_arguments(coerce(BY_NAME, content.get(BY_NAME) or {}), str(path))
    return dict(content)


def name_feedback(check: Callable[[bool], Result], files: Iterable[Path]) -> Result:
    """The result of check(True), which applies feedback; its error names the files if check(False) raises none."""
    try:
        return check(True)
    except (ConfigError, DataError) as error:
        check(False)
        applied = ", ".join(str(path) for path in files if path.is_file())
        raise type(error)(f"{applied}: {error}") from error


def check_feedback_arguments(extra: Mapping[str, Any], where: str) -> None:
    """Raise ConfigError for one of extra_training_args that only the user's own config.yaml or command line may set.

    A feedback file lies among results, which may be somebody else's. It may set numbers, booleans and a few words:
    other text is paths, addresses and names of programs.
    """
    for name, value in extra.items():
        is_plain = value is None or isinstance(read_number(value) if isinstance(value, str) else value, int | float)
        is_word = name in _WORDS and isinstance(value, str) and re.fullmatch(r"\w{1,100}", value, re.ASCII)
        is_report = name == "report_to" and value in _REPORTS
        if re.fullmatch(_SERVICES, str(name)) or not (is_plain or is_word or is_report):
            raise ConfigError(
                f"{where}: extra_training_args: {name}: feedback may not set it to {str(value)[:100]!r}, since it may "
                "reach beyond the training: set it in your own config.yaml."
            )

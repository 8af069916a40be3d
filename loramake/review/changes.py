"""What a person types in a review: parsed exactly, repeated as understood, and saved as the feedback of a step.

    drop features: a, "b, c"          add features: a          keep only features: a, b
    change instruction to: …          change target mapping: 0: No, 1: Yes
    use oversample                    balance_strategy: none
    test_ratio: 0.3                   lora_rank: 32, num_train_epochs: 5

One per line, or a mapping of such keys as YAML or JSON. Anything else is a note for an agent that reads notes.
"""

import bisect
import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from loramake import artifacts
from loramake.artifacts import load_schema
from loramake.config import STRATEGIES, check_ratios
from loramake.errors import ConfigError, nearest
from loramake.feedback import FEEDBACK_KEYS, FEEDBACK_SETTINGS, Feedback, check_feedback_arguments, read_feedback
from loramake.llm.arguments import check_extra, check_scheduler, check_template
from loramake.parsing import ParsingError
from loramake.parsing.expected import find_mistake
from loramake.parsing.yaml_text import parse_yaml
from loramake.settings import check_setting, coerce, refuse_renamed
from loramake.text import shorten

_LISTS = {"drop": "drop", "add": "keep", "keep only": "only"}
_KEYS = {key: step for step in ("splits", "config") for key in FEEDBACK_SETTINGS[step]}
_WORDS = {
    "drop_features": "drop",
    "drop": "drop",
    "add_features": "keep",
    "keep": "keep",
    "keep_only_features": "only",
    "only": "only",
    "instruction": "instruction",
    "target_mapping": "labels",
    "labels": "labels",
    "notes": "notes",
}
"""Keys of pasted YAML or JSON for the plan, and their names in feedback/plan.yaml."""
_BALANCE = ("balance", "balance_strategy")
_OF_LLAMAFACTORY: dict[str, dict[str, Any]] = {
    "save_strategy": {"enum": ["no", "steps", "epoch"]},
    "eval_steps": {"type": "integer", "minimum": 1},
    "plot_loss": {"type": "boolean"},
    "report_to": {"enum": ["none", "tensorboard"]},
    "ddp_timeout": {"type": "integer", "minimum": 1},
    "per_device_eval_batch_size": {"type": "integer", "minimum": 1},
    "preprocessing_num_workers": {"type": "integer", "minimum": 1},
}
"""Arguments that are not settings: they go into extra_training_args."""
_EXTRA = "extra_training_args"
_PRECISIONS = ("bf16", "fp16")
LONGEST_TEXT = 100_000
"""Characters typed or pasted in a review."""
_EVERY_KEY = (*_KEYS, *_OF_LLAMAFACTORY, *_PRECISIONS, "val_size", *_WORDS, *_BALANCE)


@dataclass(frozen=True)
class FeedbackContext:
    """What feedback may name."""

    features: list[str]
    """All of them, kept or dropped."""
    labels: list[str]
    reads_notes: bool
    """Whether the agent understands free text."""
    kept: list[str] | None = None
    """The features of the plan; None if these are all."""


@dataclass(frozen=True)
class Change:
    """One change that feedback requests."""

    step: str
    key: str
    value: Any

    def describe(self) -> str:
        """The change in words."""
        listed = ", ".join(map(repr, self.value)) if isinstance(self.value, list) else ""
        texts = {
            "drop": f"drop the features {listed}",
            "keep": f"add the features {listed}",
            "only": f"keep only the features {listed}",
            "notes": f"tell the agent: {listed}",
        }
        if self.key == _EXTRA:
            return ", ".join(f"set {key} to {value}" for key, value in self.value.items())
        return texts.get(self.key, f"set {self.key} to {self.value}")


_RULES: dict[str, Callable[[Change], bool]] = {
    "assign_splits": lambda change: change.step == "splits",
    "plan_preparation": lambda change: change.step == "plan",
    "verify_prepared_data": lambda change: change.key == "template",  # it counts tokens
    "write_balance_code": lambda change: change.step == "balance",
    "generate_lmf_config": lambda change: change.step == "config",
}
"""Rules that read feedback, in the order of the workflow: each needs the outputs of those before it."""


def first_rule(changes: Sequence[Change]) -> str:
    """The rule from which a run continues after these changes."""
    return next(rule for rule, reads in _RULES.items() if any(reads(change) for change in changes))


def check_changes(
    changes: Sequence[Change], folder: str | Path, context: FeedbackContext, ratios: Mapping[str, float]
) -> None:
    """Raise ConfigError for a value that LlamaFactory does not accept, and for files that make no sense together.

    `folder` contains the feedback so far, `ratios` are the shares of the splits in effect. Once saved, such feedback
    would stop every run.
    """
    plan, splits, config = (_merged(step, changes, Path(folder)) for step in ("plan", "splits", "config"))
    together = {**ratios, **{key: splits[key] for key in ratios if key in splits}}
    check_ratios(together)
    check_template(config.get("template"))
    check_scheduler(config.get("lr_scheduler_type"))
    extra = config.get(_EXTRA, {})
    check_feedback_arguments(extra, "feedback")
    check_extra(extra, together.get("validation_ratio", 0) > 0)
    initial = plan.get("only", context.features if context.kept is None else context.kept)
    if context.features and not {*initial, *plan.get("keep", [])} - set(plan.get("drop", [])):
        raise ConfigError("no feature is left: drop fewer of them.")
    _check_texts(plan.get("labels", {}), context)


def parse_feedback(text: str, context: FeedbackContext) -> list[Change]:
    """The changes that a text requests, in its order; ConfigError, with the nearest name, for an unknown name."""
    if len(text) > LONGEST_TEXT:
        raise ConfigError(
            f"the feedback has {len(text):,} characters, more than {LONGEST_TEXT:,}: enter it in parts, or put it into "
            "the feedback file of its step."
        )
    pasted = _pasted(text)
    if pasted is not None:
        return [change for key, value in pasted.items() for change in _of_key(str(key), value, context)]
    return [change for line in text.splitlines() if line.strip() for change in _of_line(line.strip(), context)]


def _pasted(text: str) -> dict[Any, Any] | None:
    """YAML or JSON: a mapping in braces, or one over several lines whose values are not all on the keys' lines."""
    is_json = text.lstrip().startswith("{")
    is_yaml = "\n" in text.strip() and re.search(r"^[\w ]+:\s*($|[\[{|>])", text, re.M)
    if not (is_json or is_yaml):
        return None
    try:
        as_written = parse_yaml(text, as_text=True)  # values as written: No is not False
        typed = parse_yaml(text)
    except ParsingError as error:
        raise ConfigError(f"that is not valid YAML or JSON: {error}.") from error
    if not isinstance(as_written, dict):
        return None
    by_text = {str(key): value for key, value in typed.items()}
    return {key: by_text.get(key, value) if key in _KEYS else value for key, value in as_written.items()}


def _of_line(line: str, context: FeedbackContext) -> list[Change]:
    for pattern, make in _PATTERNS:
        if match := re.fullmatch(pattern, line, re.I | re.S):
            return make(match, context)
    pairs = [re.fullmatch(r"([A-Za-z_]\w*)\s*:\s*(.+)", pair.strip()) for pair in _split_pairs(line)]
    if all(pairs):
        return [change for pair in pairs if pair for change in _of_key(pair[1], pair[2], context)]
    if (bare := line.rstrip(": ").lower()) in _EVERY_KEY:
        raise ConfigError(f"{bare}: has no value: write one after the colon.")
    return _note(line, context)


def _split_pairs(line: str) -> list[str]:
    """The line split at commas that are followed by a key and a colon, except inside braces."""
    braces = [brace.start() for brace in re.finditer(r"[{}]", line)]
    pairs, begin = [], 0
    for comma in re.finditer(r",\s*(?=[A-Za-z_]\w*\s*:)", line):
        following = bisect.bisect_left(braces, comma.end())
        if following == len(braces) or line[braces[following]] == "{":
            pairs.append(line[begin : comma.start()])
            begin = comma.end()
    return [*pairs, line[begin:]]


def _of_key(key: str, value: Any, context: FeedbackContext) -> list[Change]:
    """A key with its value, as typed or as read from YAML."""
    word = re.sub(r"[\s-]+", "_", key.strip().lower())
    if word in _BALANCE:
        return [_balance(str(value).lower())]
    if word == "val_size":
        return _of_key("validation_ratio", value, context)
    if word in _PRECISIONS:
        return _of_key("precision", word if _flag(word, value) else "fp32", context)
    if word in _OF_LLAMAFACTORY:
        return [Change("config", _EXTRA, {word: _argument(word, value)})]
    if word in _KEYS:
        check_setting(word, value, f"feedback: {word}")
        return [Change(_KEYS[word], word, coerce(word, value))]
    refuse_renamed(word, "feedback", "set it in config.yaml, since feedback cannot change it")
    if word not in _WORDS:
        raise ConfigError(f"{shorten(key)} is not something feedback can change{nearest(word, _EVERY_KEY)}.")
    name = _WORDS[word]
    if name in ("drop", "keep", "only"):
        return [_features(name, value if isinstance(value, list) else str(value), context)]
    if name == "labels":
        return [_mapping(value if isinstance(value, Mapping) else str(value), context)]
    if name == "instruction":
        return [Change("plan", "instruction", str(value).strip())]
    return [change for note in (value if isinstance(value, list) else [value]) for change in _note(str(note), context)]


def _flag(word: str, value: Any) -> bool:
    parsed = _typed(value) if isinstance(value, str) else value
    if not isinstance(parsed, bool):
        raise ConfigError(f"{word}: {value} is neither true nor false.")
    return parsed


def _argument(word: str, value: Any) -> Any:
    """The value of one of LlamaFactory's arguments, of the argument's type."""
    schema = _OF_LLAMAFACTORY[word]
    is_text = "enum" in schema or schema["type"] == "string"
    parsed = str(value) if is_text else _typed(str(value))
    if (mistake := find_mistake(parsed, schema)) is not None:
        raise ConfigError(f"{word}: {mistake}.")
    return parsed


def _typed(text: str) -> Any:
    """A value as YAML reads it; the text itself if it is not YAML."""
    try:
        return parse_yaml(text)
    except ParsingError:
        return text


def _features(key: str, given: str | list[Any], context: FeedbackContext) -> Change:
    if isinstance(given, str) and given not in context.features:
        given = _flow(given, list)
    names = [str(name) for name in given] if isinstance(given, list) else split_names(given, context.features)
    features = set(context.features)
    for name in names:
        if name not in features:
            raise ConfigError(f"{shorten(name)!r} is not a feature{nearest(name, context.features)}.")
    if not names:
        raise ConfigError("no feature is named: write, for example, drop features: a, b.")
    return Change("plan", key, list(dict.fromkeys(names)))


def _flow(text: str, kind: type) -> Any:
    """A list or mapping in YAML's one-line form; the text itself if it is not one."""
    try:
        parsed = parse_yaml(text, as_text=True) if text[:1] in ("[", "{") else None
    except ParsingError:
        parsed = None
    return parsed if isinstance(parsed, kind) else text


def split_names(text: str, features: Iterable[str]) -> list[str]:
    """Names between commas: quoted ones as they are, and a feature's name with commas in one piece."""
    whole, names = set(features), list[str]()
    most = max((name.count(",") for name in whole), default=0) + 1
    parts = next(csv.reader([re.sub(r"(^|,)(\s*)'([^']*)'(?=\s*(,|$))", r'\1\2"\3"', text)], skipinitialspace=True), [])
    begin = 0
    while begin < len(parts):
        following = parts[begin : begin + most]
        longest = next((n for n in range(len(following), 0, -1) if ", ".join(following[:n]).strip() in whole), 0)
        tight = next((n for n in range(len(following), 0, -1) if ",".join(following[:n]).strip() in whole), 0)
        count, joint = max((longest, ", "), (tight, ","))
        name = joint.join(following[: count or 1]).strip()
        names += [name] if name else []
        begin += count or 1
    return names


def _mapping(given: str | Mapping[Any, Any], context: FeedbackContext) -> Change:
    given = _flow(given, dict) if isinstance(given, str) else given
    if isinstance(given, Mapping):
        pairs = {str(value): str(text) for value, text in given.items()}
    else:
        labels = "|".join(re.escape(label) for label in sorted(context.labels, key=len, reverse=True))
        parts = [part.partition(":") for part in re.split(rf",\s*(?=[\"']?(?:{labels})[\"']?\s*:)", given)]
        pairs = {value.strip(" \"'"): _text(text.strip(), context) for value, _, text in parts}
    for value, text in pairs.items():
        if value not in context.labels:
            raise ConfigError(f"{shorten(value)!r} is not a label{nearest(value, context.labels)}.")
        if not text:
            raise ConfigError(
                f"the label {value!r} has no text: write, for example, change target mapping: 0: No, 1: Yes."
            )
    _check_texts(pairs, context)
    return Change("plan", "labels", pairs)


def _check_texts(pairs: Mapping[str, str], context: FeedbackContext) -> None:
    """Raise ConfigError if two labels have the same text."""
    texts = [pairs.get(label, label) for label in context.labels]
    twice = next((text for text in texts if texts.count(text) > 1), None)
    if twice is not None:
        raise ConfigError(f"two labels would have the same text {twice!r}: give each its own.")


def _text(text: str, context: FeedbackContext) -> str:
    """A label's text; ConfigError if the part after a comma looks like another label's."""
    other = re.search(r",([^,:]+):", text) if text[:1] not in ("'", '"') else None
    if other:
        label = other[1].strip()
        raise ConfigError(
            f"{shorten(label)!r} is not a label{nearest(label, context.labels)}: quote a text with commas."
        )
    return text.strip(" \"'")


def _balance(strategy: str) -> Change:
    if strategy not in STRATEGIES:
        raise ConfigError(
            f"{shorten(strategy)} is not a strategy: use {', '.join(STRATEGIES)}{nearest(strategy, STRATEGIES)}."
        )
    return Change("balance", "balance", strategy)


def _note(text: str, context: FeedbackContext) -> list[Change]:
    if not context.reads_notes:
        raise ConfigError(
            f"the built-in agent cannot read {text[:60]!r}: write drop features: …, add features: …, keep only "
            f"features: …, use oversample, change instruction to: …, or a setting such as lora_rank: 32; "
            f"or set agent: openai."
        )
    return [Change("plan", "notes", [text])]


_Make = Callable[[re.Match[str], FeedbackContext], list[Change]]
_PATTERNS: list[tuple[str, _Make]] = [
    (
        r"(drop|add|keep only) features?\s*:?\s*(.*)",
        lambda match, context: [_features(_LISTS[" ".join(match[1].lower().split())], match[2], context)],
    ),
    (r"use\s+(\w+)", lambda match, _: [_balance(match[1].lower())]),
    (r"change target mapping\s*:\s*(.+)", lambda match, context: [_mapping(match[1], context)]),
    (
        r"change instruction to\b\s*+:?\s*+([^:\s].*)",
        lambda match, _: [Change("plan", "instruction", match[1].strip())],
    ),
]


def save_feedback(changes: list[Change], folder: str | Path) -> list[Path]:
    """Merge changes into the feedback files of their steps; returns the files.

    The head of a file lists what it may contain, and other comment lines stay.
    """
    files = []
    for step in dict.fromkeys(change.step for change in changes):
        path = Path(folder) / f"{step}.yaml"
        content = _merged(step, changes, Path(folder))
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        head = describe_step(step)
        comments = [line for line in lines if line.startswith("#") and line not in head]
        text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120)
        artifacts.write_text(path, "".join(f"{line}\n" for line in [*head, *comments]) + text)
        read_feedback(path)
        files.append(path)
    return files


def _merged(step: str, changes: Sequence[Change], folder: Path) -> Feedback:
    """The content of a step's feedback file with the changes."""
    path = folder / f"{step}.yaml"
    content = read_feedback(path) if path.is_file() else {}
    for change in changes:
        if change.step == step:
            _put(content, change)
    return content


_ABOUT = {
    "keep": "[columns]: use these again",
    "drop": "[columns]: leave these out",
    "only": "[columns]: leave out all others",
    "instruction": "text: the instruction of each prompt",
    "labels": "{label: text}: what the model answers for a label",
    "notes": "[texts]: for a language model; the built-in agent does not read them",
}
"""Keys of feedback besides settings."""


def describe_step(step: str) -> list[str]:
    """Comment lines that list what a step's feedback file may contain."""
    properties = load_schema("config")["properties"]
    settings = {key: f"{_kind(properties[key])}: {properties[key]['description']}" for key in FEEDBACK_SETTINGS[step]}
    others = {key: _ABOUT[key] for key in (*FEEDBACK_KEYS.get(step, ()), "notes")}
    entries = {**settings, **others}
    head = f"# Feedback for one step of this experiment: {step}. It overrides config.yaml, and may contain:"
    return [head, *(f"#   {key}: {about}" for key, about in entries.items())]


def _kind(schema: Mapping[str, Any]) -> str:
    kinds = schema["enum"] if "enum" in schema else schema["type"]
    listed = [kinds] if isinstance(kinds, str) else kinds
    return " | ".join(str(kind) for kind in listed if kind not in (None, "null"))


def _put(content: dict[str, Any], change: Change) -> None:
    """Merge a change: lists and mappings are extended; a dropped feature is no longer kept, and vice versa."""
    if change.key == "only":
        content.pop("keep", None)
        content["only"] = change.value
        content["drop"] = [name for name in content.get("drop", []) if name not in change.value]
        return
    if isinstance(change.value, dict) and change.key != "num_train_epochs":
        content[change.key] = {**content.get(change.key, {}), **change.value}
        return
    if not isinstance(change.value, list):
        content[change.key] = change.value
        return
    content[change.key] = list(dict.fromkeys([*content.get(change.key, []), *change.value]))
    opposite = {"drop": "keep", "keep": "drop"}.get(change.key)
    if opposite in content:
        content[opposite] = [name for name in content[opposite] if name not in change.value]

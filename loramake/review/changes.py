"""What a person says in a review: parsed exactly, said back as understood, and saved as the feedback of a step.

    drop features: a, "b, c"          add features: a          keep only features: a, b
    change instruction to: …          change target mapping: 0: No, 1: Yes
    use oversample                    balance_strategy: none
    test_ratio: 0.3                   lora_rank: 32, num_train_epochs: 5

One a line, or a mapping of such keys as YAML or JSON. Anything else is a note for an agent that reads notes.
"""

import bisect
import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from loramake import artifacts
from loramake.artifacts import load_schema
from loramake.config import STRATEGIES
from loramake.errors import ConfigError, nearest
from loramake.feedback import FEEDBACK_KEYS, FEEDBACK_SETTINGS, check_feedback_arguments, read_feedback
from loramake.llm.arguments import check_extra, check_scheduler, check_template
from loramake.parsing import ParsingError
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
"""Keys of pasted YAML or JSON for the plan, and what they are called in feedback/plan.yaml."""
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
"""Arguments that are no settings: they go into extra_training_args."""
_EXTRA = "extra_training_args"
_PRECISIONS = ("bf16", "fp16")
LONGEST_TEXT = 100_000
"""Characters of what is typed or pasted in a review."""
_EVERY_KEY = (*_KEYS, *_OF_LLAMAFACTORY, *_PRECISIONS, "val_size", *_WORDS, *_BALANCE)


@dataclass(frozen=True)
class FeedbackContext:
    """What feedback may name."""

    features: list[str]
    """Kept or dropped."""
    labels: list[str]
    reads_notes: bool
    """Whether the agent understands free text."""
    has_validation: bool = True
    """Whether rows are set aside for evaluations during the training, as far as is known."""


@dataclass(frozen=True)
class Change:
    """One thing that feedback asks for."""

    step: str
    key: str
    value: Any

    def describe(self) -> str:
        """As understood, in words."""
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
    "verify_prepared_data": lambda change: change.key == "template",  # other tokens are counted
    "write_balance_code": lambda change: change.step == "balance",
    "generate_lmf_config": lambda change: change.step == "config",
}
"""Rules that read feedback, in the order of the workflow: each needs what the ones before it make."""


def first_rule(changes: Sequence[Change]) -> str:
    """The rule from which a run goes on after these changes."""
    return next(rule for rule, reads in _RULES.items() if any(reads(change) for change in changes))


def check_values(changes: Sequence[Change], known: FeedbackContext) -> None:
    """Raise ConfigError for a value that LlamaFactory does not take: once saved it would stop every run."""
    extra = {name: value for change in changes if change.key == _EXTRA for name, value in change.value.items()}
    asked = {change.key: change.value for change in changes}
    check_feedback_arguments(extra, "feedback")
    check_template(asked.get("template"))
    check_scheduler(asked.get("lr_scheduler_type"))
    check_extra(extra, asked["validation_ratio"] > 0 if "validation_ratio" in asked else known.has_validation)


def parse_feedback(text: str, known: FeedbackContext) -> list[Change]:
    """What a text asks for, in its order; ConfigError, with the nearest name, for what is not known."""
    if len(text) > LONGEST_TEXT:
        raise ConfigError(
            f"the feedback has {len(text):,} characters, more than {LONGEST_TEXT:,}: say it in parts, or write it into "
            "the feedback file of its step."
        )
    pasted = _pasted(text)
    if pasted is not None:
        return [change for key, value in pasted.items() for change in _of_key(str(key), value, known)]
    return [change for line in text.splitlines() if line.strip() for change in _of_line(line.strip(), known)]


def _pasted(text: str) -> dict[Any, Any] | None:
    """YAML or JSON: a mapping in braces, or one over several lines whose values are not all on the keys' lines."""
    is_json = text.lstrip().startswith("{")
    is_yaml = "\n" in text.strip() and re.search(r"^[\w ]+:\s*($|[\[{|>])", text, re.M)
    if not (is_json or is_yaml):
        return None
    try:
        read = parse_yaml(text, as_text=True)  # every value as the text that is there: No is not False
        typed = parse_yaml(text)
    except ParsingError as error:
        raise ConfigError(f"that is not valid YAML or JSON: {error}.") from error
    if not isinstance(read, dict):
        return None
    by_text = {str(key): value for key, value in typed.items()}
    return {key: by_text.get(key, value) if key in _KEYS else value for key, value in read.items()}


def _of_line(line: str, known: FeedbackContext) -> list[Change]:
    for pattern, make in _PATTERNS:
        if found := re.fullmatch(pattern, line, re.I | re.S):
            return make(found, known)
    read = [re.fullmatch(r"([A-Za-z_]\w*)\s*:\s*(.+)", pair.strip()) for pair in _split_pairs(line)]
    if all(read):
        return [change for pair in read if pair for change in _of_key(pair[1], pair[2], known)]
    if (bare := line.rstrip(": ").lower()) in _EVERY_KEY:
        raise ConfigError(f"{bare}: has no value: write it behind the colon.")
    return _note(line, known)


def _split_pairs(line: str) -> list[str]:
    """The line cut at commas with a key and a colon behind them, but at none in braces."""
    braces = [found.start() for found in re.finditer(r"[{}]", line)]
    pairs, begin = [], 0
    for comma in re.finditer(r",\s*(?=[A-Za-z_]\w*\s*:)", line):
        following = bisect.bisect_left(braces, comma.end())
        if following == len(braces) or line[braces[following]] == "{":
            pairs.append(line[begin : comma.start()])
            begin = comma.end()
    return [*pairs, line[begin:]]


def _of_key(key: str, value: Any, known: FeedbackContext) -> list[Change]:
    """A key with its value, as typed or as read from YAML."""
    word = re.sub(r"[\s-]+", "_", key.strip().lower())
    if word in _BALANCE:
        return [_balance(str(value).lower())]
    if word == "val_size":
        return _of_key("validation_ratio", value, known)
    if word in _PRECISIONS:
        return _of_key("precision", word if _flag(word, value) else "fp32", known)
    if word in _OF_LLAMAFACTORY:
        return [Change("config", _EXTRA, {word: _argument(word, value)})]
    if word in _KEYS:
        check_setting(word, value, "feedback")
        return [Change(_KEYS[word], word, coerce(word, value))]
    refuse_renamed(word, "feedback", "set it in config.yaml, since feedback cannot change it")
    if word not in _WORDS:
        raise ConfigError(f"{shorten(key)} is nothing that feedback can change{nearest(word, _EVERY_KEY)}.")
    name = _WORDS[word]
    if name in ("drop", "keep", "only"):
        return [_features(name, value if isinstance(value, list) else str(value), known)]
    if name == "labels":
        return [_mapping(value if isinstance(value, Mapping) else str(value), known)]
    if name == "instruction":
        return [Change("plan", "instruction", str(value).strip())]
    return [change for note in (value if isinstance(value, list) else [value]) for change in _note(str(note), known)]


def _flag(word: str, value: Any) -> bool:
    read = _typed(value) if isinstance(value, str) else value
    if not isinstance(read, bool):
        raise ConfigError(f"{word}: {value} is neither true nor false.")
    return read


def _argument(word: str, value: Any) -> Any:
    """The value of one of LlamaFactory's arguments, of the kind that it takes."""
    schema = _OF_LLAMAFACTORY[word]
    is_text = "enum" in schema or schema["type"] == "string"
    read = str(value) if is_text else _typed(str(value))
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(read))
    if error is not None:
        raise ConfigError(f"{word}: {error.message}.")
    return read


def _typed(text: str) -> Any:
    """A value as YAML reads it; the text itself, which is no value but a text, where it does not."""
    try:
        return parse_yaml(text)
    except ParsingError:
        return text


def _features(key: str, named: str | list[Any], known: FeedbackContext) -> Change:
    if isinstance(named, str) and named not in known.features:
        named = _flow(named, list)
    names = [str(name) for name in named] if isinstance(named, list) else split_names(named, known.features)
    features = set(known.features)
    for name in names:
        if name not in features:
            raise ConfigError(f"{shorten(name)!r} is not a feature{nearest(name, known.features)}.")
    if not names:
        raise ConfigError("no feature is named: write, for example, drop features: a, b.")
    return Change("plan", key, list(dict.fromkeys(names)))


def _flow(text: str, kind: type) -> Any:
    """A list or mapping that stands on one line as in YAML; the text itself where it is none."""
    try:
        read = parse_yaml(text, as_text=True) if text[:1] in ("[", "{") else None
    except ParsingError:
        read = None
    return read if isinstance(read, kind) else text


def split_names(text: str, known: Iterable[str]) -> list[str]:
    """Names between commas: quoted ones as they are, and a known name that holds commas in one piece."""
    whole, names = set(known), list[str]()
    most = max((name.count(",") for name in whole), default=0) + 1
    parts = next(csv.reader([re.sub(r"(^|,)(\s*)'([^']*)'(?=\s*(,|$))", r'\1\2"\3"', text)], skipinitialspace=True), [])
    begin = 0
    while begin < len(parts):
        ahead = parts[begin : begin + most]
        longest = next((n for n in range(len(ahead), 0, -1) if ", ".join(ahead[:n]).strip() in whole), 0)
        tight = next((n for n in range(len(ahead), 0, -1) if ",".join(ahead[:n]).strip() in whole), 0)
        count, joint = max((longest, ", "), (tight, ","))
        name = joint.join(ahead[: count or 1]).strip()
        names += [name] if name else []
        begin += count or 1
    return names


def _mapping(named: str | Mapping[Any, Any], known: FeedbackContext) -> Change:
    named = _flow(named, dict) if isinstance(named, str) else named
    if isinstance(named, Mapping):
        pairs = {str(value): str(text) for value, text in named.items()}
    else:
        labels = "|".join(re.escape(label) for label in sorted(known.labels, key=len, reverse=True))
        read = [part.partition(":") for part in re.split(rf",\s*(?=[\"']?(?:{labels})[\"']?\s*:)", named)]
        pairs = {value.strip(" \"'"): _text(text.strip(), known) for value, _, text in read}
    for value, text in pairs.items():
        if value not in known.labels:
            raise ConfigError(f"{shorten(value)!r} is not a label{nearest(value, known.labels)}.")
        if not text:
            raise ConfigError(
                f"the label {value!r} has no text: write, for example, change target mapping: 0: No, 1: Yes."
            )
    texts = [pairs.get(label, label) for label in known.labels]
    twice = next((text for text in texts if texts.count(text) > 1), None)
    if twice is not None:
        raise ConfigError(f"two labels would have the same text {twice!r}: give each its own.")
    return Change("plan", "labels", pairs)


def _text(text: str, known: FeedbackContext) -> str:
    """A label's text; ConfigError where what stands behind a comma looks like another label's."""
    other = re.search(r",([^,:]+):", text) if text[:1] not in ("'", '"') else None
    if other:
        label = other[1].strip()
        raise ConfigError(f"{shorten(label)!r} is not a label{nearest(label, known.labels)}: quote a text with commas.")
    return text.strip(" \"'")


def _balance(strategy: str) -> Change:
    if strategy not in STRATEGIES:
        raise ConfigError(
            f"{shorten(strategy)} is no balancing: use {', '.join(STRATEGIES)}{nearest(strategy, STRATEGIES)}."
        )
    return Change("balance", "balance", strategy)


def _note(text: str, known: FeedbackContext) -> list[Change]:
    if not known.reads_notes:
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
        lambda found, known: [_features(_LISTS[" ".join(found[1].lower().split())], found[2], known)],
    ),
    (r"use\s+(\w+)", lambda found, _: [_balance(found[1].lower())]),
    (r"change target mapping\s*:\s*(.+)", lambda found, known: [_mapping(found[1], known)]),
    (
        r"change instruction to\b\s*+:?\s*+([^:\s].*)",
        lambda found, _: [Change("plan", "instruction", found[1].strip())],
    ),
]


def save_feedback(changes: list[Change], folder: str | Path) -> list[Path]:
    """Put changes into the files of their steps, over what stands there; gives the files.

    What a file may hold is told at its top, and lines of comment that somebody wrote stay.
    """
    files = []
    for step in dict.fromkeys(change.step for change in changes):
        path = Path(folder) / f"{step}.yaml"
        content = read_feedback(path) if path.is_file() else {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        for change in changes:
            if change.step == step:
                _put(content, change)
        head = describe_step(step)
        own = [line for line in lines if line.startswith("#") and line not in head]
        text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120)
        artifacts.write_text(path, "".join(f"{line}\n" for line in [*head, *own]) + text)
        read_feedback(path)
        files.append(path)
    return files


_ABOUT = {
    "keep": "[columns]: taken back in",
    "drop": "[columns]: left out",
    "only": "[columns]: all others are left out",
    "instruction": "text: what is asked of each row",
    "labels": "{label: text}: what the model answers for a label",
    "notes": "[texts]: for a language model; the built-in agent does not read them",
}
"""What feedback may hold beside settings."""


def describe_step(step: str) -> list[str]:
    """Lines of comment that say what a step's feedback file may hold."""
    properties = load_schema("config")["properties"]
    settings = {key: f"{_kind(properties[key])}: {properties[key]['description']}" for key in FEEDBACK_SETTINGS[step]}
    others = {key: _ABOUT[key] for key in (*FEEDBACK_KEYS.get(step, ()), "notes")}
    known = {**settings, **others}
    head = f"# Feedback for one step of this experiment: {step}. It wins over config.yaml, and may hold:"
    return [head, *(f"#   {key}: {about}" for key, about in known.items())]


def _kind(schema: Mapping[str, Any]) -> str:
    kinds = schema["enum"] if "enum" in schema else schema["type"]
    listed = [kinds] if isinstance(kinds, str) else kinds
    return " | ".join(str(kind) for kind in listed if kind not in (None, "null"))


def _put(content: dict[str, Any], change: Change) -> None:
    """A list or mapping is added to; a feature that is dropped is no longer kept, and the other way round."""
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

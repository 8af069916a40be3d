"""A commented config.yaml for a CSV, from four answers; the content of an existing one stays as it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from loramake import artifacts
from loramake.agents.builtin import SURE, Candidate, rank_targets
from loramake.artifact_types.explore import ProfileColumn
from loramake.config import check_config, parse_config, read_config
from loramake.errors import ConfigError, nearest
from loramake.explore.profile import describe_csv
from loramake.parsing import ParsingError
from loramake.settings import Settings
from loramake.tasks.labels import MAX_LABELS_OF_NUMBERS
from loramake.workflow.preflight import check_width

CONFIG = Path("config.yaml")
_COMMENTS = {
    "csv": "the table to learn from",
    "target": "the column to predict",
    "model": "the base model: a folder, or a hub id",
    "agent": "who plans and writes the preparation code; its key is OPENAI_API_KEY in the environment or .env",
    "agent_model": "the language model that decides and writes code",
    "agent_api_base": "its address",
    "review": "who approves: you at the terminal (ask), nobody (approve), or a file (file)",
}
_UNSET = """\
    # test_ratio: 0.2         # share of the rows to test on
    # group_column: patient   # rows with the same value stay in one split
    # num_train_epochs: 3     # unset, the base model's own
    # lora_rank: 64           # unset, the base model's own
"""
_HEAD = "# Settings of loramake; every key: schemas/config.schema.yaml and docs/running.md\n\nexperiments:\n"


@dataclass(frozen=True)
class Proposal:
    """What a CSV suggests."""

    candidates: list[Candidate]
    """Every column, the likeliest target first; in the order of the table if none is likely."""
    values: dict[str, str]
    """Some values of each column, to recognise it by."""

    @property
    def likely(self) -> Candidate | None:
        """The likeliest target; None if no column is one, or only by its position in the table."""
        first = self.candidates[0]
        return first if _is_likely(first) else None


def propose(csv: Path) -> Proposal:
    """Columns and likely targets of a CSV; DataError if it cannot be read."""
    profile = describe_csv(csv, None)
    check_width(csv, [column["name"] for column in profile["columns"]])
    ranked, columns = rank_targets(profile), {column["name"]: column for column in profile["columns"]}
    if not _is_likely(ranked[0]):
        ranked = sorted(ranked, key=lambda candidate: list(columns).index(candidate.name))
    return Proposal(ranked, {name: _some_values(column) for name, column in columns.items()})


def _is_likely(candidate: Candidate) -> bool:
    return candidate.score >= SURE and not candidate.is_by_position


def check_column(name: str, csv: Path, columns: Iterable[str]) -> str:
    """The name; ConfigError, with the nearest column, if there is none of that name."""
    if name not in (names := list(columns)):
        raise ConfigError(f"--target: {name!r} is not a column of {csv}{nearest(name, names)}.")
    return name


def _some_values(column: ProfileColumn) -> str:
    """The values of a column if there are few, else their number."""
    if column["distinct"] > MAX_LABELS_OF_NUMBERS:
        return f"{column['type']}, {column['distinct']:,} values"
    return ", ".join(entry["value"] for entry in column["top_values"][:5])


def check_free(name: str) -> None:
    """ConfigError if config.yaml has an experiment of that name."""
    if name in (read_config(CONFIG).get("experiments") or {}):
        raise ConfigError(f"{CONFIG} has an experiment {name}: give another name with --name, or edit it there.")


def write_config(name: str, settings: Settings) -> None:
    """Add an experiment to config.yaml, or create it; ConfigError, with the text to paste, if that is not safe."""
    before = read_config(CONFIG)
    entry = _entry(name, settings)
    text = _with_entry(CONFIG.read_text(encoding="utf-8") if CONFIG.is_file() else "", entry)
    expected = {**before, "experiments": {**(before.get("experiments") or {}), name: settings}}
    try:
        is_correct = parse_config(text) == expected
    except ParsingError:
        is_correct = False
    if not is_correct:
        raise ConfigError(f"{CONFIG} has a form that nothing can be added to: paste this below:\n{entry}")
    check_config(expected, str(CONFIG))
    artifacts.write_text(CONFIG, text)


def _entry(name: str, settings: Settings) -> str:
    lines = [f"  {_scalar(name)}:\n"]
    for key, value in settings.items():
        line = f"    {key}: {_scalar(value)}"
        lines.append(f"{line:<27}  # {_COMMENTS[key]}\n")
    return "".join(lines) + _UNSET


def _scalar(value: str) -> str:
    """A text as YAML writes it: quoted if it would be read as something else."""
    return yaml.safe_dump(value, allow_unicode=True, width=10_000).removesuffix("\n...\n").rstrip("\n")


def _with_entry(text: str, entry: str) -> str:
    """The text with the entry as the last of `experiments:`."""
    if not text.strip():
        return _HEAD + entry
    lines = text.splitlines(keepends=True)
    start = next((index for index, line in enumerate(lines) if line.startswith("experiments:")), None)
    if start is None:
        return f"{text.rstrip()}\n\nexperiments:\n{entry}"
    end = next((index for index in range(start + 1, len(lines)) if lines[index][0] not in " #\n"), len(lines))
    before = "".join(lines[:end]).rstrip("\n") + "\n"
    return before + entry + ("\n" if lines[end:] else "") + "".join(lines[end:])

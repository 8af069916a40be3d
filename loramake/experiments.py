"""The experiments of a working folder: those that config.yaml lists and those that lie under results/."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from loramake import artifacts
from loramake.config import read_config
from loramake.errors import ConfigError, nearest
from loramake.parsing.json_text import read_json

RESULTS = Path("results")
_COMMAND_LINES = RESULTS / ".cache/command_lines"


def find_experiments() -> list[str]:
    """Names, in the order of config.yaml, then those of other folders under results/ by name."""
    listed = [str(name) for name in read_config().get("experiments") or {}]
    folders = sorted(path.parent.name for path in RESULTS.glob("*/profile.json"))
    return list(dict.fromkeys([*listed, *folders]))


def find_experiment(named: str) -> Path:
    """The folder of an experiment, called by its name or folder; ConfigError, with the nearest name, without one."""
    name = Path(named).name
    folder = RESULTS / name
    if not folder.is_dir():
        if name in find_experiments():
            raise ConfigError(f"{name} has not been run yet: loramake run --name {name} runs it.")
        raise ConfigError(f"{folder} is not there{nearest(name, find_experiments())}: loramake status lists what is.")
    return folder


def find_artifact(folder: Path, name: str) -> Path:
    """A file of an experiment; ConfigError, with the command that makes it, where it is not there."""
    path = folder / name
    if not path.is_file():
        raise ConfigError(f"{path} is not there: loramake run --name {folder.name} makes it.")
    return path


@dataclass(frozen=True)
class CommandLine:
    """What `loramake run` was last told of an experiment, for commands that are told its name alone."""

    settings: dict[str, Any] = field(default_factory=dict)
    overruled: list[str] = field(default_factory=list)
    """Of the settings: those that feedback has changed since, and that the same command does not change back."""

    @property
    def counting(self) -> dict[str, Any]:
        return {key: value for key, value in self.settings.items() if key not in self.overruled}

    def said_again(self, settings: Mapping[str, Any], asked: Iterable[str]) -> "CommandLine":
        """This one told anew: what is said as before stays overruled where feedback still has it (`asked`)."""
        same = {key for key in self.overruled if key in settings and settings[key] == self.settings.get(key)}
        return CommandLine(dict(settings), sorted(same & set(asked)))

    def overrule(self, keys: Iterable[str]) -> "CommandLine":
        return CommandLine(self.settings, sorted({*self.overruled, *(self.settings.keys() & set(keys))}))


def read_command_line(experiment: str) -> CommandLine:
    """An empty one where `loramake run` never ran the experiment here."""
    try:
        found = read_json(_COMMAND_LINES / f"{experiment}.json")
        return CommandLine(dict(found["settings"]), list(map(str, found["overruled"])))
    except (OSError, ValueError, TypeError, KeyError):
        return CommandLine()


def write_command_line(experiment: str, said: CommandLine) -> None:
    """Keep it for read_command_line."""
    artifacts.write_text(_COMMAND_LINES / f"{experiment}.json", json.dumps(asdict(said), indent=2) + "\n")


def as_options(settings: Mapping[str, Any]) -> list[str]:
    """Settings as options of Snakemake."""
    return ["--config", *(f"{key}={_quoted(value)}" for key, value in settings.items())] if settings else []


def _quoted(value: Any) -> str:
    """A text in quotes, since Snakemake would read 007 as 7."""
    return json.dumps(value) if isinstance(value, str) else str(value)

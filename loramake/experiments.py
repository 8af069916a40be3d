"""The experiments of a working folder: those that config.yaml lists and those that lie under results/."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loramake import artifacts, layout, schemas
from loramake.artifact_types.workflow import CommandLineContent
from loramake.config import check_config, read_config
from loramake.errors import ArtifactError, ConfigError, nearest
from loramake.layout import Artifact, File
from loramake.schemas import Content

RESULTS = Path("results")
SECURITY = (
    *("model", "trust_remote_code", "sandbox", "review", "extra_training_args"),
    *("agent", "agent_model", "coder_model", "agent_api_base", "agent_sees"),
)
"""Settings that say what may run, who approves it, and to whom something of the table is sent."""
_COMMAND_LINES = RESULTS / ".cache/command_lines"


def find_experiments() -> list[str]:
    """Names, in the order of config.yaml, then those of other folders under results/ by name."""
    listed = [str(name) for name in read_config().get("experiments") or {}]
    folders = sorted(path.parent.name for path in RESULTS.glob(f"*/{layout.PROFILE.path}"))
    return list(dict.fromkeys([*listed, *folders]))


def find_experiment(named: str) -> Path:
    """The folder of an experiment, called by its name or folder; ConfigError, with the nearest name, without one."""
    name = Path(named).name
    folder = RESULTS / name
    if not folder.is_dir():
        if name in find_experiments():
            raise ConfigError(f"{name} has not been run yet: loramake run --name {name} runs it.")
        raise ConfigError(f"{folder} is not there{nearest(name, find_experiments())}: loramake status lists what is.")
    refuse_links(folder)
    return folder


def refuse_links(folder: Path) -> None:
    """Raise ConfigError where a link in an experiment's folder leads out of it: what is written there would go there.

    An archive from somebody else keeps links. The folder itself may be one, to another disk.
    """
    root = folder.resolve()
    for parent, folders, files in os.walk(folder):
        for path in (Path(parent, name) for name in (*folders, *files)):
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise ConfigError(f"{path} is a link out of {folder}: delete it, or put a copy in its place.")


def find_artifact(folder: Path, file: File) -> Path:
    """A file of an experiment; ConfigError, with the command that makes it, where it is not there."""
    path = file.within(folder)
    if not path.is_file():
        raise ConfigError(f"{path} is not there: loramake run --name {folder.name} makes it.")
    return path


def read_artifact(folder: Path, artifact: Artifact[Content]) -> Content:
    """What an artifact of an experiment contains; ConfigError as of `find_artifact`."""
    return artifacts.read(find_artifact(folder, artifact), artifact.schema)


@dataclass(frozen=True)
class CommandLine:
    """What `loramake run` was last told of an experiment, for commands that are told its name alone."""

    settings: dict[str, Any] = field(default_factory=dict)
    overruled: list[str] = field(default_factory=list)
    """Of the settings: those that feedback has changed since, and that the same command does not change back."""

    @property
    def counting(self) -> dict[str, Any]:
        return {key: value for key, value in self.settings.items() if key not in self.overruled}

    def trusted(self, settings: Mapping[str, Any], own: Mapping[str, Any], experiment: str) -> dict[str, Any]:
        """These settings over the kept ones; ConfigError where a kept one of SECURITY would decide something unsaid.

        The file lies among results, which may be somebody else's. `own` is what config.yaml sets for all experiments:
        what is the same there needs no saying.
        """
        kept = {key: value for key, value in self.settings.items() if key not in settings}
        unsaid = {key: kept[key] for key in SECURITY if key in kept and own.get(key) != kept[key]}
        if unsaid:
            listed = ", ".join(f"{key}: {str(value)[:100]}" for key, value in unsaid.items())
            raise ConfigError(
                f"{_path(experiment)} says {listed}, which no file among results decides: give {', '.join(unsaid)} "
                "again, as options of loramake run or in config.yaml, as you want to have it."
            )
        return {**kept, **settings}

    def said_again(self, settings: Mapping[str, Any], asked: Iterable[str]) -> "CommandLine":
        """This one told anew: what is said as before stays overruled where feedback still has it (`asked`)."""
        same = {key for key in self.overruled if key in settings and settings[key] == self.settings.get(key)}
        return CommandLine(dict(settings), sorted(same & set(asked)))

    def overrule(self, keys: Iterable[str]) -> "CommandLine":
        return CommandLine(self.settings, sorted({*self.overruled, *(self.settings.keys() & set(keys))}))


def read_command_line(experiment: str) -> CommandLine:
    """An empty one where `loramake run` never ran the experiment here, or the file says what no run would.

    Its keys become options of Snakemake, which has others than settings: one that is no setting is never passed on.
    """
    try:
        read = artifacts.read(_path(experiment), schemas.COMMAND_LINE)
        check_config({"experiments": {experiment: read["settings"]}}, str(_path(experiment)))
    except (ArtifactError, ConfigError):
        return CommandLine()
    return CommandLine(**read)


def write_command_line(experiment: str, said: CommandLine) -> None:
    """Keep it for read_command_line."""
    content: CommandLineContent = {"settings": said.settings, "overruled": said.overruled}
    artifacts.write(_path(experiment), content, schemas.COMMAND_LINE)


def _path(experiment: str) -> Path:
    return _COMMAND_LINES / f"{experiment}.json"


def as_options(settings: Mapping[str, Any]) -> list[str]:
    """Settings as options of Snakemake."""
    return ["--config", *(f"{key}={_quoted(value)}" for key, value in settings.items())] if settings else []


def _quoted(value: Any) -> str:
    """A text in quotes, since Snakemake would read 007 as 7."""
    return json.dumps(value) if isinstance(value, str) else str(value)

"""The experiments of a working folder: those in config.yaml and those under results/."""

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
from loramake.text import listed

RESULTS = Path("results")
RUNS = "runs"
"""Folder of an experiment's kept earlier runs, each with the files of an experiment."""
SECURITY = (
    *("model", "trust_remote_code", "sandbox", "review", "extra_training_args"),
    *("agent", "agent_model", "coder_model", "agent_api_base", "agent_sees"),
)
"""Settings that decide what may run, who approves it, and who is sent parts of the table."""
_COMMAND_LINES = RESULTS / ".cache/command_lines"


def find_experiments() -> list[str]:
    """Names in the order of config.yaml, then other folders under results/ in alphabetical order."""
    listed = [str(name) for name in read_config().get("experiments") or {}]
    folders = sorted(path.parent.name for path in RESULTS.glob(f"*/{layout.PROFILE.path}"))
    return list(dict.fromkeys([*listed, *folders]))


def find_experiment(name_or_folder: str) -> Path:
    """The folder of an experiment, given by name or folder; ConfigError, with the nearest name, if there is none."""
    name = Path(name_or_folder).name
    folder = RESULTS / name
    if Path(name_or_folder).parent.name == RUNS:
        raise ConfigError(f"{name_or_folder} is a kept run: compare, report and predict read it, and nothing else.")
    if not folder.is_dir():
        if name in find_experiments():
            raise ConfigError(f"{name} has not been run yet: loramake run --name {name} runs it.")
        raise ConfigError(
            f"{folder} does not exist{nearest(name, find_experiments())}: loramake status lists what does."
        )
    refuse_links(folder)
    return folder


def find_run(name_or_folder: str) -> Path:
    """The folder of an experiment, as in `find_experiment`, or of a kept run of it: exp1/runs/2026-11-29T10-00-00Z."""
    path = Path(name_or_folder)
    if path.parent.name != RUNS:
        return find_experiment(name_or_folder)
    runs = find_experiment(str(path.parent.parent)) / RUNS
    kept = sorted(run.name for run in runs.glob("[!.]*"))
    if path.name not in kept:
        raise ConfigError(
            f"{runs / path.name} does not exist{nearest(path.name, kept)}: kept are {listed(kept) or 'none'}."
        )
    return runs / path.name


def name_run(folder: Path) -> str:
    """What `find_run` finds a folder by."""
    return "/".join(folder.parts[-3:]) if folder.parent.name == RUNS else folder.name


def refuse_links(folder: Path) -> None:
    """Raise ConfigError if a link in an experiment's folder leads out of it: writes would follow it.

    An archive from somebody else keeps links. The folder itself may be a link, to another disk.
    """
    root = folder.resolve()
    for parent, folders, files in os.walk(folder):
        for path in (Path(parent, name) for name in (*folders, *files)):
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise ConfigError(f"{path} is a link out of {folder}: delete it, or replace it with a copy.")


def find_artifact(folder: Path, file: File) -> Path:
    """A file of an experiment; ConfigError, with the command that makes it, if it does not exist."""
    path = file.within(folder)
    if not path.is_file():
        lost = folder.parent.name == RUNS
        advice = "the kept run is not whole, so delete it." if lost else f"loramake run --name {folder.name} makes it."
        raise ConfigError(f"{path} does not exist: {advice}")
    return path


def read_artifact(folder: Path, artifact: Artifact[Content]) -> Content:
    """The content of an artifact of an experiment; ConfigError as in `find_artifact`."""
    return artifacts.read(find_artifact(folder, artifact), artifact.schema)


@dataclass(frozen=True)
class CommandLine:
    """The settings that `loramake run` was last given for an experiment, for commands given its name alone."""

    settings: dict[str, Any] = field(default_factory=dict)
    overruled: list[str] = field(default_factory=list)
    """Those of the settings that feedback has changed since, and that the same command does not change back."""

    @property
    def counting(self) -> dict[str, Any]:
        return {key: value for key, value in self.settings.items() if key not in self.overruled}

    def trusted(self, settings: Mapping[str, Any], config: Mapping[str, Any], experiment: str) -> dict[str, Any]:
        """These settings over the kept ones; ConfigError if a kept one of SECURITY would apply unconfirmed.

        The file lies among results, which may be somebody else's. `config` is what config.yaml sets for all
        experiments: a setting that is the same there needs no confirmation.
        """
        kept = {key: value for key, value in self.settings.items() if key not in settings}
        unconfirmed = {key: kept[key] for key in SECURITY if key in kept and config.get(key) != kept[key]}
        if unconfirmed:
            listed = ", ".join(f"{key}: {str(value)[:100]}" for key, value in unconfirmed.items())
            raise ConfigError(
                f"{_path(experiment)} says {listed}, which no file among results may decide: set "
                f"{', '.join(unconfirmed)} again as you want it, as options of loramake run or in config.yaml."
            )
        return {**kept, **settings}

    def repeated(self, settings: Mapping[str, Any], feedback: Iterable[str]) -> "CommandLine":
        """A new command line: a setting given as before stays overruled if `feedback` still sets it."""
        same = {key for key in self.overruled if key in settings and settings[key] == self.settings.get(key)}
        return CommandLine(dict(settings), sorted(same & set(feedback)))

    def overrule(self, keys: Iterable[str]) -> "CommandLine":
        return CommandLine(self.settings, sorted({*self.overruled, *(self.settings.keys() & set(keys))}))


def read_command_line(experiment: str) -> CommandLine:
    """The last command line; an empty one if `loramake run` never ran the experiment here, or the file is invalid.

    Its keys become options of Snakemake, which has more than settings: a key that is not a setting is never passed on.
    """
    try:
        content = artifacts.read(_path(experiment), schemas.COMMAND_LINE)
        check_config({"experiments": {experiment: content["settings"]}}, str(_path(experiment)))
    except (ArtifactError, ConfigError):
        return CommandLine()
    return CommandLine(**content)


def write_command_line(experiment: str, command_line: CommandLine) -> None:
    """Keep it for read_command_line."""
    content: CommandLineContent = {"settings": command_line.settings, "overruled": command_line.overruled}
    artifacts.write(_path(experiment), content, schemas.COMMAND_LINE)


def _path(experiment: str) -> Path:
    return _COMMAND_LINES / f"{experiment}.json"


def as_options(settings: Mapping[str, Any]) -> list[str]:
    """Settings as options of Snakemake."""
    return ["--config", *(f"{key}={_quoted(value)}" for key, value in settings.items())] if settings else []


def _quoted(value: Any) -> str:
    """A text in quotes, since Snakemake would read 007 as 7, and a mapping as YAML and JSON write it.

    Snakemake removes quotes that no space surrounds.
    """
    return f" {json.dumps(value)} " if isinstance(value, str | Mapping) else str(value)

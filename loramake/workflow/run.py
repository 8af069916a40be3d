"""Running the workflow until every review approves: Snakemake again, each time from where feedback speaks to."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loramake import layout
from loramake.config import EXPERIMENT_NAME, check_config, read_config
from loramake.console import STARTED, say
from loramake.errors import ConfigError
from loramake.experiments import RESULTS, CommandLine, as_options, read_command_line, write_command_line
from loramake.parsing import ParsingError
from loramake.parsing.yaml_text import read_yaml
from loramake.paths import ROOT
from loramake.review.approval import forget_reviews


def name_of(csv: Path) -> str:
    """What an experiment on a CSV is called: its name without the ending, in the letters that a folder may have."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", csv.stem).lstrip("_.-")
    if not re.fullmatch(EXPERIMENT_NAME, name):
        raise ConfigError(f"{csv}: its name makes no name for an experiment: give one with --name.")
    return name


def check_name(name: str) -> str:
    """The name, before anything is written under it; ConfigError where no experiment may be called so."""
    if not re.fullmatch(EXPERIMENT_NAME, name):
        raise ConfigError(
            f"--name {name!r} is no name of an experiment: use letters, digits, '_', '-' and '.' only, a letter or "
            f"digit first."
        )
    return name


def profile_options(profile: str | None, cores: int, directory: Path) -> list[str]:
    """Snakemake's options for a profile: `slurm` is loramake's own, with the user's profiles/cluster below it.

    It is passed as the workflow's profile: profiles/default would override each of its keys otherwise. There `cores`
    are those of this machine; how many a job gets is for its rule and the node.
    """
    if profile != "slurm":
        return ["--cores", str(cores), *(["--profile", profile] if profile else [])]
    options = ["--workflow-profile", str(ROOT / "profiles/slurm"), "--local-cores", str(cores)]
    cluster = Path("profiles/cluster")
    return options + (["--profile", str(cluster)] if (directory / cluster).is_dir() else [])


@dataclass(frozen=True)
class Run:
    """An experiment to be run in a folder."""

    experiment: str
    directory: Path
    options: list[str]
    """Of Snakemake."""
    environment: Mapping[str, str]
    """What is added to this process's own."""
    is_verbose: bool
    started: float = field(default_factory=time.time)

    def forget_reviews(self, first: str) -> None:
        """Have the reviews asked again from one on: data, balance or config."""
        self._refuse_locked()
        with contextlib.chdir(self.directory):
            forget_reviews(Path("results") / self.experiment, first)

    def until_approved(self, settings: Mapping[str, Any]) -> int:
        """Run Snakemake until results.json is there or nothing goes on; its exit code.

        `settings` are what the command line says, which feedback given since then overrides: in this run, and when
        the same is said again. Without a CSV, an experiment that config.yaml does not list is run as it last was.
        """
        said = self._said(settings)
        check_config(said.settings, "--config")  # before a key in an address is written down anywhere
        while True:
            self._refuse_locked()
            with contextlib.chdir(self.directory):
                write_command_line(self.experiment, said)
            before = self._feedback()
            code = self._once(said.counting)
            after = self._feedback()
            if code == 0 or before == after:
                return code
            said = said.overrule(
                key for name, asked in after.items() for key in asked if asked[key] != before.get(name, {}).get(key)
            )
            say("going on with your feedback.")

    def _said(self, settings: Mapping[str, Any]) -> CommandLine:
        with contextlib.chdir(self.directory):
            before, config = read_command_line(self.experiment), read_config()
        is_listed = self.experiment in (config.get("experiments") or {})
        asked = {key for content in self._feedback().values() for key in content}
        is_whole = is_listed or "csv" in settings
        whole = settings if is_whole else before.trusted(settings, config, self.experiment)
        said = before.said_again(whole, asked)
        if said.overruled:
            say(f"{', '.join(said.overruled)}: as your feedback has it since, not as the command line says again.")
        return said

    def _once(self, settings: Mapping[str, Any]) -> int:
        """Snakemake once; Ctrl-C is its own to deal with: it ends its jobs and gives its lock back."""
        snakemake = str(Path(sys.executable).with_name("snakemake"))
        target = str(layout.RESULTS.within(RESULTS / self.experiment))
        command = [snakemake, target, "--snakefile", str(ROOT / "Snakefile"), *self.options]
        command += [] if self.is_verbose else ["--quiet", "all"]
        command += self._profile()
        shown = {} if self.is_verbose else {STARTED: str(self.started)}
        command += as_options(settings)
        with subprocess.Popen(command, cwd=self.directory, env={**os.environ, **self.environment, **shown}) as process:
            while True:
                try:
                    return process.wait()
                except KeyboardInterrupt:
                    continue

    def _profile(self) -> list[str]:
        """What profiles/default says, as options: Snakemake names a profile that it finds in a line of its own."""
        own = Path("profiles/default")
        has_another = {"--profile", "--workflow-profile"} & set(self.options)
        if self.is_verbose or has_another or (self.directory / own).exists():
            return []
        options = ["--workflow-profile", "none"]
        for key, value in read_yaml(ROOT / own / "config.yaml").items():
            if isinstance(value, dict):
                options += [f"--{key}", *(f"{name}={limit}" for name, limit in value.items())]
            elif value is True:
                options.append(f"--{key}")
            elif value is not False and key != "quiet":
                options += [f"--{key}", *map(str, value if isinstance(value, list) else [value])]
        return options

    def _refuse_locked(self) -> None:
        """ConfigError where another Snakemake works here, or was killed: its own words are among what is quiet."""
        if any((self.directory / ".snakemake/locks").glob("*")):
            raise ConfigError(
                f"another run works in {self.directory.resolve()}, or was killed there: wait for it, or, where there "
                f"is none, run `snakemake --snakefile {ROOT / 'Snakefile'} --unlock` there and the same command again."
            )

    def _feedback(self) -> dict[str, dict[str, Any]]:
        """What each feedback file asks for; ConfigError for one that is not valid YAML."""
        found = {}
        for path in sorted((self.directory / "results" / self.experiment / "feedback").glob("*.yaml")):
            try:
                read = read_yaml(path)
            except ParsingError as error:
                raise ConfigError(f"{path} is not valid YAML ({error}): fix or delete it.") from error
            found[path.name] = read if isinstance(read, dict) else {}
        return found

"""Runs the workflow until every review approves: Snakemake repeatedly, from the step that feedback changes."""

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loramake import layout
from loramake.artifact_types.review import ReviewName
from loramake.config import EXPERIMENT_NAME, read_config
from loramake.console import STOPPED, say, working
from loramake.errors import ConfigError
from loramake.experiments import RESULTS, CommandLine, as_options, name_run, read_command_line, write_command_line
from loramake.parsing import ParsingError
from loramake.parsing.yaml_text import read_yaml
from loramake.paths import ROOT
from loramake.review.approval import forget_reviews
from loramake.workflow.archive import archive
from loramake.workflow.status import has_work
from loramake.workflow.steps import STARTED

_SECONDS_BETWEEN_SIGNALS = 0.5


def name_of(csv: Path) -> str:
    """The name of an experiment on a CSV: the file's name without suffix, in a folder's valid characters."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", csv.stem).lstrip("_.-")
    if not re.fullmatch(EXPERIMENT_NAME, name):
        raise ConfigError(f"{csv}: its name cannot name an experiment: give one with --name.")
    return name


def check_name(name: str) -> str:
    """The name, before anything is written under it; ConfigError if it is invalid."""
    if not re.fullmatch(EXPERIMENT_NAME, name):
        raise ConfigError(
            f"--name {name!r} is not a valid name of an experiment: use letters, digits, '_', '-' and '.' only, a "
            f"letter or digit first."
        )
    return name


def profile_options(profile: str | None, cores: int, directory: Path) -> list[str]:
    """Snakemake's options for a profile: `slurm` is loramake's own, with the user's profiles/cluster below it.

    It is passed as the workflow's profile: profiles/default would override each of its keys otherwise. There `cores`
    are those of this machine; how many a job gets is for its rule and the node.
    """
    if profile == "slurm" and importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        raise ConfigError("--profile slurm needs the extra slurm: pip install 'loramake[slurm]'.")
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
    """Options of Snakemake."""
    environment: Mapping[str, str]
    """Variables added to this process's own."""
    is_verbose: bool
    started: float = field(default_factory=time.time)

    def until_approved(
        self, settings: Mapping[str, Any], first_review: ReviewName | None = None, keeps: bool = False
    ) -> int:
        """Run Snakemake until results.json exists or nothing progresses; its exit code.

        The reviews from `first_review` on are repeated; `keeps` copies the finished run before it is replaced.
        `settings` are the checked ones of the command line, which later feedback overrides: in this run, and when the
        same command is repeated. Without a CSV, an experiment that config.yaml does not list is run as it last was.
        """
        command_line = self._command_line(settings)
        self._refuse_locked()
        with contextlib.chdir(self.directory):
            if keeps:
                self._keep(command_line, is_repeated=first_review is not None)
            if first_review is not None:
                forget_reviews(RESULTS / self.experiment, first_review)
        while True:
            self._refuse_locked()
            with contextlib.chdir(self.directory):
                write_command_line(self.experiment, command_line)
            before = self._feedback()
            code = self._once(command_line.counting)
            after = self._feedback()
            if code == 0 or before == after:
                if code != 0 and self._has_profile() and not self.is_verbose:
                    say("the run stopped; the same command with --verbose shows Snakemake's own log.")
                return code
            command_line = command_line.overrule(
                key
                for name, content in after.items()
                for key in content
                if content[key] != before.get(name, {}).get(key)
            )
            say("continuing with your feedback.")

    def _keep(self, command_line: CommandLine, is_repeated: bool) -> None:
        """Copy the finished run if this one will replace something of it, and say so."""
        folder = RESULTS / self.experiment
        if not layout.RESULTS.within(folder).is_file():
            say(f"--keep: {self.experiment} has no finished run yet, so nothing is kept.")
            return
        with working("asking Snakemake"):
            is_replaced = is_repeated or has_work(self.experiment, command_line.counting)
        if not is_replaced:
            say(f"--keep: every file of {self.experiment} is up to date, so nothing is kept.")
            return
        kept = name_run(archive(folder))
        say(f"the previous run is kept: loramake compare {self.experiment} {kept} shows what changes.")

    def _command_line(self, settings: Mapping[str, Any]) -> CommandLine:
        with contextlib.chdir(self.directory):
            before, config = read_command_line(self.experiment), read_config()
        is_listed = self.experiment in (config.get("experiments") or {})
        feedback_keys = {key for content in self._feedback().values() for key in content}
        is_complete = is_listed or "csv" in settings
        complete = settings if is_complete else before.trusted(settings, config, self.experiment)
        command_line = before.repeated(complete, feedback_keys)
        if command_line.overruled:
            say(f"{', '.join(command_line.overruled)}: your later feedback overrides the command line.")
        return command_line

    def _once(self, settings: Mapping[str, Any]) -> int:
        """Run Snakemake once; it handles Ctrl-C itself: it ends its jobs and releases its lock."""
        snakemake = str(Path(sys.executable).with_name("snakemake"))
        target = str(layout.RESULTS.within(RESULTS / self.experiment))
        command = [snakemake, target, "--snakefile", str(ROOT / "Snakefile"), *self.options]
        command += ["--quiet", "host" if self.is_verbose else "all"]
        command += self._profile()
        command += as_options(settings)
        environment = {**os.environ, **self.environment, STARTED: str(self.started)}
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            environment[STOPPED] = ""
        with _ignoring_ctrl_c():
            process = subprocess.Popen(command, cwd=self.directory, env=environment)
        return _wait(process)

    def _profile(self) -> list[str]:
        """profiles/default as options: Snakemake prints a line about a profile that it finds itself."""
        profile = Path("profiles/default")
        if self.is_verbose or self._has_profile() or (self.directory / profile).exists():
            return []
        options = ["--workflow-profile", "none"]
        for key, value in read_yaml(ROOT / profile / "config.yaml").items():
            if isinstance(value, dict):
                options += [f"--{key}", *(f"{name}={limit}" for name, limit in value.items())]
            elif value is True:
                options.append(f"--{key}")
            elif value is not False and key != "quiet":
                options += [f"--{key}", *map(str, value if isinstance(value, list) else [value])]
        return options

    def _has_profile(self) -> bool:
        return bool({"--profile", "--workflow-profile"} & set(self.options))

    def _refuse_locked(self) -> None:
        """ConfigError if another Snakemake runs here, or was killed: its own message is silenced."""
        if any((self.directory / ".snakemake/locks").glob("*")):
            raise ConfigError(
                f"another run is active in {self.directory.resolve()}, or was killed there: wait for it, or, if there "
                f"is none, run `snakemake --snakefile {ROOT / 'Snakefile'} --unlock` there and the same command again."
            )

    def _feedback(self) -> dict[str, dict[str, Any]]:
        """The content of each feedback file; ConfigError for one that is not valid YAML."""
        contents = {}
        for path in sorted((self.directory / "results" / self.experiment / "feedback").glob("*.yaml")):
            try:
                content = read_yaml(path)
            except ParsingError as error:
                raise ConfigError(f"{path} is not valid YAML ({error}): fix or delete it.") from error
            contents[path.name] = content if isinstance(content, dict) else {}
        return contents


@contextlib.contextmanager
def _ignoring_ctrl_c() -> Iterator[None]:
    """What is started in the block ignores SIGINT until it asks for it, as Snakemake does once the workflow is read."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _wait(process: "subprocess.Popen[bytes]") -> int:
    """The exit code of Snakemake; a Ctrl-C that came before it listens is passed on until it has ended."""
    is_stopped = False
    while True:
        try:
            code = process.wait(_SECONDS_BETWEEN_SIGNALS if is_stopped else None)
            return code if code >= 0 else 1  # ended by a signal
        except KeyboardInterrupt:
            is_stopped = True
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)

"""Running the workflow until every review approves: Snakemake again, each time from where feedback speaks to."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from loramake.approval import forget_reviews
from loramake.config import EXPERIMENT_NAME
from loramake.console import STARTED, say
from loramake.errors import ConfigError
from loramake.paths import ROOT


def name_of(csv: Path) -> str:
    """What an experiment on a CSV is called: its name without the ending, in the letters that a folder may have."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", csv.stem).lstrip("_.-")
    if not re.fullmatch(EXPERIMENT_NAME, name):
        raise ConfigError(f"{csv}: its name makes no name for an experiment: give one with --name.")
    return name


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

    def forget_reviews(self, start_from: str) -> None:
        """Have the reviews asked again from one on: review_prep, split (the balanced data) or config."""
        self._refuse_locked()
        first = {"review_prep": "data", "split": "balance"}.get(start_from, start_from)
        with contextlib.chdir(self.directory):
            forget_reviews(Path("results") / self.experiment, first)

    def until_approved(self, settings: Mapping[str, Any]) -> int:
        """Run Snakemake until results.json is there or nothing goes on; its exit code.

        `settings` are what the command line says, which feedback of this run then overrides.
        """
        while True:
            self._refuse_locked()
            before = self._feedback()
            code = self._once(settings)
            after = self._feedback()
            if code == 0 or before == after:
                return code
            changed = {
                key for name, asked in after.items() for key in asked if asked[key] != before.get(name, {}).get(key)
            }
            settings = {key: value for key, value in settings.items() if key not in changed}
            say("going on with your feedback.")

    def _once(self, settings: Mapping[str, Any]) -> int:
        """Snakemake once; Ctrl-C is its own to deal with: it ends its jobs and gives its lock back."""
        snakemake = str(Path(sys.executable).with_name("snakemake"))
        target = f"results/{self.experiment}/evaluation/results.json"
        command = [snakemake, target, "--snakefile", str(ROOT / "Snakefile"), *self.options]
        command += [] if self.is_verbose else ["--quiet", "all"]
        shown = {} if self.is_verbose else {STARTED: str(self.started)}
        command += ["--config", *(f"{key}={_quoted(value)}" for key, value in settings.items())] if settings else []
        with subprocess.Popen(command, cwd=self.directory, env={**os.environ, **self.environment, **shown}) as process:
            while True:
                try:
                    return process.wait()
                except KeyboardInterrupt:
                    continue

    def _refuse_locked(self) -> None:
        """ConfigError where another Snakemake works here, or was killed: its own words are among what is quiet."""
        if any((self.directory / ".snakemake/locks").glob("*")):
            raise ConfigError(
                f"another run works in {self.directory.resolve()}, or was killed there: wait for it, or, where there "
                f"is none, run `snakemake --snakefile {ROOT / 'Snakefile'} --unlock` there and the same command again."
            )

    def _feedback(self) -> dict[str, dict[str, Any]]:
        """What each feedback file asks for; ConfigError for one that is no YAML."""
        found = {}
        for path in sorted((self.directory / "results" / self.experiment / "feedback").glob("*.yaml")):
            try:
                read = yaml.safe_load(path.read_text(encoding="utf-8"))
            except yaml.YAMLError as error:
                raise ConfigError(f"{path} is no YAML ({' '.join(str(error).split())}): mend or delete it.") from error
            found[path.name] = read if isinstance(read, dict) else {}
        return found


def _quoted(value: Any) -> str:
    """A text in quotes, since Snakemake would read 007 as 7."""
    return json.dumps(str(value)) if isinstance(value, str | Path) else str(value)

"""Running the workflow until every review approves: Snakemake again, each time from where feedback speaks to."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from loramake.config import EXPERIMENT_NAME
from loramake.console import say
from loramake.errors import ConfigError
from loramake.paths import ROOT


def name_of(csv: Path) -> str:
    """What an experiment on a CSV is called: its name without the ending, in the letters that a folder may have."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", csv.stem).lstrip("_.-")
    if not re.fullmatch(EXPERIMENT_NAME, name):
        raise ConfigError(f"{csv}: its name makes no name for an experiment: give one with --name.")
    return name


def run_until_approved(
    experiment: str,
    settings: Mapping[str, Any],
    directory: Path,
    options: list[str],
    environment: Mapping[str, str],
    is_verbose: bool,
) -> int:
    """Run Snakemake until results.json is there or nothing goes on; its exit code.

    `settings` are what the command line says, which feedback of this run then overrides.
    """
    while True:
        before = _feedback(directory, experiment)
        code = _run_once(experiment, settings, directory, options, environment, is_verbose)
        after = _feedback(directory, experiment)
        if code == 0 or before == after:
            return code
        settings = {key: value for key, value in settings.items() if key not in _asked(directory, experiment)}
        say("going on with your feedback.")


def _run_once(
    experiment: str,
    settings: Mapping[str, Any],
    directory: Path,
    options: list[str],
    environment: Mapping[str, str],
    is_verbose: bool,
) -> int:
    snakemake = str(Path(sys.executable).with_name("snakemake"))
    target = f"results/{experiment}/evaluation/results.json"
    command = [snakemake, target, "--snakefile", str(ROOT / "Snakefile"), *options]
    command += [] if is_verbose else ["--quiet", "all"]
    command += ["--config", *(f"{key}={value}" for key, value in settings.items())] if settings else []
    return subprocess.run(command, cwd=directory, env={**os.environ, **environment}, check=False).returncode


def _files(directory: Path, experiment: str) -> list[Path]:
    return sorted((directory / "results" / experiment / "feedback").glob("*.yaml"))


def _feedback(directory: Path, experiment: str) -> dict[str, str]:
    """The feedback files and their hashes."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in _files(directory, experiment)}


def _asked(directory: Path, experiment: str) -> set[str]:
    """Every key that a feedback file has."""
    read = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in _files(directory, experiment)]
    return {key for content in read if isinstance(content, dict) for key in content}

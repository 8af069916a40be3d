"""The status of experiments: every artifact fresh, stale or missing, by Snakemake's own summary, and open reviews."""

import base64
import csv
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loramake import layout
from loramake.config import read_config, resolve
from loramake.errors import ConfigError
from loramake.experiments import RESULTS, as_options, read_command_line
from loramake.parsing.json_text import read_json
from loramake.paths import ROOT
from loramake.workflow.versions import MEANINGS, version_of

FRESH, STALE, MISSING, WAITING = "fresh", "stale", "missing", "waiting for you"
"""Up to date; made from inputs that have changed; absent; a review that is next."""
OLDER = "made by an older version"
"""Stale, since its rule has a newer version (loramake/workflow/versions.py)."""
_REVIEWS = {"review_prep_data": "data", "review_balanced_data": "balance", "review_lmf_config": "config"}


@dataclass(frozen=True)
class Artifact:
    """A file that a rule makes."""

    path: str
    rule: str
    made: str
    """When, as Snakemake writes it; empty if missing."""
    state: str


@dataclass(frozen=True)
class Status:
    """The status of one experiment."""

    experiment: str
    artifacts: list[Artifact]
    """In the order of the workflow; none if the settings are unknown."""
    note: str = ""

    def count(self, state: str) -> int:
        """How many; those of an older version are stale, too."""
        return sum(state in (artifact.state, STALE if artifact.state == OLDER else "") for artifact in self.artifacts)

    @property
    def next_rule(self) -> str | None:
        """The first rule that would run; None if all is fresh, or nothing is known."""
        return next((artifact.rule for artifact in self.artifacts if artifact.state != FRESH), None)

    @property
    def is_waiting(self) -> bool:
        return self.count(WAITING) > 0


def read_status(experiments: Sequence[str]) -> list[Status]:
    """The status of each experiment, in their order; ConfigError if Snakemake refuses the settings."""
    config = read_config()
    listed = [name for name in experiments if name in (config.get("experiments") or {})]
    rows = _summary(listed) if listed else []
    statuses = []
    for name in experiments:
        settings = {} if name in listed else read_command_line(name).counting
        if name not in listed and "csv" not in settings:
            count = sum(path.is_file() for path in (RESULTS / name).rglob("*"))
            note = f"not in config.yaml, so its settings are unknown; it has {count} files"
            statuses.append(Status(name, [], note))
            continue
        modes = resolve(config, name, settings)["review"]
        of_experiment = [row for row in rows if row["output_file"].startswith(f"{RESULTS / name}/")]
        statuses.append(Status(name, _artifacts(_summary([name], settings) if settings else of_experiment, modes)))
    return statuses


def has_work(experiment: str, settings: Mapping[str, Any]) -> bool:
    """Whether a run with these settings of the command line would make anything."""
    return any(row["plan"] != "no update" for row in _summary([experiment], settings))


def _summary(experiments: Sequence[str], settings: Mapping[str, Any] | None = None) -> list[dict[str, str]]:
    """Snakemake's table of every output: output_file, date, rule, log-file(s), status, plan; nothing is run.

    `settings` are those of a command line.
    """
    targets = [str(layout.RESULTS.within(RESULTS / name)) for name in experiments]
    command = [str(Path(sys.executable).with_name("snakemake")), "--snakefile", str(ROOT / "Snakefile")]
    command += ["--summary", *targets, *as_options(settings or {})]
    environment = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    lines = done.stdout.splitlines()
    start = next((index for index, line in enumerate(lines) if line.startswith("output_file\t")), None)
    if done.returncode != 0 or start is None:
        messages = [line for line in done.stderr.splitlines() if line.startswith("loramake: ")]
        last = (messages or done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ConfigError(last.removeprefix("loramake: "))
    rows = list(csv.DictReader(lines[start:], delimiter="\t"))
    # The last rule comes first, since it is the target.
    return sorted(rows, key=lambda row: row["rule"] == "summarize_results")


def _artifacts(rows: Sequence[dict[str, str]], modes: str | dict[str, str]) -> list[Artifact]:
    artifacts: list[Artifact] = []
    for row in rows:
        is_pending = row["plan"] != "no update"
        state = _state(row, is_pending)
        review = _REVIEWS.get(row["rule"])
        if review and is_pending and all(artifact.state == FRESH for artifact in artifacts):
            mode = modes if isinstance(modes, str) else modes.get(review, "ask")
            state = state if mode == "approve" else WAITING
        made = "" if row["status"] == "missing" else row["date"]
        artifacts.append(Artifact(row["output_file"], row["rule"], made, state))
    return artifacts


def _state(row: Mapping[str, str], is_pending: bool) -> str:
    if not is_pending:
        return FRESH
    if row["status"] == "missing":
        return MISSING
    return OLDER if _is_older(row["output_file"], row["rule"]) else STALE


def _is_older(path: str, rule: str) -> bool:
    """Whether an older version of its rule made an artifact, by Snakemake's metadata; False without any.

    A file of that name, in base64, has the rule's params; a name that is too long for a file has none.
    """
    metadata = Path(".snakemake/metadata") / base64.urlsafe_b64encode(path.encode()).decode()
    try:
        params = read_json(metadata)["params"]
        return any(repr(version_of(rule, version)) in params for version in range(1, MEANINGS.get(rule, 0)))
    except (OSError, ValueError, KeyError, TypeError):
        return False

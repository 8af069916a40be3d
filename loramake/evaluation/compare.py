"""Experiments side by side: the settings that differ, metrics with intervals, and the difference on the same rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loramake import artifacts
from loramake.errors import ConfigError
from loramake.evaluation.intervals import CONFIDENCE, estimate
from loramake.evaluation.metrics import compute_metrics
from loramake.evaluation.resampling import resample
from loramake.evaluation.scores import LORAMAKE, Scores
from loramake.evaluation.verdict import outcome_of
from loramake.experiments import find_artifact
from loramake.layout import PATHS
from loramake.prediction.predictions import Codes, Scored, read_scored
from loramake.tables.source import Key
from loramake.tasks import Task, make_task
from loramake.text import as_percent

_PLACES = ("dataset_dir", "output_dir")
"""Settings that only name the experiment."""
_SEED = 0


@dataclass(frozen=True)
class Experiment:
    """What of a finished experiment is compared."""

    name: str
    settings: dict[str, Any]
    metrics: dict[str, Any]
    task: Task
    table: dict[str, Any]
    """profile.json without the paths: the same for the same table."""
    test: Scored


def read_experiment(folder: Path) -> Experiment:
    """ConfigError, with the next command, where something of it is not there."""
    results = _read(folder, "results")
    metrics = _read(folder, "metrics")
    plan = _read(folder, "plan")
    train = _read(folder, "train_config", "lmf_config")
    profile = _read(folder, "profile")
    task = make_task(results["task_type"], results["target"], results["labels"])
    return Experiment(
        folder.name,
        _settings(results, plan, train),
        metrics["splits"]["test"]["models"][LORAMAKE]["metrics"],
        task,
        {key: value for key, value in profile.items() if key not in ("csv", "test_csv")},
        read_scored(find_artifact(folder, PATHS["test_predictions"]), task.labels, results["rows"]["test"]),
    )


def _read(folder: Path, name: str, schema: str = "") -> Any:
    return artifacts.read(find_artifact(folder, PATHS[name]), schema or name)


def _settings(results: dict[str, Any], plan: dict[str, Any], train: dict[str, Any]) -> dict[str, Any]:
    """Everything that was set, or decided, by name."""
    return {
        "target": results["target"],
        "agent": " ".join(part for part in results["made_by"].values() if part),
        "features": ", ".join(feature["name"] for feature in plan["features"]),
        "instruction": plan["instruction"],
        "train rows": results["rows"]["train"],
        "test rows": results["rows"]["test"],
        **{key: value for key, value in train.items() if key not in _PLACES},
    }


def differing_settings(experiments: Sequence[Experiment]) -> dict[str, list[Any]]:
    """Settings that are not the same everywhere, with the value of each experiment (None where it has none)."""
    names = dict.fromkeys(name for experiment in experiments for name in experiment.settings)
    values = {name: [experiment.settings.get(name) for experiment in experiments] for name in names}
    return {name: found for name, found in values.items() if any(value != found[0] for value in found)}


def compare(first: Experiment, other: Experiment) -> dict[str, Any]:
    """{rows, only_in_one, differences: {metric: {value, low, high, outcome}}, sentence}: `other` less `first`.

    Both are measured on the test rows that they share, and on the same bootstrap resamples of these (a paired
    percentile bootstrap; Efron and Tibshirani 1993, chapter 13). ConfigError where they predict different things.
    """
    for what, ours, theirs in (
        ("target", first.settings["target"], other.settings["target"]),
        ("set of labels", sorted(first.task.labels), sorted(other.task.labels)),
        ("table", first.table, other.table),
    ):
        if ours != theirs:
            raise ConfigError(f"{first.name} and {other.name} do not have the same {what}: they cannot be compared.")
    ours, theirs = set(first.test.keys), set(other.test.keys)
    shared = sorted(ours & theirs)
    found: dict[str, Any] = {
        "rows": len(shared),
        "only_in_one": len(ours ^ theirs),
        "differences": {},
    }
    if shared:
        found["differences"] = _differences(first.task, *_scores(first, other, shared))
    return {**found, "sentence": _sentence(first, other.name, found)}


def _scores(first: Experiment, other: Experiment, rows: list[Key]) -> tuple[Codes, Scores]:
    """True labels, and the probabilities of both, of these rows, in the order of the first one's labels."""
    ours, theirs = first.test.pick(rows), other.test.pick(rows)
    order = [other.task.labels.index(label) for label in first.task.labels]
    return ours.truth, {"0": ours.probabilities, "1": theirs.probabilities[:, order]}


def _differences(task: Task, truth: Codes, scores: Scores) -> dict[str, Any]:
    ours, theirs = (compute_metrics(task, truth, scores[place]) for place in ("0", "1"))
    resampled = resample(task, truth, scores, _SEED)
    found = {}
    for name, _, sign in task.compared_metrics:
        paired = resampled["1"][name] - resampled["0"][name]
        difference = estimate(theirs[name] - ours[name], paired)
        found[name] = {**difference, "outcome": outcome_of(difference, sign)}
    return found


def _sentence(reference: Experiment, other: str, found: dict[str, Any]) -> str:
    first, metric = reference.name, reference.task.verdict_metric
    if not found["rows"]:
        return f"{other} and {first} have no test row in common: no difference can be measured."
    difference = found["differences"][metric.name]
    if difference["outcome"] is None:
        return f"{other} and {first} share too few test rows ({found['rows']}) to tell."
    word = {"better": "better than", "level": "level with", "worse": "worse than"}[difference["outcome"]]
    value, low, high = (f"{difference[key]:+.3f}" for key in ("value", "low", "high"))
    interval = f"{as_percent(CONFIDENCE)} interval {low} to {high}"
    return f"{other} is {word} {first}: {metric.title} {value} ({interval}, {found['rows']:,} rows)."

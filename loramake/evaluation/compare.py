"""Compares experiments: settings that differ, metrics with intervals, and the difference on the same rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from loramake import layout
from loramake.arrays import Codes
from loramake.artifact_types.evaluation import MetricName, Metrics
from loramake.artifact_types.prepare import Plan
from loramake.artifact_types.report import Results
from loramake.artifact_types.shared import Estimate, Outcome
from loramake.artifact_types.training import LlamaFactoryConfig
from loramake.errors import ConfigError
from loramake.evaluation.intervals import CONFIDENCE, estimate
from loramake.evaluation.metrics import compute_metrics
from loramake.evaluation.resampling import resample
from loramake.evaluation.scores import LORAMAKE, Scores
from loramake.evaluation.verdict import outcome_of
from loramake.experiments import find_artifact, name_run, read_artifact
from loramake.prediction.predictions import Scored, read_scored
from loramake.tables.source import Key
from loramake.tasks import Task, make_task
from loramake.text import as_percent

_PATHS = ("dataset_dir", "output_dir")
"""Settings that only name the experiment."""
_SEED = 0


@dataclass(frozen=True)
class Experiment:
    """The parts of a finished experiment that are compared."""

    name: str
    settings: dict[str, Any]
    metrics: Metrics
    trust: dict[str, Estimate]
    """Of calibrated probabilities, by name."""
    task: Task
    table: dict[str, Any]
    """profile.json without the paths: the same for the same table."""
    test: Scored


class Difference(Estimate):
    """The difference of a metric between two experiments."""

    outcome: Outcome | None


class Comparison(TypedDict):
    """One experiment against another, on the test rows that both have."""

    rows: int
    only_in_one: int
    differences: dict[MetricName, Difference]
    sentence: str


def read_experiment(folder: Path) -> Experiment:
    """The experiment in a folder; ConfigError, with the next command, where an artifact is missing."""
    results = read_artifact(folder, layout.RESULTS)
    metrics = read_artifact(folder, layout.METRICS)
    plan = read_artifact(folder, layout.PLAN)
    train = read_artifact(folder, layout.TRAIN_CONFIG)
    profile = read_artifact(folder, layout.PROFILE)
    task = make_task(results["task_type"], results["target"], results["labels"])
    return Experiment(
        name_run(folder),
        {**_settings(results, plan, train), **_trust_settings(folder)},
        metrics["splits"]["test"]["models"][LORAMAKE]["metrics"],
        _trust_measures(folder),
        task,
        {key: value for key, value in profile.items() if key not in ("csv", "test_csv")},
        read_scored(find_artifact(folder, layout.TEST_PREDICTIONS), task.labels, results["rows"]["test"]),
    )


def _settings(results: Results, plan: Plan, train: LlamaFactoryConfig) -> dict[str, Any]:
    """What was set, or decided, of data and training, by name."""
    return {
        "target": results["target"],
        "agent": " ".join(part for part in (results["made_by"]["provider"], results["made_by"]["model"]) if part),
        "features": ", ".join(feature["name"] for feature in plan["features"]),
        "instruction": plan["instruction"],
        "train rows": results["rows"]["train"],
        "test rows": results["rows"]["test"],
        **{key: value for key, value in train.items() if key not in _PATHS},
    }


def _trust_settings(folder: Path) -> dict[str, Any]:
    """What was set of what is done with the probabilities, by name."""
    conformal, risk = read_artifact(folder, layout.CONFORMAL), read_artifact(folder, layout.RISK)
    costs, audit = read_artifact(folder, layout.COSTS), read_artifact(folder, layout.AUDIT)
    requirements = {requirement["name"]: requirement["limit"] for requirement in audit["requirements"]}
    return {
        "calibration": read_artifact(folder, layout.CALIBRATOR)["requested"],
        "conformal": conformal["method"],
        "conformal_confidence": conformal["conformal_confidence"],
        "max_selective_error": risk["chosen"] and risk["chosen"]["max_selective_error"],
        "selective_error_confidence": risk["selective_error_confidence"],
        "costs": costs["matrix"],
        "abstain_cost": costs["abstain_cost"],
        "audit_columns": ", ".join(column["name"] for column in audit["columns"]) or None,
        "requirements": requirements or None,
        "robustness rows": read_artifact(folder, layout.ROBUSTNESS)["rows"],
    }


def _trust_measures(folder: Path) -> dict[str, Estimate]:
    """What the settings of the probabilities change, on the test rows."""
    conformal = read_artifact(folder, layout.CONFORMAL)
    used = next(each for each in conformal["methods"] if each["method"] == conformal["method"])
    return {
        "calibration error": read_artifact(folder, layout.CALIBRATION_MEASURES)["after"]["measures"]["ece"],
        "coverage of sets": used["coverage"],
        "labels per set": {"value": used["mean_set_size"], "low": None, "high": None},
    }


def differing_settings(experiments: Sequence[Experiment]) -> dict[str, list[Any]]:
    """Settings that are not the same everywhere, with the value of each experiment (None where it has none)."""
    names = dict.fromkeys(name for experiment in experiments for name in experiment.settings)
    values = {name: [experiment.settings.get(name) for experiment in experiments] for name in names}
    return {name: entries for name, entries in values.items() if any(value != entries[0] for value in entries)}


def compare(first: Experiment, other: Experiment) -> Comparison:
    """{rows, only_in_one, differences: {metric: {value, low, high, outcome}}, sentence}: `other` minus `first`.

    Both are measured on the test rows that they share, and on the same bootstrap resamples of these (a paired
    percentile bootstrap; Efron and Tibshirani 1993, chapter 13). ConfigError where they predict different things.
    """
    for aspect, ours, theirs in (
        ("target", first.settings["target"], other.settings["target"]),
        ("set of labels", sorted(first.task.labels), sorted(other.task.labels)),
        ("table", first.table, other.table),
    ):
        if ours != theirs:
            raise ConfigError(f"{first.name} and {other.name} do not have the same {aspect}: they cannot be compared.")
    ours, theirs = set(first.test.keys), set(other.test.keys)
    shared = sorted(ours & theirs)
    differences = _differences(first.task, *_scores(first, other, shared)) if shared else {}
    return {
        "rows": len(shared),
        "only_in_one": len(ours ^ theirs),
        "differences": differences,
        "sentence": _sentence(first, other.name, len(shared), differences),
    }


def _scores(first: Experiment, other: Experiment, rows: list[Key]) -> tuple[Codes, Scores]:
    """True labels and both experiments' probabilities for these rows, in the first experiment's order of labels."""
    ours, theirs = first.test.pick(rows), other.test.pick(rows)
    order = [other.task.labels.index(label) for label in first.task.labels]
    return ours.truth, {"0": ours.probabilities, "1": theirs.probabilities[:, order]}


def _differences(task: Task, truth: Codes, scores: Scores) -> dict[MetricName, Difference]:
    ours, theirs = (compute_metrics(task, truth, scores[key]) for key in ("0", "1"))
    resampled = resample(task, truth, scores, _SEED)
    differences: dict[MetricName, Difference] = {}
    for name, _, sign in task.compared_metrics:
        paired = resampled["1"][name] - resampled["0"][name]
        difference = estimate(theirs[name] - ours[name], paired)
        differences[name] = {**difference, "outcome": outcome_of(difference, sign)}
    return differences


def _sentence(reference: Experiment, other: str, rows: int, differences: Mapping[MetricName, Difference]) -> str:
    first, metric = reference.name, reference.task.verdict_metric
    if not rows:
        return f"{other} and {first} cannot be compared: they have no test row in common."
    difference = differences[metric.name]
    if difference["outcome"] is None:
        return f"Too few shared test rows ({rows}) to compare {other} with {first}."
    word = {"better": "better than", "level": "as good as", "worse": "worse than"}[difference["outcome"]]
    value, low, high = (f"{end:+.3f}" for end in (difference["value"], difference["low"], difference["high"]))
    interval = f"{as_percent(CONFIDENCE)} interval {low} to {high}"
    return f"{other} is {word} {first}: {metric.title} {value} ({interval}, {rows:,} rows)."

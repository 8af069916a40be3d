"""The last step: collects the main results in results.json, checks them, and records the hash of every artifact."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from loramake import artifacts, layout, schemas
from loramake.artifact_types.evaluation import Metrics
from loramake.artifact_types.report import PredictionChecks, Results, TrustFile
from loramake.console import console, say
from loramake.errors import ArtifactError
from loramake.prediction.predictions import Scored, read_scored
from loramake.report.timings import read_timings, timings_table
from loramake.tasks import task_of

TRUST: tuple[TrustFile, ...] = get_args(TrustFile)
"""Artifacts of the trust stage that summarize their result in a sentence, by their names in layout.FILES."""

_PACKAGES = ("loramake", "snakemake", "scikit-learn", "llamafactory", "torch", "transformers", "peft")


def summarize_results(
    experiment: str,
    task: str | Path,
    splits: str | Path,
    plan: str | Path,
    train_config: str | Path,
    metrics: str | Path,
    predictions: str | Path,
    trust: Mapping[TrustFile, str | Path],
    all_artifacts: Sequence[str | Path],
    benchmarks: str | Path,
    out: str | Path,
) -> None:
    """Write results.json; ArtifactError where a test prediction is not a distribution over the task's labels."""
    described = artifacts.read(task, schemas.TASK)
    measured = artifacts.read(metrics, schemas.METRICS)
    labels = task_of(described).labels
    seconds = read_timings(benchmarks)
    test = measured["splits"]["test"]["models"]
    results: Results = {
        "experiment": experiment,
        "target": described["target"],
        "task_type": described["task_type"],
        "labels": labels,
        "rows": {split: part["rows"] for split, part in measured["splits"].items()},
        "splits": artifacts.read(splits, schemas.SPLITS),
        "model": artifacts.read(train_config, schemas.LMF_CONFIG)["model_name_or_path"],
        "made_by": artifacts.read(plan, schemas.PLAN)["by"],
        "verdict": measured["verdict"],
        "test": {model: _values(part["metrics"]) for model, part in test.items()},
        "trust": {
            name: artifacts.read(path, layout.ARTIFACTS[name].schema)["sentence"] for name, path in trust.items()
        },
        "checks": check_predictions(read_scored(predictions, labels), predictions),
        "versions": package_versions(),
        "seconds": seconds,
        "artifacts": {str(path): artifacts.sha256(path) for path in sorted(map(str, all_artifacts))},
    }
    artifacts.write(out, results, schemas.RESULTS)
    console.print(timings_table(seconds))
    say(f"{measured['verdict']['sentence']}")
    say(f"done: results in {out}, report in {layout.REPORT.within(Path(out).parent.parent)}")


def _values(metrics: Metrics) -> dict[str, float | None]:
    return {name: interval["value"] for name, interval in metrics.items()}


def check_predictions(test: Scored, where: str | Path) -> PredictionChecks:
    """The number of rows, and the largest deviation of a row's probability sum from 1; ArtifactError above 1e-6."""
    largest = float(np.abs(test.probabilities.sum(axis=1) - 1).max(initial=0.0))
    if not largest <= 1e-6:
        raise ArtifactError(
            f"{where}: the probabilities of a row add up to 1 ± {largest:g}: delete the file and run again."
        )
    return {"test_rows": len(test.keys), "largest_deviation_of_a_probability_sum": largest}


def package_versions() -> dict[str, str]:
    """Versions of the installed packages that affect results."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions

"""How good the probabilities of a finished training are: metrics.json, for the train and the test split."""

from pathlib import Path

import numpy as np
from sklearn import metrics as sklearn_metrics
from threadpoolctl import threadpool_limits

from loramake import artifacts, schemas
from loramake.arrays import Codes, Floats
from loramake.artifact_types.evaluation import ClassMetrics, EvaluatedSplit, Evaluation, ModelMetrics, SplitMetrics
from loramake.artifact_types.shared import Estimate
from loramake.console import progress, say
from loramake.evaluation.intervals import CONFIDENCE, RESAMPLES, UNDEFINED, estimate
from loramake.evaluation.metrics import compute_metrics, confusion_matrix
from loramake.evaluation.resampling import Resampled, resample, resample_labels
from loramake.evaluation.scores import read_scores
from loramake.evaluation.verdict import find_verdict
from loramake.tasks import Task, read_task

LABEL_METRICS = ("precision", "recall", "f1")
MAX_LABELS_WITH_MATRIX = 100
"""With more labels, metrics.json has no confusion matrix: a million cells, nearly all zero."""


def run_evaluation(
    task: str | Path, train: str | Path, test: str | Path, baselines: str | Path, seed: int, out: str | Path
) -> None:
    """Write metrics.json from the predictions of the train and test splits (JSON lines) and baselines.json."""
    target_task = read_task(task)
    splits: dict[EvaluatedSplit, SplitMetrics] = {}
    predictions_by_split: tuple[tuple[EvaluatedSplit, str | Path], ...] = (("train", train), ("test", test))
    for split, predictions in predictions_by_split:
        truth, scores = read_scores(predictions, baselines, target_task.labels, split)
        # One thread: on a busy machine, several wait for each other and take ten times as long.
        with threadpool_limits(limits=1), progress(f"evaluating {split}, resamples") as advance:
            resampled = resample(target_task, truth, scores, seed, advance)
            models = {name: evaluate(target_task, truth, scores[name], resampled[name], seed) for name in scores}
        splits[split] = {"rows": len(truth), "models": models}
    verdict = find_verdict(target_task.verdict_metric, splits["test"]["models"], resampled)
    metrics: Evaluation = {
        "labels": target_task.labels,
        "positive_label": target_task.positive_label,
        "resamples": RESAMPLES,
        "confidence": CONFIDENCE,
        "splits": splits,
        "verdict": verdict,
    }
    artifacts.write(out, metrics, schemas.METRICS)
    say(verdict["sentence"])


def evaluate(task: Task, truth: Codes, probabilities: Floats, resampled: Resampled, seed: int) -> ModelMetrics:
    """One model on one split as in metrics.json: metrics with intervals, confusion matrix, per-class table."""
    values = compute_metrics(task, truth, probabilities)
    few = len(task.labels) <= MAX_LABELS_WITH_MATRIX
    return {
        "metrics": {name: estimate(value, resampled[name]) for name, value in values.items()},
        "confusion_matrix": confusion_matrix(truth, probabilities).tolist() if few else None,
        "per_class": _per_class(truth, probabilities, task.labels, seed),
    }


def _per_class(truth: Codes, probabilities: Floats, labels: list[str], seed: int) -> list[ClassMetrics]:
    """Precision, recall and F1 of each label with their intervals, and its rows."""
    if len(truth) == 0:
        return [
            {"label": label, "precision": UNDEFINED, "recall": UNDEFINED, "f1": UNDEFINED, "support": 0}
            for label in labels
        ]
    codes = list(range(len(labels)))
    *columns, support = sklearn_metrics.precision_recall_fscore_support(
        truth, probabilities.argmax(axis=1), labels=codes, zero_division=np.nan
    )
    resampled = resample_labels(truth, probabilities, seed)
    named = dict(zip(LABEL_METRICS, columns, strict=True))

    def measured(name: str, code: int) -> Estimate:
        return estimate(named[name][code], resampled[name][:, code])

    return [
        {
            "label": labels[code],
            "precision": measured("precision", code),
            "recall": measured("recall", code),
            "f1": measured("f1", code),
            "support": int(support[code]),
        }
        for code in codes
    ]

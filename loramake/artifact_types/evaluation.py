"""evaluation/baselines.json and evaluation/metrics.json."""

from typing import Literal, TypedDict

from loramake.artifact_types.shared import Estimate, Outcome, SourceName

EvaluatedSplit = Literal["train", "test"]
BaselineSplit = Literal["train", "calibration", "test"]


class BaselinePredictions(TypedDict):
    """Of one split, one entry per row; all empty where the split is."""

    rows: list[int]
    sources: list[SourceName]
    probabilities: list[list[float]]


class BaselineModel(TypedDict):
    """One baseline."""

    description: str
    splits: dict[BaselineSplit, BaselinePredictions]


class Baselines(TypedDict):
    """evaluation/baselines.json."""

    features: list[str]
    labels: list[str]
    models: dict[str, BaselineModel]


MetricName = Literal[
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "precision_weighted",
    "recall_weighted",
    "f1_weighted",
    "mcc",
    "roc_auc",
    "pr_auc",
    "log_loss",
]
"""Precision, recall and F1 without a suffix are those of the positive label, only in binary tasks."""

Metrics = dict[MetricName, Estimate]


class ClassMetrics(TypedDict):
    """Metrics of one label."""

    label: str
    precision: Estimate
    recall: Estimate
    f1: Estimate
    support: int


class ModelMetrics(TypedDict):
    """How well one model predicts a split."""

    metrics: Metrics
    confusion_matrix: list[list[int]] | None
    per_class: list[ClassMetrics]


class SplitMetrics(TypedDict):
    """How well loramake and the baselines predict a split."""

    rows: int
    models: dict[str, ModelMetrics]


class Verdict(TypedDict):
    """loramake against the best baseline on the test split."""

    metric: str
    best_baseline: str | None
    loramake: float | None
    baseline: float | None
    difference: Estimate
    outcome: Outcome | None
    sentence: str


class Evaluation(TypedDict):
    """evaluation/metrics.json."""

    labels: list[str]
    positive_label: str | None
    resamples: int
    confidence: float
    splits: dict[EvaluatedSplit, SplitMetrics]
    verdict: Verdict

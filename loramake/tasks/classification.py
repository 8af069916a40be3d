"""Classification: the target's values are labels, and a row has one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from loramake.arrays import Codes
from loramake.artifact_types.evaluation import MetricName
from loramake.artifact_types.explore import TaskType
from loramake.artifact_types.llm import LabelFormat
from loramake.artifact_types.prepare import Answer
from loramake.tasks.contract import CountedTask, Metric, Task
from loramake.tasks.labels import check_test_labels, find_labels, find_spellings, order_labels, refuse_single_label

ROC_AUC = Metric("roc_auc", "ROC-AUC")
_AVERAGED: tuple[MetricName, ...] = ("precision", "recall", "f1")
_MEANS: tuple[MetricName, ...] = (
    *("precision_macro", "recall_macro", "f1_macro"),
    *("precision_weighted", "recall_weighted", "f1_weighted"),
)


@dataclass(frozen=True)
class Classification(Task):
    """A choice among labels; of two, the last is the positive one."""

    verdict_metric = ROC_AUC
    compared_metrics = (
        ROC_AUC,
        Metric("accuracy", "accuracy"),
        Metric("balanced_accuracy", "balanced accuracy"),
        Metric("log_loss", "log loss", sign=-1),
    )
    shown_metrics = ("roc_auc", "accuracy", "balanced_accuracy", "f1_macro", "mcc", "pr_auc", "log_loss")
    baselines: ClassVar[tuple[str, ...]] = ("majority", "logistic_regression", "hist_gradient_boosting")

    @property
    def kind(self) -> TaskType:
        return "binary" if len(self.labels) == 2 else "multiclass"

    @property
    def metric_names(self) -> list[MetricName]:
        positive = _AVERAGED if self.positive is not None else ()
        return ["roc_auc", "pr_auc", "accuracy", "balanced_accuracy", *positive, *_MEANS, "mcc", "log_loss"]

    @property
    def positive(self) -> int | None:
        return 1 if len(self.labels) == 2 else None

    def ranked_codes(self, truth: Codes) -> list[int]:
        """The positive label, or all that occur; [] where only one label occurs."""
        present: list[int] = np.unique(truth).tolist()
        return [] if len(present) < 2 else present if self.positive is None else [self.positive]

    def answers(self, label_format: LabelFormat) -> list[Answer]:
        """The label itself, or the token of its code where the base has enough tokens."""
        if label_format["kind"] == "plain" or len(self.labels) > label_format["labels"]:
            return [{"value": label, "text": label} for label in self.labels]
        token = label_format["token"]
        return [{"value": label, "text": token.format(code)} for code, label in enumerate(self.labels)]

    @classmethod
    def find(
        cls, csv: str | Path, target: "pd.Series[str]", order: Sequence[str], rare_labels: str, merge_labels: bool
    ) -> CountedTask:
        spellings = find_spellings(target, merge_labels)
        whole = cls(str(target.name), list(spellings), merge_labels)
        refuse_single_label(csv, whole.target, spellings)
        rows = find_labels(csv, whole.labels_of(target), rare_labels)
        ordered = dict.fromkeys(whole.labels_of(pd.Series(order, dtype=object)))
        labels = [label for label in ordered if label in rows.index]
        if len(labels) < len(rows):
            labels = order_labels(rows.index)
        return CountedTask(cls(whole.target, labels, merge_labels), rows, spellings)

    def check_test(self, test_csv: str | Path, target: "pd.Series[str]") -> None:
        """Raise DataError unless there is a label, and every label is one of the task's."""
        check_test_labels(test_csv, self.labels_of(target), self.labels)

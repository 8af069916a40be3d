"""How good probabilities are: scikit-learn's metrics.

A row's predicted label is its most probable one (the first of ties). An undefined metric, such as a ROC-AUC where all
rows have the same label, is NaN here and null in metrics.json, never an error and never a number.
"""

from typing import Any

import numpy as np
from sklearn import metrics as sklearn_metrics

from loramake.arrays import Codes, Floats
from loramake.artifact_types.evaluation import MetricName
from loramake.evaluation.areas import mean_areas
from loramake.tasks import Task


def compute_metrics(task: Task, truth: Codes, probabilities: Floats) -> dict[MetricName, float]:
    """Every metric of the task by scikit-learn, from label codes (rows,) and probabilities (rows, labels).

    A precision, recall or F1 that is 0/0 is NaN for the positive label and counts as 0 in macro and weighted means,
    which run over the labels that are true or predicted somewhere. One-vs-rest means run over the labels that are
    true somewhere. Balanced accuracy, MCC and both areas need two true labels.
    """
    if len(truth) == 0:
        return dict.fromkeys(task.metric_names, np.nan)
    predicted = probabilities.argmax(axis=1)
    values = {"accuracy": sklearn_metrics.accuracy_score(truth, predicted)}
    for average in ("macro", "weighted"):
        values |= _precision_recall_f1(truth, predicted, f"_{average}", average=average, zero_division=0)
    if task.positive is not None:
        values |= _precision_recall_f1(
            truth, predicted, "", average="binary", pos_label=task.positive, zero_division=np.nan
        )
    labels = range(probabilities.shape[1])
    values["log_loss"] = sklearn_metrics.log_loss(truth, probabilities, labels=list(labels))
    if ranked := task.ranked_codes(truth):
        # balanced_accuracy_score gives the same, but warns about labels that are predicted but never true.
        values["balanced_accuracy"] = sklearn_metrics.recall_score(
            truth, predicted, labels=np.unique(truth), average="macro", zero_division=0
        )
        values["mcc"] = sklearn_metrics.matthews_corrcoef(truth, predicted)
        values["roc_auc"], values["pr_auc"] = mean_areas(truth, probabilities, ranked)
    return {name: float(values.get(name, np.nan)) for name in task.metric_names}


def _precision_recall_f1(truth: Codes, predicted: Codes, suffix: str, **options: Any) -> dict[str, float]:
    values = sklearn_metrics.precision_recall_fscore_support(truth, predicted, **options)
    return {f"{name}{suffix}": value for name, value in zip(("precision", "recall", "f1"), values, strict=False)}


def confusion_matrix(truth: Codes, probabilities: Floats) -> Codes:
    """Rows by true label and predicted label, shape (labels, labels)."""
    labels = probabilities.shape[1]
    cells = truth * labels + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=labels * labels).reshape(labels, labels)

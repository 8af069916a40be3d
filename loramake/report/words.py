"""The words of the page and of the model card: names of metrics, and what a method or a label means in a sentence."""

import re

from loramake.artifact_types.evaluation import MetricName
from loramake.artifact_types.explore import TaskDescription
from loramake.artifact_types.trust import CalibrationMethod, ConformalMethod
from loramake.tasks import rows_by_label

METRIC_NAMES: dict[MetricName, str] = {
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "mcc": "MCC",
    "f1_macro": "mean F1",
}
"""Where the word of the artifact, with spaces, is not what people write."""

SET_METHODS: dict[ConformalMethod, str] = {
    "lac": (
        "LAC (least ambiguous sets): every label whose probability reaches one threshold is in the set, "
        "which gives the smallest sets on average."
    ),
    "aps": (
        "APS (adaptive prediction sets): labels are added from the most probable one until their probabilities "
        "add up to a threshold, so that uncertain rows get larger sets."
    ),
    "raps": (
        "RAPS (regularized adaptive prediction sets): labels are added from the most probable one until their "
        "probabilities add up to a threshold, and unlikely labels count extra, so that no set becomes very large."
    ),
    "class_conditional": (
        "Class-conditional sets: every label has a threshold of its own, so that the coverage holds for each label, "
        "rare ones included."
    ),
}
CALIBRATION_METHODS: dict[CalibrationMethod, str] = {
    "temperature": (
        "Temperature scaling divides all log probabilities by one number: it changes how sure the model is, not which "
        "label it prefers."
    ),
    "isotonic": (
        "Isotonic regression replaces each probability by how often labels of about that probability were correct, "
        "without changing their order."
    ),
}


def describe_labels(task: TaskDescription) -> str:
    """Which label ROC-AUC is of, and what that label means as far as the table says."""
    target, positive = task["target"], task["positive_label"]
    if positive is None:
        return f"ROC-AUC is the mean over the {len(task['labels']):,} labels of {target}, each against all others."
    share = f"{rows_by_label(task)[positive]:,} of {task['rows']['with_target']:,} rows"
    sentence = f"ROC-AUC is of label {positive} of {target} ({share})."
    if re.fullmatch(r"[-+]?[\d.,]+", positive):
        sentence += f" The table does not say what {positive} stands for."
    return sentence

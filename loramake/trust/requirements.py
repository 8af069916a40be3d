"""The requirements of config.yaml against what was measured on the test rows.

A requirement is met where the value itself meets it; the sentence says if its interval reaches beyond the limit. A
requirement whose value cannot be measured is not met.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from loramake import layout
from loramake.artifact_types.shared import Estimate
from loramake.artifact_types.trust import AuditedColumn, GroupMeasure, JudgedRequirement, Spread, Spreads
from loramake.evaluation.intervals import UNDEFINED
from loramake.trust.sentences.requirements import (
    NO_COLUMNS,
    describe_doubt,
    describe_requirement,
    describe_unmeasured,
    explain_no_comparison,
    name_comparison,
)

_ROUNDING = 1e-9
"""A difference of 0.3 comes out as 0.30000000000000004."""

FILES = ("metrics", "calibration_measures", "conformal", "risk", "costs")
"""The artifacts that requirements are checked against, besides the audit itself, by their names in layout.FILES."""


class Measured(NamedTuple):
    """The location of a measured value: one of FILES, or audit, and the keys that lead to it within that file."""

    file: str
    keys: tuple[str, ...]
    called: str
    absent: str = "it is undefined on these test rows"


class Compared(NamedTuple):
    """A measure whose difference or ratio over the groups of each audited column has a requirement."""

    measure: GroupMeasure
    how: Literal["difference", "ratio"]
    called: str


_BALANCED = "balanced accuracy before calibration"
_METRICS = ("splits", "test", "models", "loramake", "metrics")
_NO_ANSWERS = "max_selective_error is not set, or so low that no row is answered"

REQUIREMENTS: dict[str, Measured | Compared] = {
    "min_roc_auc": Measured("metrics", (*_METRICS, "roc_auc"), "ROC-AUC"),
    "min_accuracy": Measured("audit", ("overall", "accuracy"), "accuracy of decisions"),
    "min_balanced_accuracy": Measured("metrics", (*_METRICS, "balanced_accuracy"), _BALANCED),
    "max_log_loss": Measured("calibration_measures", ("after", "measures", "log_loss"), "calibrated log loss"),
    "max_ece": Measured("calibration_measures", ("after", "measures", "ece"), "calibration error (ECE)"),
    "min_coverage": Measured("conformal", ("test", "coverage"), "coverage"),
    "max_set_size": Measured("conformal", ("test", "mean_set_size"), "mean set size"),
    "max_selective_error": Measured("risk", ("chosen", "test", "selective_error"), "selective error", _NO_ANSWERS),
    "max_cost_per_row": Measured("costs", ("test", "loramake", "per_row"), "cost per row", "no costs are set"),
    "max_accuracy_difference": Compared("accuracy", "difference", "accuracy difference"),
    "max_selection_rate_difference": Compared("selection_rate", "difference", "selection rate difference"),
    "min_selection_rate_ratio": Compared("selection_rate", "ratio", "selection rate ratio"),
    "max_tpr_difference": Compared("tpr", "difference", "true positive rate difference"),
    "max_fpr_difference": Compared("fpr", "difference", "false positive rate difference"),
    "max_ece_difference": Compared("ece", "difference", "calibration error difference"),
    "max_coverage_difference": Compared("coverage", "difference", "coverage difference"),
}
"""Every requirement of config.schema.yaml, in its order."""


def check_requirements(
    requirements: dict[str, float], measured: Mapping[str, Any], columns: Sequence[AuditedColumn]
) -> list[JudgedRequirement]:
    """`requirements` of audit.json: one entry for each that is set, in the order of REQUIREMENTS.

    `measured` maps FILES to their contents, and audit to the measures of all rows; `columns` are the audited ones.
    """
    judged = []
    for name, quantity in REQUIREMENTS.items():
        if name in requirements:
            value = _look_up(quantity, measured) if isinstance(quantity, Measured) else _worst(quantity, columns)
            judged.append(_judge(name, requirements[name], *value))
    return judged


def _look_up(quantity: Measured, measured: Mapping[str, Any]) -> tuple[str, str, Estimate, str | None]:
    """The name of the value, its location, the value, and why there is none."""
    content: Any = measured[quantity.file]
    for key in quantity.keys:
        content = None if content is None else content[key]
    value: Estimate = {**UNDEFINED, "value": content}
    if isinstance(content, dict):
        value = {"value": content["value"], "low": content["low"], "high": content["high"]}
    where = f"{layout.FILES[quantity.file].path}: {'.'.join(quantity.keys)}"
    return quantity.called, where, value, quantity.absent if value["value"] is None else None


def _worst(quantity: Compared, columns: Sequence[AuditedColumn]) -> tuple[str, str, Estimate, str | None]:
    """As `_look_up`, of the column whose groups differ most; one that cannot be compared is worse than any."""
    measure, how = quantity.measure, quantity.how
    if not columns:
        return quantity.called, f"{layout.AUDIT.path}: columns", UNDEFINED, NO_COLUMNS
    spreads = {column["name"]: _spread(column["differences"][measure], how) for column in columns}
    name = max(spreads, key=lambda name: _badness(spreads[name]["value"], how))
    worst = spreads[name]
    value = UNDEFINED if worst["low"] is None else _interval(list(spreads.values()), how)
    where = f"{layout.AUDIT.path}: columns: {name}: differences.{measure}.{how}"
    called = name_comparison(quantity.called, worst["label"], name)
    absent = explain_no_comparison(how) if worst["value"] is None else None
    return called, where, {**value, "value": worst["value"]}, absent


def _spread(spreads: Spreads, how: Literal["difference", "ratio"]) -> Spread:
    """The spread of a measure with a requirement; such a measure has both kinds."""
    spread = spreads[how]
    if spread is None:
        raise ValueError("only a share has a ratio")
    return spread


def _interval(spreads: Sequence[Spread], how: str) -> Estimate:
    """Around the worst of several values: another column's may be worse than the one that looks worst."""
    worst = max if how == "difference" else min
    lows = [spread["low"] for spread in spreads if spread["low"] is not None]
    highs = [spread["high"] for spread in spreads if spread["high"] is not None]
    return {"value": None, "low": worst(lows), "high": worst(highs)}


def _badness(value: float | None, how: str) -> float:
    if value is None:
        return float("inf")
    return value if how == "difference" else -value


def _judge(name: str, limit: float, called: str, where: str, value: Estimate, absent: str | None) -> JudgedRequirement:
    number = value["value"]
    at_least = name.startswith("min_")
    passed = number is not None and _meets(name, number, limit)
    # The end of the interval that could change the result: the worse end if the requirement is met, else the better.
    end = value["low" if at_least == passed else "high"]
    certain = None if number is None or end is None else _meets(name, end, limit) == passed
    if number is None:
        sentence = describe_unmeasured(called, str(absent))
    else:
        sentence = describe_requirement(called, number, limit, at_least, passed)
        if certain is False and end is not None:
            sentence += describe_doubt(end, limit, passed)
    return {
        "name": name,
        "limit": limit,
        **value,
        "passed": passed,
        "certain": certain,
        "of": where,
        "sentence": sentence,
    }


def _meets(name: str, value: float, limit: float) -> bool:
    sign = 1 if name.startswith("min_") else -1
    return sign * (value - limit) >= -_ROUNDING

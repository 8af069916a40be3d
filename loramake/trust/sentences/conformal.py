"""Prediction sets: what they guarantee, and how they did on test."""

from loramake.artifact_types.shared import Estimate
from loramake.artifact_types.trust import MeasuredSets
from loramake.evaluation.intervals import CONFIDENCE, defined
from loramake.text import as_percent, listed, shorten

METHOD_NAMES = {"lac": "LAC", "aps": "APS", "raps": "RAPS", "class_conditional": "class-conditional"}


def notes_on_sets(conformal: MeasuredSets) -> list[str]:
    """What else a reader has to know."""
    notes = []
    rare = [label for label in conformal["by_class"] if label["quantile"] is None]
    if 0 < len(rare) < len(conformal["labels"]):
        named = listed([f"{shorten(label['label'], 40)} ({label['rows']:,})" for label in rare])
        needed = conformal["rows_needed"]
        notes.append(f"Every set contains the labels with fewer than {needed:,} calibration rows: {named}.")
    if empty := conformal["test"]["empty_sets"]:
        notes.append(
            f"{empty:.1%} of the test sets are empty: no label fits those rows well enough. Some sets have to be empty "
            f"where the most probable label is correct more often than "
            f"{as_percent(conformal['conformal_confidence'])}; raise conformal_confidence to fill them."
        )
    return notes


def summarize_sets(conformal: MeasuredSets) -> str:
    confidence, test = as_percent(conformal["conformal_confidence"]), conformal["test"]
    conditional = conformal["method"] == "class_conditional"
    if all(label["quantile"] is None for label in conformal["by_class"]):
        return f"Every prediction set contains all labels: {confidence} coverage takes {_rows_missing(conformal)}."
    whose = " of every label" if conditional else ""
    guarantee = f"Prediction sets contain the true label for at least {confidence} of new rows{whose}"
    if test["rows"] == 0:
        return f"{guarantee}; there are no test rows to check this on."
    coverage = test["coverage"]
    return (
        f"{guarantee}; on test, coverage is {coverage['value']:.1%} ({as_percent(CONFIDENCE)} interval "
        f"{_range(coverage)}), with {test['mean_set_size']:.2f} of {len(conformal['labels']):,} labels on "
        f"average.{_shortfall(conformal)}"
    )


def _rows_missing(conformal: MeasuredSets) -> str:
    needed = f"{conformal['rows_needed']:,} calibration rows"
    if not conformal["rows"]:
        return f"{needed}, and there are none"
    if conformal["method"] != "class_conditional":
        return f"{needed}, and there are {conformal['rows']:,}"
    most = max(label["rows"] for label in conformal["by_class"])
    return f"{needed} of a label, and no label has more than {most:,}"


def _shortfall(conformal: MeasuredSets) -> str:
    """What a coverage on test below the configured confidence means."""
    test = conformal["test"]
    coverage = defined(test["coverage"]["value"])
    if coverage >= conformal["conformal_confidence"]:
        return ""
    if coverage >= defined(test["expected"]["low"]):
        return (
            f" The shortfall is consistent with chance, given {conformal['rows']:,} calibration and {test['rows']:,} "
            f"test rows."
        )
    return (
        f" Chance alone rarely gives less than {test['expected']['low']:.1%}, so the test rows may differ from the "
        f"calibration rows, and new rows may too."
    )


def _range(interval: Estimate) -> str:
    return f"{interval['low']:.1%} to {interval['high']:.1%}"

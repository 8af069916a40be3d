"""Sets of labels: what they promise, and how they fared on test."""

from loramake.artifact_types.shared import Estimate
from loramake.artifact_types.trust import MeasuredSets
from loramake.evaluation.intervals import CONFIDENCE, defined
from loramake.text import as_percent, listed, shorten


def notes_on_sets(conformal: MeasuredSets) -> list[str]:
    """What a reader has to know beside the sentence."""
    notes = []
    few = [each for each in conformal["by_class"] if each["quantile"] is None]
    if 0 < len(few) < len(conformal["labels"]):
        named = listed([f"{shorten(each['label'], 40)} ({each['rows']:,})" for each in few])
        needed = conformal["rows_needed"]
        notes.append(f"Labels with fewer than {needed:,} calibration rows stand in every set: {named}.")
    if empty := conformal["test"]["empty_sets"]:
        notes.append(
            f"{empty:.1%} of the test sets are empty: no label fits the row well enough. Where the most probable label "
            f"is right more often than {as_percent(conformal['conformal_confidence'])}, some sets have to be; a higher "
            f"confidence fills them."
        )
    return notes


def summarize_sets(conformal: MeasuredSets) -> str:
    asked, test = as_percent(conformal["conformal_confidence"]), conformal["test"]
    conditional = conformal["method"] == "class_conditional"
    if all(each["quantile"] is None for each in conformal["by_class"]):
        whose = " of any label" if conditional else ""
        rows = conformal["rows"] if not conditional else max(each["rows"] for each in conformal["by_class"])
        found = f"Too few calibration rows{whose} ({rows:,})" if conformal["rows"] else "There are no calibration rows"
        return f"{found} to promise {asked}, which takes {conformal['rows_needed']:,}: every set holds all labels."
    promise = f"Sets that hold the true label in at least {asked} of new rows{' of every label' if conditional else ''}"
    if test["rows"] == 0:
        return f"{promise}; there are no test rows to try them on."
    coverage = test["coverage"]
    return (
        f"{promise}: on test {coverage['value']:.1%} ({as_percent(CONFIDENCE)} interval {_range(coverage)}) with "
        f"{test['mean_set_size']:.2f} of {len(conformal['labels']):,} labels on average{_shortfall(conformal)}."
    )


def _shortfall(conformal: MeasuredSets) -> str:
    """What to think of a coverage on test that is lower than asked."""
    test = conformal["test"]
    coverage = defined(test["coverage"]["value"])
    if coverage >= conformal["conformal_confidence"]:
        return ""
    if coverage >= defined(test["expected"]["low"]):
        return f"; what it lacks is within chance of {conformal['rows']:,} calibration and {test['rows']:,} test rows"
    return (
        f"; chance seldom gives less than {test['expected']['low']:.1%}, so the test rows may differ from the "
        f"calibration rows, and new rows too"
    )


def _range(interval: Estimate) -> str:
    return f"{interval['low']:.1%} to {interval['high']:.1%}"

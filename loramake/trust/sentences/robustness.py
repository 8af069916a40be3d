"""Rows shown otherwise: how much that changes, and which column counts most."""

from loramake.artifact_types.trust import MeasuredRobustness
from loramake.evaluation.intervals import CONFIDENCE
from loramake.text import as_percent, listed, shorten


def notes_on_robustness(robustness: MeasuredRobustness, features: int, max_features: int) -> list[str]:
    notes = []
    if robustness["rows"] < robustness["test_rows"]:
        notes.append(f"Measured on {robustness['rows']:,} of {robustness['test_rows']:,} test rows, drawn by the seed.")
    if features > max_features:
        notes.append(f"Only the first {max_features} of {features:,} columns were left out one at a time.")
    for variant in robustness["variants"]:
        if variant["note"] and robustness["rows"]:
            notes.append(f"{variant['name'].capitalize()}: nothing to measure, since {variant['note']}.")
        elif variant["rows"] < robustness["rows"]:
            notes.append(
                f"{variant['name'].capitalize()}: measured on {variant['rows']:,} rows, since the prompts of "
                "the others cannot be taken apart into their cells."
            )
    never = [shorten(entry["feature"], 40) for entry in robustness["importance"] if entry["missing_in_training"] == 0]
    if never:
        notes.append(
            f"Never missing in training: {listed(never)}. What the model makes of an absence that it never saw is a "
            "guess, and so is the importance that follows from it."
        )
    return notes


def summarize_robustness(robustness: MeasuredRobustness) -> str:
    if not robustness["rows"]:
        return "There are no test rows to show otherwise."
    measured = [variant for variant in robustness["variants"] if not variant["note"]]
    changes = ", ".join(f"{variant['name']} {variant['changed_decisions']:.1%}" for variant in measured)
    opening = f"Decisions of {robustness['rows']:,} test rows that change: {changes}; " if changes else ""
    first = robustness["importance"][0]
    increase = first["log_loss_increase"]
    if increase["low"] is None or increase["low"] <= 0:
        return f"{opening}no column is surely missed when it is left out."
    return (
        f"{opening}most is lost without {shorten(first['feature'], 40)}: log loss {increase['value']:+.3f} "
        f"({as_percent(CONFIDENCE)} interval {increase['low']:+.3f} to {increase['high']:+.3f})."
    )

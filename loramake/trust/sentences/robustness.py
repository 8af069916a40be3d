"""Perturbed rows: how much the predictions change, and which column matters most."""

from loramake.artifact_types.trust import MeasuredRobustness
from loramake.evaluation.intervals import CONFIDENCE
from loramake.text import as_percent, listed, shorten


def notes_on_robustness(robustness: MeasuredRobustness, features: int, max_features: int) -> list[str]:
    notes = []
    if robustness["rows"] < robustness["test_rows"]:
        notes.append(f"Every figure here is of {describe_rows(robustness)}; robustness_rows: 0 measures all.")
    if features > max_features:
        notes.append(f"Only the first {max_features} of {features:,} columns were left out one at a time.")
    for variant in robustness["variants"]:
        if variant["note"] and robustness["rows"]:
            notes.append(f"{variant['name'].capitalize()}: not measured, because {variant['note']}.")
        elif variant["rows"] < robustness["rows"]:
            notes.append(
                f"{variant['name'].capitalize()}: measured on {variant['rows']:,} rows, because the prompts of "
                "the others cannot be split into cells."
            )
    never = [shorten(entry["feature"], 40) for entry in robustness["importance"] if entry["missing_in_training"] == 0]
    if never:
        notes.append(
            f"Never missing in training: {listed(never)}. The model never learnt what a missing value there means, so "
            "the importance is a guess."
        )
    return notes


def describe_rows(robustness: MeasuredRobustness) -> str:
    """The rows that were measured, such as `100 of the 184 test rows, drawn at random`."""
    if robustness["rows"] == robustness["test_rows"]:
        return f"{robustness['rows']:,} test rows"
    return f"{robustness['rows']:,} of the {robustness['test_rows']:,} test rows, drawn at random"


def summarize_robustness(robustness: MeasuredRobustness) -> str:
    if not robustness["rows"]:
        return "There are no test rows to perturb."
    measured = [variant for variant in robustness["variants"] if not variant["note"]]
    changes = ", ".join(f"{variant['name']} {variant['changed_decisions']:.1%}" for variant in measured)
    opening = f"Decisions that change, of {describe_rows(robustness)}: {changes}. " if changes else ""
    first = robustness["importance"][0]
    increase = first["log_loss_increase"]
    if increase["low"] is None or increase["low"] <= 0:
        return f"{opening}No single column clearly matters: leaving one out may raise the log loss by chance alone."
    return (
        f"{opening}The most important column is {shorten(first['feature'], 40)}: log loss {increase['value']:+.3f} "
        f"without it ({as_percent(CONFIDENCE)} interval {increase['low']:+.3f} to {increase['high']:+.3f})."
    )

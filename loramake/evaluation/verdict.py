"""What is said of loramake against the best baseline."""

from typing import Any

from loramake.evaluation.intervals import CONFIDENCE, UNDEFINED, Estimate, estimate
from loramake.evaluation.scores import LORAMAKE
from loramake.prediction.predictions import Floats
from loramake.text import as_percent

VERDICT_METRIC = "roc_auc"


def find_verdict(models: dict[str, Any], resampled: dict[str, dict[str, Floats]]) -> dict[str, Any]:
    """loramake against the best baseline by ROC-AUC on test, with a paired bootstrap interval of the difference.

    The best baseline is picked on the same test rows, which favours the baseline.
    """
    areas = {name: model["metrics"][VERDICT_METRIC]["value"] for name, model in models.items()}
    if areas[LORAMAKE] is None:
        return _no_verdict()
    best = max((name for name in areas if name != LORAMAKE), key=lambda name: areas[name])
    paired = resampled[LORAMAKE][VERDICT_METRIC] - resampled[best][VERDICT_METRIC]
    difference = estimate(areas[LORAMAKE] - areas[best], paired)
    outcome = outcome_of(difference)
    return {
        "metric": VERDICT_METRIC,
        "best_baseline": best,
        "loramake": areas[LORAMAKE],
        "baseline": areas[best],
        "difference": difference,
        "outcome": outcome,
        "sentence": _sentence(outcome, best, areas[LORAMAKE], areas[best], difference),
    }


def _no_verdict() -> dict[str, Any]:
    return {
        "metric": VERDICT_METRIC,
        "best_baseline": None,
        "loramake": None,
        "baseline": None,
        "difference": UNDEFINED,
        "outcome": None,
        "sentence": "No comparison with the baselines: the test split has fewer than two labels.",
    }


def outcome_of(difference: Estimate, sign: int = 1) -> str | None:
    """What an interval says: better, worse or level; None of none. With `sign` -1 less is better."""
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return None
    above, below = ("better", "worse") if sign > 0 else ("worse", "better")
    return above if low > 0 else below if high < 0 else "level"


def _sentence(outcome: str | None, best: str, ours: float, theirs: float, difference: Estimate) -> str:
    against = f"ROC-AUC {ours:.3f} against {theirs:.3f} of {best}"
    if outcome is None:
        return f"Too few test rows to tell: {against}."
    opening = {"better": "Better than", "level": "Level with", "worse": "Worse than"}[outcome]
    value, low, high = (f"{round(number or 0.0, 3) + 0.0:.3f}" for number in difference.values())
    interval = f"difference {value}, {as_percent(CONFIDENCE)} interval {low} to {high}"
    return f"{opening} {best}: ROC-AUC {ours:.3f} against {theirs:.3f} ({interval})."

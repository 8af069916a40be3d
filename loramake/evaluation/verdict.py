"""What is said of loramake against the best baseline."""

from typing import Any

from loramake.evaluation.intervals import CONFIDENCE, UNDEFINED, Estimate, estimate
from loramake.evaluation.scores import LORAMAKE
from loramake.prediction.predictions import Floats
from loramake.tasks import Metric
from loramake.text import as_percent


def find_verdict(metric: Metric, models: dict[str, Any], resampled: dict[str, dict[str, Floats]]) -> dict[str, Any]:
    """loramake against the best baseline on test, with a paired bootstrap interval of the difference.

    The best baseline is picked on the same test rows, which favours the baseline.
    """
    values = {name: model["metrics"][metric.name]["value"] for name, model in models.items()}
    if values[LORAMAKE] is None:
        return _no_verdict(metric)
    best = max((name for name in values if name != LORAMAKE), key=lambda name: metric.sign * values[name])
    paired = resampled[LORAMAKE][metric.name] - resampled[best][metric.name]
    difference = estimate(values[LORAMAKE] - values[best], paired)
    outcome = outcome_of(difference, metric.sign)
    return {
        "metric": metric.name,
        "best_baseline": best,
        "loramake": values[LORAMAKE],
        "baseline": values[best],
        "difference": difference,
        "outcome": outcome,
        "sentence": _sentence(metric, outcome, best, values[LORAMAKE], values[best], difference),
    }


def _no_verdict(metric: Metric) -> dict[str, Any]:
    return {
        "metric": metric.name,
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


def _sentence(metric: Metric, outcome: str | None, best: str, ours: float, theirs: float, difference: Estimate) -> str:
    against = f"{metric.title} {ours:.3f} against {theirs:.3f} of {best}"
    if outcome is None:
        return f"Too few test rows to tell: {against}."
    opening = {"better": "Better than", "level": "Level with", "worse": "Worse than"}[outcome]
    value, low, high = (f"{round(number or 0.0, 3) + 0.0:.3f}" for number in difference.values())
    interval = f"difference {value}, {as_percent(CONFIDENCE)} interval {low} to {high}"
    return f"{opening} {best}: {metric.title} {ours:.3f} against {theirs:.3f} ({interval})."

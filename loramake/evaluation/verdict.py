"""What is said of loramake against the best baseline."""

from typing import Literal

from loramake.artifact_types.evaluation import ModelMetrics, Verdict
from loramake.artifact_types.shared import Estimate, Outcome
from loramake.evaluation.intervals import CONFIDENCE, UNDEFINED, defined, estimate
from loramake.evaluation.resampling import Resampled
from loramake.evaluation.scores import LORAMAKE
from loramake.text import as_percent

VERDICT_METRIC: Literal["roc_auc"] = "roc_auc"


def find_verdict(models: dict[str, ModelMetrics], resampled: dict[str, Resampled]) -> Verdict:
    """loramake against the best baseline by ROC-AUC on test, with a paired bootstrap interval of the difference.

    The best baseline is picked on the same test rows, which favours the baseline.
    """
    if models[LORAMAKE]["metrics"][VERDICT_METRIC]["value"] is None:
        return _no_verdict()
    areas = {name: defined(model["metrics"][VERDICT_METRIC]["value"]) for name, model in models.items()}
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


def _no_verdict() -> Verdict:
    return {
        "metric": VERDICT_METRIC,
        "best_baseline": None,
        "loramake": None,
        "baseline": None,
        "difference": UNDEFINED,
        "outcome": None,
        "sentence": "No comparison with the baselines: the test split has fewer than two labels.",
    }


def outcome_of(difference: Estimate, sign: int = 1) -> Outcome | None:
    """What an interval says: better, worse or level; None of none. With `sign` -1 less is better."""
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return None
    above, below = (low > 0, high < 0) if sign > 0 else (high < 0, low > 0)
    return "better" if above else "worse" if below else "level"


def _sentence(outcome: Outcome | None, best: str, ours: float, theirs: float, difference: Estimate) -> str:
    against = f"ROC-AUC {ours:.3f} against {theirs:.3f} of {best}"
    if outcome is None:
        return f"Too few test rows to tell: {against}."
    opening = {"better": "Better than", "level": "Level with", "worse": "Worse than"}[outcome]
    value, low, high = (
        f"{round(number or 0.0, 3) + 0.0:.3f}"
        for number in (difference["value"], difference["low"], difference["high"])
    )
    interval = f"difference {value}, {as_percent(CONFIDENCE)} interval {low} to {high}"
    return f"{opening} {best}: ROC-AUC {ours:.3f} against {theirs:.3f} ({interval})."

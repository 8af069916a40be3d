"""The verdict: loramake against the best baseline."""

from loramake.artifact_types.evaluation import ModelMetrics, Verdict
from loramake.artifact_types.shared import Estimate, Outcome
from loramake.evaluation.intervals import CONFIDENCE, UNDEFINED, defined, estimate
from loramake.evaluation.resampling import Resampled
from loramake.evaluation.scores import LORAMAKE, name_model
from loramake.tasks import Metric
from loramake.text import as_percent


def find_verdict(metric: Metric, models: dict[str, ModelMetrics], resampled: dict[str, Resampled]) -> Verdict:
    """loramake against the best baseline on test, with a paired bootstrap interval of the difference.

    The best baseline is selected on the same test rows, which favours the baseline.
    """
    if models[LORAMAKE]["metrics"][metric.name]["value"] is None:
        return _no_verdict(metric)
    values = {name: defined(model["metrics"][metric.name]["value"]) for name, model in models.items()}
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


def _no_verdict(metric: Metric) -> Verdict:
    return {
        "metric": metric.name,
        "best_baseline": None,
        "loramake": None,
        "baseline": None,
        "difference": UNDEFINED,
        "outcome": None,
        "sentence": "No comparison with the baselines: the test split has fewer than two labels.",
    }


def outcome_of(difference: Estimate, sign: int = 1) -> Outcome | None:
    """The outcome by the interval: better, worse or level; None without one. With `sign` -1, less is better."""
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return None
    above, below = (low > 0, high < 0) if sign > 0 else (high < 0, low > 0)
    return "better" if above else "worse" if below else "level"


def _sentence(
    metric: Metric, outcome: Outcome | None, best: str, ours: float, theirs: float, difference: Estimate
) -> str:
    baseline = name_model(best)
    against = f"{metric.title} {ours:.3f} against {theirs:.3f} of {baseline}"
    if outcome is None:
        return f"Too few test rows to tell: {against}."
    opening = {"better": "Better than", "level": "As good as", "worse": "Worse than"}[outcome]
    value, low, high = (
        f"{round(number or 0.0, 3) + 0.0:.3f}"
        for number in (difference["value"], difference["low"], difference["high"])
    )
    interval = f"difference {value}, {as_percent(CONFIDENCE)} interval {low} to {high}"
    return f"{opening} {baseline}: {metric.title} {ours:.3f} against {theirs:.3f} ({interval})."

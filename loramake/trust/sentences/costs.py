"""Deciding by cost: what it takes, and whether it pays."""

import math

from loramake.artifact_types.shared import Estimate
from loramake.artifact_types.trust import CostDifference, CostMatrix, CostsOnTest, Policy
from loramake.evaluation.intervals import CONFIDENCE, defined
from loramake.text import as_percent


def summarize_costs(costs: CostMatrix, test: CostsOnTest, min_rows: int) -> str:
    """A few sentences for a manager: by costs alone, whether that pays, and what max_selective_error adds."""
    if not test["rows"]:
        return "There are no test rows to see what deciding by cost takes."
    digits = _digits(costs)
    alone, best = test["without_max_selective_error"] or test["loramake"], str(test["difference"]["baseline"])
    plain = {"the most probable label": test["most_probable"]}
    if test["constant"]:
        plain[_always(test["constant"])] = test["constant"]
    against = [f"{_mean(way, digits)} for {name}" for name, way in plain.items()]
    told = f"Deciding by cost takes {_mean(alone, digits)} a row ({_interval(alone['per_row'], digits)})"
    if costs["abstain_cost"] is not None:
        told += f" and asks a person about {_asked(alone, test)} of rows"
    told += f", against {', '.join(against)} and {_mean(test['baselines'][best], digits)} for {best}, the best baseline"
    told += f": {_verdict(test['difference'], digits)}."
    name = min(plain, key=lambda name: _cost(plain[name]))
    if test["rows"] >= min_rows and _cost(plain[name]) < _cost(alone):
        told += f" It does not pay on these rows: {name} costs less."
    if test["without_max_selective_error"]:
        ours = test["loramake"]
        about = _asked(ours, test)
        told += f" With max_selective_error it is {_mean(ours, digits)} a row, a person being asked about {about}."
    return told


def _asked(way: Policy, test: CostsOnTest) -> str:
    return f"{way['abstentions'] / test['rows']:.1%}"


def _digits(costs: CostMatrix) -> int:
    """Decimals that show a thousandth of the largest cost, which is not zero."""
    largest = max(abs(cost) for row in costs["matrix"] or [] for cost in row)
    return max(0, 3 - math.floor(math.log10(largest)))


def _mean(policy: Policy, digits: int) -> str:
    return _number(_cost(policy), digits)


def _cost(policy: Policy) -> float:
    return defined(policy["per_row"]["value"])


def _number(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:,.{digits}f}"


def _interval(found: Estimate, digits: int) -> str:
    low, high = (_number(defined(end), digits) for end in (found["low"], found["high"]))
    return f"{as_percent(CONFIDENCE)} interval {low} to {high}"


def _always(constant: Policy) -> str:
    label = next((label for label, rows in constant["decisions"].items() if rows), None)
    return "always asking a person" if label is None else f"always {label!r}"


def _verdict(difference: CostDifference, digits: int) -> str:
    """How loramake stands beside the best baseline."""
    says = {
        "better": "cheaper than that",
        "level": "level with that",
        "worse": "dearer than that",
        None: "too few test rows to tell which is cheaper",
    }
    value = _number(defined(difference["value"]), digits)
    return f"{says[difference['outcome']]} (difference {value}, {_interval(difference, digits)})"

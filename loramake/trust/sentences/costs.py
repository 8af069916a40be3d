"""Deciding by cost: what it costs, and whether it pays off."""

import math

from loramake.artifact_types.shared import Estimate
from loramake.artifact_types.trust import CostDifference, CostMatrix, CostsOnTest, Policy
from loramake.evaluation.intervals import CONFIDENCE, defined
from loramake.text import as_percent


def summarize_costs(costs: CostMatrix, test: CostsOnTest, min_rows: int) -> str:
    """A few sentences for a manager: by costs alone, whether that pays off, and what max_selective_error adds."""
    if not test["rows"]:
        return "There are no test rows to measure the cost of decisions on."
    digits = _digits(costs)
    alone, best = test["without_max_selective_error"] or test["loramake"], str(test["difference"]["baseline"])
    simple = {"the most probable label": test["most_probable"]}
    if test["constant"]:
        simple[_always(test["constant"])] = test["constant"]
    text = f"Deciding by cost costs {_mean(alone, digits)} per row ({_interval(alone['per_row'], digits)})"
    if costs["abstain_cost"] is not None:
        text += f" and refers {_referred(alone, test)} of rows to a person"
    others = [f"{name} costs {_mean(policy, digits)}" for name, policy in simple.items()]
    text += f"; {', '.join(others)}, and {best}, the best baseline, {_mean(test['baselines'][best], digits)}."
    text += f" {_verdict(test['difference'], digits)}."
    name = min(simple, key=lambda name: _cost(simple[name]))
    if test["rows"] >= min_rows and _cost(simple[name]) < _cost(alone):
        text += f" Deciding by cost does not pay off on these rows: {name} costs less."
    if test["without_max_selective_error"]:
        ours = test["loramake"]
        text += f" With max_selective_error it costs {_mean(ours, digits)} per row"
        text += f" and refers {_referred(ours, test)} of rows to a person."
    return text


def _referred(policy: Policy, test: CostsOnTest) -> str:
    return f"{policy['abstentions'] / test['rows']:.1%}"


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


def _interval(estimate: Estimate, digits: int) -> str:
    low, high = (_number(defined(end), digits) for end in (estimate["low"], estimate["high"]))
    return f"{as_percent(CONFIDENCE)} interval {low} to {high}"


def _always(constant: Policy) -> str:
    label = next((label for label, rows in constant["decisions"].items() if rows), None)
    return "always asking a person" if label is None else f"always deciding {label!r}"


def _verdict(difference: CostDifference, digits: int) -> str:
    """loramake against the best baseline."""
    verdicts = {
        "better": "Cheaper than that baseline",
        "level": "On par with that baseline",
        "worse": "More expensive than that baseline",
        None: "Too few test rows to tell which is cheaper",
    }
    value = _number(defined(difference["value"]), digits)
    return f"{verdicts[difference['outcome']]} (difference {value}, {_interval(difference, digits)})"

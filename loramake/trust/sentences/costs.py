"""Deciding by cost: what it costs, and whether it pays off."""

import math

from loramake.artifact_types.shared import Estimate
from loramake.artifact_types.trust import CostDifference, CostMatrix, CostsOnTest, Policy
from loramake.evaluation.intervals import CONFIDENCE, defined
from loramake.evaluation.scores import name_model
from loramake.text import as_percent

_VERDICTS = {
    "better": "Deciding by cost is cheaper than",
    "level": "Deciding by cost costs as much as",
    "worse": "Deciding by cost is more expensive than",
    None: "Too few test rows to tell whether deciding by cost is cheaper than",
}
"""By the outcome against the best baseline."""


def summarize_costs(costs: CostMatrix, test: CostsOnTest, min_rows: int) -> str:
    """A few sentences for a manager: by costs alone, whether that pays off, and what max_selective_error adds."""
    if not test["rows"]:
        return "There are no test rows to measure the cost of decisions on."
    digits = _digits(costs)
    alone, best = test["without_max_selective_error"] or test["loramake"], str(test["difference"]["baseline"])
    simple = {"the most probable label": test["most_probable"]}
    if test["constant"]:
        simple[_always(test["constant"])] = test["constant"]
    ours, theirs = _mean(alone, digits), _mean(test["baselines"][best], digits)
    text = (
        f"{_VERDICTS[test['difference']['outcome']]} the best baseline, {name_model(best)}: {ours} per row "
        f"({_interval(alone['per_row'], digits)}) against {theirs} ({_difference(test['difference'], digits)})."
    )
    if costs["abstain_cost"] is not None:
        text += f" It refers {_referred(alone, test)} of rows to a person."
    others = " and ".join(f"{name} costs {_mean(policy, digits)}" for name, policy in simple.items())
    text += f" {others[0].upper()}{others[1:]}."
    name = min(simple, key=lambda name: _cost(simple[name]))
    if test["rows"] >= min_rows and _cost(simple[name]) < _cost(alone):
        text += f" Deciding by cost does not pay off on these rows: {name} costs less."
    if test["without_max_selective_error"]:
        controlled = test["loramake"]
        text += f" With max_selective_error, deciding by cost costs {_mean(controlled, digits)} per row"
        text += f" and refers {_referred(controlled, test)} of rows to a person."
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


def _difference(difference: CostDifference, digits: int) -> str:
    return f"difference {_number(defined(difference['value']), digits)}, {_interval(difference, digits)}"

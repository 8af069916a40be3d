"""What happens to each row: a label is decided, or a person is asked, and why.

Costs come first: the decision of least expected cost, or the most probable label where none are set. Then risk control
refers rows to a person whose decided label is not probable enough for `max_selective_error`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loramake.arrays import Codes, Floats
from loramake.artifact_types.trust import CostMatrix, Risk
from loramake.trust.cost_matrix import decide
from loramake.trust.risk import abstains
from loramake.trust.selective import ABSTAIN, certainty_of


class Decided(NamedTuple):
    """What happens to rows, each of shape (rows,)."""

    codes: Codes
    """Code of the decided label, or ABSTAIN where a person is asked."""
    expected: Floats
    """Expected cost; NaN where no costs are set."""
    by_cost: NDArray[np.bool_]
    """A person is asked because that costs less than the expected cost of any decision."""
    by_risk: NDArray[np.bool_]
    """A person is asked because the label that would be decided is not probable enough."""
    top_probability: Floats
    """P(label) of the label that costs decide, or the most probable one; 0 in rows of `by_cost`."""


def decide_rows(costs: CostMatrix, risk: Risk, probabilities: Floats) -> Decided:
    """Decisions by costs.json (or the result of `read_costs`) and risk.json for calibrated `probabilities`.

    `probabilities` have shape (rows, labels).
    """
    codes, expected = decide(costs, probabilities)
    top_probability = certainty_of(probabilities, codes)
    by_cost = codes == ABSTAIN
    by_risk = abstains(risk, top_probability) & ~by_cost
    abstain_cost = np.nan if costs["abstain_cost"] is None else costs["abstain_cost"]
    return Decided(
        np.where(by_risk, ABSTAIN, codes), np.where(by_risk, abstain_cost, expected), by_cost, by_risk, top_probability
    )

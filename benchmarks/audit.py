"""How often the audit's intervals of the difference and ratio between groups hold the true one.

    python benchmarks/audit.py            # a few minutes: 500 synthetic test splits for each line
    python benchmarks/audit.py --runs 20  # to see that it runs

Each group's rows are right with its own true accuracy. `outside` is the share of runs whose 95% interval of the largest
difference (and of the smallest ratio) does not hold the true one: it should be 5% at most. `by resampling` is the same
for intervals from resampled rows, as they were until a small group in which every row was right showed what is wrong
with them: no resample of it has a wrong row.
"""

import argparse

import numpy as np
import pandas as pd

from loramake.prediction.predictions import Scored
from loramake.tasks import Classification
from loramake.trust.audit import audit
from loramake.trust.group_differences import find_reach
from loramake.trust.group_measures import Rows, count_rows, measure, resample_sums

CASES = (
    ((20, 300), (0.95, 0.95)),
    ((30, 30), (0.97, 0.97)),
    ((20, 20), (0.98, 0.98)),
    ((40, 300), (0.97, 0.9)),
    ((100, 100), (0.9, 0.9)),
    ((20, 20), (0.5, 0.5)),
    ((30, 300), (0.4, 0.4)),
    ((20, 20, 20, 20, 400), (0.5,) * 5),
    ((60,) * 8, (0.8,) * 8),
    ((60,) * 4, (0.5, 0.8, 0.8, 0.8)),
    ((1000, 1000), (0.85, 0.8)),
)


def draw(sizes: tuple[int, ...], accuracies: tuple[float, ...], seed: int) -> tuple[Rows, np.ndarray]:
    """Test rows of two labels, right with their group's accuracy, and the group of each."""
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    right = generator.random(len(groups)) < np.array(accuracies)[groups]
    predicted = generator.integers(2, size=len(groups))
    probabilities = np.where(np.eye(2)[predicted] == 1, 0.9, 0.1)
    scored = Scored(
        [("csv", row) for row in range(len(groups))], np.where(right, predicted, 1 - predicted), probabilities
    )
    nothing = np.zeros(len(groups), dtype=np.bool_)
    sets, task = np.ones((len(groups), 2), dtype=np.bool_), Classification("y", ["0", "1"])
    return count_rows(scored, predicted, sets, nothing, task), groups


def missed(sizes: tuple[int, ...], accuracies: tuple[float, ...], seed: int) -> tuple[bool, bool, bool]:
    """Whether the difference's interval, the ratio's and that of a difference by resampling miss the true value."""
    rows, groups = draw(sizes, accuracies, seed)
    (column,) = audit(rows, [pd.Series(groups.astype(str), name="group")], seed)[1]
    accuracy = column["differences"]["accuracy"]
    least, most = min(accuracies), max(accuracies)
    resampled = resample_sums(rows.summands, [np.flatnonzero(groups == group) for group in range(len(sizes))], seed)
    values, drawn = (
        np.stack([measure(getattr(sums, name), rows.binary)[0]["accuracy"] for sums in resampled], axis=1)[..., None]
        for name in ("given", "drawn")
    )
    worst, reach = float(values.max() - values.min()), find_reach(drawn - values)
    return (
        outside(most - least, accuracy["difference"]),
        outside(least / most, accuracy["ratio"]),
        outside(most - least, {"low": max(worst - reach, 0.0), "high": worst + reach}),
    )


def outside(true: float, interval: dict[str, float]) -> bool:
    return not interval["low"] - 1e-9 <= true <= interval["high"] + 1e-9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    options = parser.parse_args()
    print(f"{'rows of the groups':<20} {'true accuracies':<22} {'outside':>8} {'ratio':>7} {'by resampling':>14}")
    for sizes, accuracies in CASES:
        shares = np.mean([missed(sizes, accuracies, seed) for seed in range(options.runs)], axis=0)
        named = [
            f"{len(values)} × {values[0]}" if len(set(values)) == 1 else ", ".join(map(str, values))
            for values in (sizes, accuracies)
        ]
        print(f"{named[0]:<20} {named[1]:<22} {shares[0]:>8.1%} {shares[1]:>7.1%} {shares[2]:>14.1%}", flush=True)


if __name__ == "__main__":
    main()

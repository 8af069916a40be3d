"""The ranking of features, sampled beside unsampled: CPU seconds, and how far the best fifty agree.

    python benchmarks/ranking.py [--rows 3500] [--columns 2000] [--seeds 1] [--only KIND …] [--quick]

Agreement is the Jaccard index of the two top fifties at the same seed, the least over the seeds; `floor` is that of
the unsampled ranking with itself at another seed, which no sample can be asked to beat. Times are of all threads
together (two cores need about half), without the reading of the CSV, so that other jobs on the machine change little.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loramake.explore.profile import profile_column
from loramake.prepare.ranking import SAMPLE, Sample, rank

TOP = 50
SIGNALS = 30
KINDS: dict[str, tuple[int, Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]]] = {
    "linear": (2, lambda x, _: x[:, :SIGNALS] @ np.linspace(1, 0.1, SIGNALS)),
    "monotone": (2, lambda x, _: np.exp(x[:, :SIGNALS]) @ np.linspace(1, 0.1, SIGNALS)),
    "not monotone": (2, lambda x, _: x[:, :SIGNALS] ** 2 @ np.linspace(1, 0.1, SIGNALS)),
    "interactions": (2, lambda x, _: np.sign(x[:, :10] * x[:, 10:20]).sum(1) + 0.5 * x[:, :SIGNALS].sum(1)),
    "200 weak": (2, lambda x, _: 0.15 * x[:, :200].sum(1)),
    "categories": (2, lambda x, draw: draw.normal(size=(SIGNALS, 8))[np.arange(SIGNALS), bins(x)[:, :SIGNALS]].sum(1)),
    "2% of a label": (2, lambda x, _: x[:, :SIGNALS] @ np.linspace(1, 0.1, SIGNALS)),
    "linear, 3": (3, lambda x, draw: x[:, :SIGNALS] @ draw.normal(size=(SIGNALS, 3))),
    "linear, 10": (10, lambda x, draw: x[:, :SIGNALS] @ draw.normal(size=(SIGNALS, 10))),
    "linear, 100": (100, lambda x, draw: x[:, :SIGNALS] @ draw.normal(size=(SIGNALS, 100))),
}
"""Labels, and the score that they follow: (rows,) cut at a quantile, or (rows, labels) whose largest is the label."""


def bins(numbers: NDArray[Any]) -> NDArray[Any]:
    """Eight categories of normal numbers, as codes."""
    return np.digitize(numbers, [-1.2, -0.7, -0.3, 0.0, 0.3, 0.7, 1.2])


def make_table(kind: str, rows: int, columns: int, seed: int) -> tuple[pd.DataFrame, "pd.Series[str]"]:
    """Text cells as a CSV holds them, and the label: a share of the columns tells of it, with noise, the others not."""
    draw = np.random.default_rng(seed)
    cells = draw.normal(size=(rows, columns))
    score = KINDS[kind][1](cells, draw)
    score = score + draw.normal(size=score.shape) * (0.5 * score.std())
    share = 0.98 if kind == "2% of a label" else 0.5
    labels = score.argmax(1) if score.ndim == 2 else (score > np.quantile(score, share)).astype(int)
    names = [f"f{index:05d}" for index in draw.permutation(columns)]
    shown = pd.DataFrame(cells.round(4), columns=names).astype(str)
    if kind == "categories":
        shown = pd.DataFrame(np.array(list("hcafbgde"))[bins(cells)], columns=names)
    return shown, pd.Series(labels).map("label {}".format)


def timed(table: tuple[pd.DataFrame, "pd.Series[str]"], seed: int, sample: Sample | None) -> tuple[float, set[str]]:
    """CPU seconds of one ranking, and its best features."""
    features, target = table
    columns = [profile_column(features[name]) for name in features.columns]
    start = time.process_time()
    ranking = rank(features, target, columns, seed, sample)
    return time.process_time() - start, set(ranking["feature"].head(TOP))


def jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


def compare(kind: str, rows: int, columns: int, seeds: int) -> str:
    """One line of the output."""
    agreed, floors, seconds = [], [], []
    for seed in range(seeds):
        table = make_table(kind, rows, columns, seed)
        sampled, fast = timed(table, seed, SAMPLE)
        unsampled, slow = timed(table, seed, None)
        _, again = timed(table, seed + 1000, None)
        seconds.append((sampled, unsampled))
        agreed.append(jaccard(fast, slow))
        floors.append(jaccard(slow, again))
    sampled, unsampled = np.mean(seconds, axis=0)
    return (
        f"{kind:<14} {rows:>7,} {columns:>7,} {KINDS[kind][0]:>6} {sampled:>8.1f} {unsampled:>9.1f} "
        f"{unsampled / sampled:>6.1f} {min(agreed):>7.2f} {min(floors):>6.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=3500, help="train rows (default: 5,000 less the other splits)")
    parser.add_argument("--columns", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--quick", action="store_true", help="600 rows of 400 columns")
    options = parser.parse_args()
    rows, columns = (600, 400) if options.quick else (options.rows, options.columns)
    print(
        f"{'table':<14} {'rows':>7} {'columns':>7} {'labels':>6} {'sampled':>8} {'unsampled':>9} {'ratio':>6}", end=" "
    )
    print(f"{'jaccard':>7} {'floor':>6}")
    for kind in options.only:
        print(compare(kind, rows, columns, options.seeds), flush=True)


if __name__ == "__main__":
    main()

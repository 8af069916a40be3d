"""Mean coverage of the prediction sets over random splits, next to what is promised.

    python benchmarks/coverage.py                                    # synthetic rows of known label noise
    python benchmarks/coverage.py results/demo results/penguins      # and these experiments' calibration and test rows
    python benchmarks/coverage.py --conformal-confidence 0.95 --calibration isotonic --splits 1000

In each split the rows are dealt at random into a calibration and a test split; the calibration split is halved and the
probabilities calibrated as rule calibrate_probabilities does it, the sets are fitted on the half that the calibrator
did not see (on all of it where there are too few rows to calibrate at all), and tried on the rest. An experiment's rows
are those of its calibration and test splits, in its own shares; nothing is trained again.

`promised` is ⌈(n+1)·confidence⌉/(n+1), n the rows the sets were fitted on; class by class, n the label's own rows in
that split, averaged over the splits like the coverage. `error` is the standard error of the mean of the differences:
a difference of less than twice that is chance. LAC and every label of class-conditional sets must be within 0.01, else
the exit code is 1; only where scores are often equal (probabilities rounded, or isotonic) coverage may be higher.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from running import markdown

from loramake.prediction.predictions import Scored, read_scored
from loramake.tasks import read_task
from loramake.trust.calibration import METHODS as CALIBRATIONS
from loramake.trust.calibration import apply_calibrator, fit_on_half
from loramake.trust.conformal import fit_sets, try_sets
from loramake.trust.prediction_sets import METHODS, guarantee_of

BAR = 0.01
HEADER = ("rows tried", "sets", "of rows", "n", "promised", "coverage", "difference", "error", "labels in a set")


class Pool(NamedTuple):
    """Rows to deal out, how many of them to calibrate on, and whether equal scores are to be expected."""

    name: str
    scored: Scored
    labels: list[str]
    calibration: int
    ties: bool = False


class Line(NamedTuple):
    """A line of the table, as HEADER names it; numbers are means over the splits."""

    pool: str
    method: str
    group: str
    rows: float
    promised: float
    coverage: float
    difference: float
    error: float
    size: float


def made_up(name: str, weights: list[float], rows: int, calibration: int, digits: int | None = None) -> Pool:
    """Rows whose label is drawn from known probabilities, of which the predictor is told a far too certain version."""
    generator = np.random.default_rng(7)
    logits = 1.2 * generator.normal(size=(rows, len(weights))) + np.log(weights)
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (true.cumsum(axis=1) < generator.random((rows, 1))).sum(axis=1).clip(max=len(weights) - 1)
    told = true**2.5 / (true**2.5).sum(axis=1, keepdims=True)
    if digits is not None:
        told = (told + 10.0**-digits).round(digits)
        told /= told.sum(axis=1, keepdims=True)
    scored = Scored([("csv", row) for row in range(rows)], truth, told)
    return Pool(name, scored, [f"label {code}" for code in range(len(weights))], calibration, ties=digits is not None)


def read_pool(results: Path) -> Pool:
    """The calibration and test rows of a finished experiment, with the probabilities as they were predicted."""
    labels = read_task(results / "task.json").labels
    parts = [read_scored(results / "predictions" / f"{split}.jsonl", labels) for split in ("calibration", "test")]
    keys = [key for part in parts for key in part.keys]
    truth, probabilities = (np.concatenate([part[field] for part in parts]) for field in (1, 2))
    return Pool(results.name, Scored(keys, truth, probabilities), labels, len(parts[0].keys))


def deal(pool: Pool, asked: str, seed: int) -> tuple[Scored, Scored]:
    """Calibrated rows to fit sets on, and to try them on."""
    order = np.random.default_rng(seed).permutation(len(pool.scored.keys))
    calibration, test = (pool.scored.take(part) for part in np.split(order, [pool.calibration]))
    calibrator, held_out = fit_on_half(calibration, pool.labels, asked, seed)
    fitted, tried = (
        part._replace(probabilities=apply_calibrator(calibrator, part.probabilities)) for part in (held_out, test)
    )
    return fitted, tried


def try_pool(pool: Pool, asked: str, confidence: float, splits: int) -> list[Line]:
    """A line for each method, and for each label of class-conditional sets."""
    runs_by_group: dict[tuple[str, str], list[tuple[float, float, float, float]]] = {}
    for seed in range(splits):
        fitted, tried = deal(pool, asked, seed)
        counts = np.bincount(fitted.truth, minlength=len(pool.labels)).tolist()
        for method in METHODS:
            sizes, hits = (each[0] for each in try_sets(fit_sets(fitted, method, confidence), tried, [confidence]))
            groups = {"all": (len(fitted.truth), np.ones(len(hits), dtype=bool))}
            if method == "class_conditional":
                groups = {label: (counts[code], tried.truth == code) for code, label in enumerate(pool.labels)}
            for group, (rows, chosen) in groups.items():
                if chosen.any():
                    once = (rows, guarantee_of(rows, confidence), hits[chosen].mean(), sizes[chosen].mean())
                    runs_by_group.setdefault((method, group), []).append(once)
    return [summary(pool.name, *names, np.array(values)) for names, values in runs_by_group.items()]


def summary(pool: str, method: str, group: str, runs: NDArray[np.float64]) -> Line:
    """Means over the splits of n, promised coverage, coverage and labels in a set, shape (splits, 4)."""
    rows, promised, coverage, size = runs.mean(axis=0)
    differences = runs[:, 2] - runs[:, 1]
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return Line(pool, method, group, rows, promised, coverage, differences.mean(), error, size)


def is_held(line: Line, ties: bool) -> bool:
    """Whether a line that has to be within the bar is; with equal scores it may be above."""
    if line.method not in ("lac", "class_conditional"):
        return True
    return line.difference >= -BAR and (ties or line.difference <= BAR)


def shown(line: Line) -> list[str]:
    numbers = (f"{line.promised:.4f}", f"{line.coverage:.4f}", f"{line.difference:+.4f}", f"{line.error:.4f}")
    return [line.pool, line.method, line.group, f"{line.rows:.0f}", *numbers, f"{line.size:.2f}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="*", type=Path, help="folders of finished experiments")
    parser.add_argument("--splits", type=int, default=2000)
    parser.add_argument("--conformal-confidence", type=float, default=0.9)
    parser.add_argument("--calibration", choices=CALIBRATIONS, default="temperature")
    options = parser.parse_args()
    pools = [
        made_up("two labels", [0.5, 0.5], 600, 300),
        made_up("five labels, some rare", [0.4, 0.3, 0.15, 0.1, 0.05], 2000, 1000),
        made_up("two labels, rounded", [0.5, 0.5], 600, 300, digits=1),
        *map(read_pool, options.results),
    ]
    missed = []
    table = []
    for pool in pools:
        lines = try_pool(pool, options.calibration, options.conformal_confidence, options.splits)
        ties = pool.ties or options.calibration == "isotonic"
        table += [shown(line) for line in lines]
        missed += [line for line in lines if not is_held(line, ties)]
    print(markdown(HEADER, table))
    for line in missed:
        print(f"Not within {BAR}: {line.pool}, {line.method}, {line.group}.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

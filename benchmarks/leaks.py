"""Which planted leaks are found, at which noise, and what is reported of tables without one.

    python -m benchmarks.leaks [--seeds 10]

Noise is the share of rows whose planted value is another label's. "also" counts columns reported beside the planted.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from sklearn import datasets

from loramake.tables.reading import read_table
from support.plants import PLANTS, Plant, add_plant, leaks_of, random_table

DATA = Path(__file__).parents[1] / "data"
TARGETS = {"heart": "HeartDisease", "diabetes": "Outcome", "penguins": "species"}
NOISES = (0, 0.01, 0.05, 0.08, 0.12, 0.2)
TOYS = ("breast_cancer", "wine", "iris", "digits")


def share_found(table: pd.DataFrame, target: str, plant: Plant, noise: float, seeds: int) -> tuple[float, int]:
    """Share of seeds for which every planted column is found, and the number of other columns reported."""
    hits, others = 0, 0
    for seed in range(seeds):
        with_plant, planted = add_plant(table, target, plant, noise, seed)
        names = {leak["name"] for leak in leaks_of(with_plant, target)}
        hits += planted <= names
        others += len(names - planted)
    return hits / seeds, others


def compare_plants(name: str, seeds: int) -> None:
    """One line a plant: the share found at every noise."""
    table = read_table(DATA / f"{name}.csv")
    target = TARGETS[name]
    print(f"\n{name}: {len(table):,} rows, {table[target].nunique()} labels; share found by noise")
    print(f"{'planted':<22}" + "".join(f"{noise:>7.0%}" for noise in NOISES) + f"{'also':>7}")
    for what, plant in PLANTS.items():
        shares, others = zip(*(share_found(table, target, plant, noise, seeds) for noise in NOISES), strict=True)
        print(f"{what:<22}" + "".join(f"{share:>7.1f}" for share in shares) + f"{sum(others):>7}")


def unplanted() -> Iterator[tuple[str, pd.DataFrame, str]]:
    """Tables without a leak (titanic's `alive` but for): name, text, target."""
    for name, target in {**TARGETS, "titanic": "survived"}.items():
        yield name, read_table(DATA / f"{name}.csv"), target
    for name in TOYS:
        yield name, getattr(datasets, f"load_{name}")(as_frame=True).frame.astype(str), "target"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--random-tables", type=int, default=200)
    options = parser.parse_args()
    for name in TARGETS:
        compare_plants(name, options.seeds)
    print("\nwithout a plant")
    for name, table, target in unplanted():
        start = time.perf_counter()
        names = [leak["name"] for leak in leaks_of(table, target)]
        seconds = time.perf_counter() - start
        size = f"{len(table):,} rows, {table.shape[1]} columns"
        print(f"{name:<22}{', '.join(names) or 'none':<12}{seconds:>6.2f} s, {size}")
    alarms = sum(bool(leaks_of(random_table(seed), "target")) for seed in range(options.random_tables))
    print(f"random labels: {alarms} of {options.random_tables} tables with an alarm")


if __name__ == "__main__":
    main()

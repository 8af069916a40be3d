"""How long a large table takes to be profiled, read and prepared: plainly written, and in other formats.

    python benchmarks/profiling.py

100,000 rows of 50 columns, half of them numbers, and a target; the best of two runs each, one of the preparation
(generated code in its sandbox).
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from running import ROOT, markdown

sys.path.insert(0, str(ROOT))

from loramake.explore.profile import profile_csv
from loramake.tables.source import describe_source
from support.experiment import Experiment

ROWS, COLUMNS, RUNS = 100_000, 50, 2


def plain() -> pd.DataFrame:
    chance = np.random.default_rng(0)
    numbers = {f"n{i}": chance.normal(1000, 300, ROWS).round(2).astype(str) for i in range(COLUMNS // 2)}
    words = {f"c{i}": chance.choice([f"town {town}" for town in range(200)], ROWS) for i in range(COLUMNS // 2)}
    return pd.DataFrame({**numbers, **words, "target": chance.choice(["no", "yes"], ROWS)})


def formatted() -> pd.DataFrame:
    """The same with currency, decimal commas, dashes for missing cells, and dates by month name."""
    table = plain()
    days = pd.date_range("2000-01-01", periods=5000).strftime("%d %b %Y").to_numpy()
    for i in range(COLUMNS // 2):
        cells = table[f"n{i}"]
        table[f"n{i}"] = (
            "$" + cells
            if i % 3 == 0
            else cells.str.replace(".", ",")
            if i % 3 == 1
            else cells.where(cells.index % 9 > 0, "-")
        )
        if i % 5 == 0:
            table[f"c{i}"] = np.random.default_rng(i).choice(days, ROWS)
    return table


def best(work: Callable[[], object], runs: int = RUNS) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        csv, profile = Path(folder) / "t.csv", Path(folder) / "profile.json"
        for name, make in (("plain", plain), ("other formats", formatted)):
            make().to_csv(csv, index=False)
            profiling = best(lambda: profile_csv(csv, None, profile))
            reading = best(lambda: describe_source(csv, None, profile).read())
            preparing = best(Experiment(Path(folder), csv).execute, runs=1)
            rows.append([name, f"{profiling:.1f}", f"{reading:.1f}", f"{preparing:.1f}"])
    print(markdown(("100,000 × 50", "profile, s", "read, s", "prepare, s"), rows))


if __name__ == "__main__":
    main()

"""How long prepare_data.py takes: its two halves in a sandbox each, beside the same without one.

    python benchmarks/preparation.py

heart.csv, and a synthetic table of 100,000 rows and 20 columns; the median of a few runs each.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from running import ROOT, markdown

sys.path.insert(0, str(ROOT))

from loramake.prepare.code import choose_prep_sandbox
from loramake.prepare.execution import execute_prep_code
from support.experiment import Experiment


def synthetic(folder: Path, rows: int = 100_000, columns: int = 20) -> Path:
    """A table of numbers and categories, its target drawn at random."""
    chance = np.random.default_rng(0)
    numbers = {f"n{i}": chance.normal(size=rows).round(3) for i in range(columns // 2)}
    words = {f"c{i}": chance.choice(["red", "green", "blue"], rows) for i in range(columns // 2)}
    table = pd.DataFrame({**numbers, **words, "target": chance.choice(["no", "yes"], rows)})
    table.to_csv(folder / "synthetic.csv", index=False)
    return folder / "synthetic.csv"


def seconds(experiment: Experiment, setting: str, runs: int) -> float:
    """The median time of a whole preparation."""
    sandbox = choose_prep_sandbox(setting, experiment.plan)
    files = (experiment.script, experiment.plan, experiment.source, experiment.splits)
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        execute_prep_code(*files, sandbox, experiment.all_data, experiment.state)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for csv, runs in ((ROOT / "data/heart.csv", 5), (synthetic(folder), 1)):
            experiment = Experiment(folder, csv)
            closed, limits = (seconds(experiment, setting, runs) for setting in ("bubblewrap", "none"))
            lines.append([csv.name, f"{closed:.2f} s", f"{limits:.2f} s", f"{closed / limits:.2f}"])
    print(markdown(["table", "in two sandboxes", "in two processes", "ratio"], lines))


if __name__ == "__main__":
    main()

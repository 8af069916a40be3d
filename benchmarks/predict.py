"""Speed and memory of `loramake predict`: few new rows beside many.

    python benchmarks/predict.py results/demo data/heart.csv      # 10,000 and 100,000 rows; minutes on two CPU cores

Takes a finished experiment and the table it was made from, draws new rows from that table with replacement, and runs
the command on them, with --output. Memory is the most that the command and its children hold at once, looked at ten
times a second; seconds are the whole command's, loading the model included. Flat is what it should be: batches of 2,000
rows are read, prepared, predicted and written one after the other.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil
from running import markdown


def memory_of(process: psutil.Process) -> int:
    """Resident bytes of a process and its children.

    By proportional set size: a child that is just being started still has all of its parent's pages, which would
    count twice.
    """
    held = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for each in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                held += each.memory_full_info().pss
    return held


def run(results: Path, csv: Path, output: Path) -> tuple[float, float]:
    """Seconds and the most MiB held; SystemExit with what the command said where it fails."""
    loramake = Path(sys.executable).with_name("loramake")
    command = [str(loramake), "predict", str(results), "--csv", str(csv), "--output", str(output)]
    started, most = time.perf_counter(), 0
    with (output.with_suffix(".log")).open("w+", encoding="utf-8") as log:
        process = psutil.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        while process.poll() is None:
            most = max(most, memory_of(process))
            time.sleep(0.1)
        if process.returncode:
            log.seek(0)
            sys.exit(log.read())
    return time.perf_counter() - started, most / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="the folder of a finished experiment")
    parser.add_argument("table", type=Path, help="the CSV it was made from")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    options = parser.parse_args()
    table, lines = pd.read_csv(options.table, dtype=str, keep_default_na=False), []
    with tempfile.TemporaryDirectory(prefix="predict-") as temporary:
        for rows in options.rows:
            csv, output = Path(temporary, "new.csv"), Path(temporary, f"{rows}.csv")
            table.sample(rows, replace=True, random_state=0).to_csv(csv, index=False)
            seconds, most = run(options.results, csv, output)
            assert len(pd.read_csv(output)) == rows
            lines.append([f"{rows:,}", f"{seconds:.0f}", f"{rows / seconds:,.0f}", f"{most:,.0f}"])
    print(markdown(("rows", "seconds", "rows a second", "MiB at most"), lines))


if __name__ == "__main__":
    main()

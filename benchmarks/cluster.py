"""How long the heart demo takes beside Snakemake, and with its training and predictions as SLURM jobs.

    tests/slurm/cluster.sh start    # or on a login node, with --profile your own folder
    python benchmarks/cluster.py [--profile profiles/cluster]

The two runs follow each other, each in a folder of its own. The seconds of a step are its own, without the start of its
job and the time until the executor notices its end. `load` is the machine's when the run begins.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from running import ROOT, make_workplace, markdown, snakemake

ON_GPU = ("run_finetuning", "run_prediction", "measure_robustness")


def measure(folder: Path, arguments: list[str]) -> list[str]:
    """A run's seconds, in all and of each step with a GPU, and the load that it began with."""
    make_workplace(folder, "demo", pd.read_csv(ROOT / "data/heart.csv"), {})
    load, started = os.getloadavg()[0], time.perf_counter()
    if said := snakemake(folder, "results/demo/evaluation/results.json", *arguments):
        sys.exit(said)
    wall = time.perf_counter() - started
    files = [folder / f"results/demo/benchmarks/{name}.tsv" for name in ON_GPU]
    steps = [float(pd.read_csv(path, sep="\t")["s"].iloc[0]) for path in files]
    return [*(f"{seconds:.0f} s" for seconds in (wall, *steps)), f"{load:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", type=Path, default=ROOT / "profiles/cluster.example", help="yours for the cluster")
    options = parser.parse_args()
    profiles = ["--workflow-profile", str(ROOT / "profiles/slurm"), "--profile", str(options.profile.resolve())]
    lines = []
    with tempfile.TemporaryDirectory() as temporary:
        for way, arguments in (("`--cores 2`", []), ("through SLURM", profiles)):
            lines.append([way, *measure(Path(temporary) / str(len(lines)), arguments)])
    print(markdown(("run", "wall time", *(f"`{name}`" for name in ON_GPU), "load"), lines))


if __name__ == "__main__":
    main()

"""What a change of no meaning changes: rows in another order, columns in another order, another label first.

    python benchmarks/invariance.py --keep /tmp/invariance            # heart and penguins: an hour on two CPU cores
    python benchmarks/invariance.py --sets penguins --seeds 1 --quick # to see that it runs

For each set the real workflow runs on the table as it is and on three others that hold the same rows: rows shuffled,
columns shuffled (target included), rows reordered so that the label that came last comes first. Every row must be on
the same side in all of them, by its content (`same splits`; anything else is an error, and the exit code is 1).
The order of rows is the order of training batches and that of columns the order within a prompt, so the figures need
not be the same. How far they may move is told by the other rows: the unchanged table with other training seeds.

`seed` in config.yaml draws splits, balancing and training together. To draw the training alone anew, the workflow runs
up to the reviewed configuration with seed 42, the folder is copied, `seed:` in results/NAME/configs/train.yaml is
edited as a person would, and Snakemake is asked for results.json with `--rerun-triggers mtime`: the edited file is
newer than all that it is made from, so nothing before the training runs again. LlamaFactory takes order of rows, start
of the LoRA matrices and dropout from that seed.
"""

import argparse
import re
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from breadth import SETS
from running import QUICK, make_workplace, names_of, read_json, snakemake, three

METRICS = ("roc_auc", "accuracy", "log_loss")
VARIANTS = ("unchanged", "rows shuffled", "columns shuffled", "last label first")


def vary(table: pd.DataFrame, target: str, variant: str) -> pd.DataFrame:
    """The same rows and columns in another order."""
    if variant == "rows shuffled":
        return table.sample(frac=1.0, random_state=0)
    if variant == "columns shuffled":
        return table[np.random.default_rng(0).permutation(table.columns)]
    if variant == "last label first":
        places = {label: place for place, label in enumerate(table[target].unique())}
        return table.iloc[np.argsort([-places[label] for label in table[target]], kind="stable")]
    return table


def sides(folder: Path, name: str) -> Counter[tuple[str, ...]]:
    """How many rows of each content are on each side, whatever the order of rows and columns."""
    table = pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
    splits = pd.read_csv(folder / f"results/{name}/splits.csv")
    rows = table[sorted(table.columns)].iloc[splits["row"]].itertuples(index=False, name=None)
    return Counter((*row, split) for row, split in zip(rows, splits["split"], strict=True))


def finish(folder: Path, name: str, *arguments: str) -> dict[str, float]:
    """The test metrics of loramake after a whole run; SystemExit with the sentence it failed with."""
    failed = snakemake(folder, f"results/{name}/evaluation/results.json", *arguments)
    if failed:
        sys.exit(f"{folder}: {failed}")
    measured: dict[str, float] = read_json(folder / f"results/{name}/evaluation/results.json")["test"]["loramake"]
    return measured


def run_seed(start: Path, folder: Path, name: str, seed: int) -> dict[str, float]:
    """The test metrics after a training with another seed, on the splits and records of the folder `start`."""
    if not folder.exists():
        shutil.copytree(start, folder, symlinks=True)
        config = folder / f"results/{name}/configs/train.yaml"
        text, changed = re.subn(r"(?m)^seed: .*$", f"seed: {seed}", config.read_text(encoding="utf-8"))
        if changed != 1:
            sys.exit(f"{config} has no line that starts with seed: so its training seed cannot be changed.")
        config.write_text(text, encoding="utf-8")
    return finish(folder, name, "--rerun-triggers", "mtime")


def run_set(name: str, folder: Path, seeds: int, settings: dict[str, object]) -> bool:
    """Print a line a variant and a line a seed; whether every variant has the same splits."""
    target, make = SETS[name]
    table, same = make(), True
    start = make_workplace(folder / "start", name, table, {"target": target, **settings})
    if failed := snakemake(start, f"results/{name}/review/config.json"):
        sys.exit(f"{start}: {failed}")
    expected = sides(start, name)
    for variant in VARIANTS:
        varied = vary(table, target, variant)
        place = make_workplace(folder / variant.replace(" ", "-"), name, varied, {"target": target, **settings})
        measured = finish(place, name)
        equal = sides(place, name) == expected
        same = same and equal
        show(name, variant, "same splits" if equal else "OTHER SPLITS", measured)
    runs = [run_seed(start, folder / f"seed-{seed}", name, seed) for seed in range(1, seeds + 1)]
    for seed, measured in enumerate(runs, 1):
        show(name, f"training seed {seed}", "same splits", measured)
    if len(runs) > 1:
        spread = {metric: statistics.stdev(run[metric] for run in runs) for metric in METRICS}
        show(name, "standard deviation", "over the seeds", spread)
    return same


def show(name: str, run: str, splits: str, measured: dict[str, float]) -> None:
    figures = "  ".join(f"{metric} {three(measured[metric])}" for metric in METRICS)
    print(f"{name:<10}  {run:<18}  {splits:<14}  {figures}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sets", type=names_of(SETS), default="heart,penguins", help="names of breadth.py's sets, separated by commas"
    )
    parser.add_argument("--seeds", type=int, default=3, help="further trainings of the unchanged table")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to work, and leave everything for next time")
    parser.add_argument("--quick", action="store_true", help="one epoch: to see that it runs")
    options = parser.parse_args()
    same = []
    with tempfile.TemporaryDirectory(prefix="invariance-") as temporary:
        for name in options.sets:
            folder = (options.keep or Path(temporary)).resolve() / name
            same.append(run_set(name, folder, options.seeds, dict(QUICK) if options.quick else {}))
    sys.exit(0 if all(same) else 1)


if __name__ == "__main__":
    main()

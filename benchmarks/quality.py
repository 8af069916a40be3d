"""How good loramake is on ordinary tables beside its baselines, over several seeds, through the workflow.

    python benchmarks/quality.py --keep /tmp/quality                 # six tables, three seeds
    python benchmarks/quality.py --rows 64                           # the same, 64 rows to train on
    python benchmarks/quality.py --rows 64 --base random             # beside it: the same base before it was pretrained
    python benchmarks/quality.py --labels shuffled                   # nothing to learn: ROC-AUC must be near 0.5
    python benchmarks/quality.py --change columns                    # columns in another order; names: other names
    python benchmarks/quality.py --sets imbalanced                   # one row in twenty has the label that counts
    python benchmarks/quality.py --tables FOLDER --seeds 1           # every CSV of a folder, its target called label

A seed draws splits, balancing and training. Every other setting is the default of models/tiny's card, the same for all
tables. `ratio` is (ROC-AUC - 0.5) / (best baseline's ROC-AUC - 0.5), the best baseline chosen by its test rows, run by
run; its mean over all sets is the last line. Means are over the seeds, with their standard deviation. Training seconds
are of the rule run_finetuning, which has both cores for itself (unless --cores is 1).

With --rows N, N rows are the whole training split, and up to 1,000 other rows are the test table (test_csv). With
--base random, pretraining/pretrain.py writes its starting point (--steps 0) and the workflow takes that instead.
With --change, the unchanged tables run too, and the absolute change of loramake's ROC-AUC is printed.
"""

import argparse
import functools
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from breadth import SETS as BREADTH
from running import ROOT, make_folder, markdown, names_of, read_json, snakemake, three
from sklearn.model_selection import train_test_split

from loramake.report.timings import read_timings

TEST_ROWS = 1000
MODELS = ("majority", "logistic_regression", "hist_gradient_boosting", "loramake")
HEADER = (
    "set",
    "majority: accuracy",
    "logistic regression: accuracy",
    "ROC-AUC",
    "boosting: accuracy",
    "ROC-AUC",
    "loramake: accuracy",
    "ROC-AUC",
    "balanced accuracy",
    "training, s",
    "ratio",
)


def imbalanced() -> pd.DataFrame:
    """1,200 rows of eight columns; a line of three of them and one category make the label of 5% of the rows."""
    generator = np.random.default_rng(5)
    numbers = generator.normal(size=(1200, 7))
    route = generator.choice(["north", "south", "harbour"], size=1200)
    scores = numbers[:, [1, 4, 6]] @ np.array([1.5, -1.0, 1.0]) + 1.5 * (route == "harbour")
    scores += 0.7 * generator.normal(size=1200)
    table = pd.DataFrame(numbers.round(3), columns=["load", "age", "delay", "mileage", "heat", "cost", "price"])
    return table.assign(route=route, outcome=np.where(scores >= np.sort(scores)[-60], "late", "in time"))


STANDARD = ("heart", "diabetes", "titanic", "penguins", "breast_cancer", "wine")
SETS: dict[str, tuple[str, Callable[[], pd.DataFrame]]] = {
    **{name: BREADTH[name] for name in STANDARD},
    "imbalanced": ("outcome", imbalanced),
}


def sets_in(folder: Path) -> dict[str, tuple[str, Callable[[], pd.DataFrame]]]:
    """The tables of a folder by name; SystemExit if there are none."""
    tables = {path.stem: path for path in sorted(folder.glob("*.csv"))}
    if not tables:
        sys.exit(f"{folder} contains no CSV.")
    read = functools.partial(pd.read_csv, dtype=str, keep_default_na=False)
    return {name: ("label", functools.partial(read, path)) for name, path in tables.items()}


@dataclass(frozen=True)
class Variant:
    """What is done to a table before the workflow sees it, and with which base."""

    rows: int | None = None
    shuffled: bool = False
    change: str | None = None
    model: str = "models/tiny"


def run(name: str, seeds: list[int], folder: Path, variant: Variant, cores: int) -> list[dict[str, Any]]:
    """Of each seed the metrics by model on test, and the seconds of its training.

    The workflow runs up to the evaluation: what comes after it (sets, robustness, report) changes no figure here.
    """
    return [
        read_run(results) for results in make_files(name, seeds, folder, variant, ["evaluation/metrics.json"], cores)
    ]


def make_files(
    name: str, seeds: list[int], folder: Path, variant: Variant, files: list[str], cores: int = 2
) -> list[Path]:
    """Let the workflow make these files of each seed's experiment; the folders results/NAME.

    SystemExit with the sentence that the workflow failed with.
    """
    target, make = SETS[name]
    tables: dict[str, pd.DataFrame] = {}
    experiments: dict[str, dict[str, Any]] = {}
    for seed in seeds:
        table = vary(make(), target, variant, seed)
        settings = {"csv": f"{name}-{seed}.csv", "target": target, "seed": seed, "model": variant.model}
        if variant.rows is not None:
            table, rest = parted(table, target, variant.rows, seed)
            tables[f"{name}-{seed}-test.csv"] = rest
            settings |= {"test_csv": f"{name}-{seed}-test.csv", "calibration_ratio": 0.0}
        tables[f"{name}-{seed}.csv"] = table
        experiments[f"{name}-{seed}"] = settings
    make_folder(folder, tables, experiments)
    results = [f"results/{experiment}" for experiment in experiments]
    failed = snakemake(folder, *(f"{path}/{file}" for path in results for file in files), cores=cores)
    if failed:
        sys.exit(f"{folder}: {failed}")
    return [folder / path for path in results]


def read_run(results: Path) -> dict[str, Any]:
    models = read_json(results / "evaluation/metrics.json")["splits"]["test"]["models"]
    return {
        "test": {
            model: {metric: interval["value"] for metric, interval in models[model]["metrics"].items()}
            for model in MODELS
        },
        "seconds": read_timings(results / "benchmarks")["run_finetuning"],
    }


def vary(table: pd.DataFrame, target: str, variant: Variant, seed: int) -> pd.DataFrame:
    """The table with its labels shuffled, its columns in another order, or under names that say nothing."""
    table = table[table[target].astype(str).str.strip() != ""]
    if variant.shuffled:
        table = table.assign(**{target: np.random.default_rng(seed).permutation(table[target])})
    if variant.change == "columns":
        return table[np.random.default_rng(0).permutation(table.columns)]
    if variant.change == "names":
        features = [name for name in table if name != target]
        return table.rename(columns={name: f"column {index}" for index, name in enumerate(features, 1)})
    return table


def parted(table: pd.DataFrame, target: str, rows: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """As many rows to train on, each label with its share of them, and others to test on."""
    train, test = train_test_split(table, train_size=rows, stratify=table[target], random_state=seed)
    return train, test.head(TEST_ROWS)


def place_of(variant: Variant, base: str = "pretrained") -> str:
    """The folder of a variant's runs."""
    labels = "shuffled" if variant.shuffled else "given"
    return "-".join([base, str(variant.rows or "all"), labels, variant.change or "unchanged"])


def make_random_base(folder: Path) -> str:
    """models/tiny as it was before its pretraining, with its card."""
    base = folder / "random"
    if not (base / "README.md").exists():
        recipe = [sys.executable, str(ROOT / "pretraining/pretrain.py"), "--steps", "0", "--out", str(base)]
        subprocess.run([*recipe, "--work", str(folder / "random-work")], check=True, stdout=subprocess.DEVNULL)
        (base / "README.md").write_bytes((ROOT / "models/tiny/README.md").read_bytes())
    return str(base)


def ratio(result: dict[str, Any]) -> float:
    """How much of the best baseline's distance from chance loramake has."""
    areas = {model: result["test"][model]["roc_auc"] for model in MODELS}
    best = max(areas["logistic_regression"], areas["hist_gradient_boosting"])
    return float((areas["loramake"] - 0.5) / (best - 0.5))


def row(name: str, runs: list[dict[str, Any]]) -> list[str]:
    """A row of the table: means over the seeds and their standard deviations."""

    def measured(model: str, metric: str) -> str:
        return spread([result["test"][model][metric] for result in runs])

    pairs = [measured(model, metric) for model in MODELS[1:] for metric in ("accuracy", "roc_auc")]
    seconds = statistics.fmean(result["seconds"] for result in runs)
    ratios = three(statistics.fmean(map(ratio, runs)))
    balanced = measured("loramake", "balanced_accuracy")
    return [name, measured("majority", "accuracy"), *pairs, balanced, f"{seconds:.0f}", ratios]


def spread(values: list[float]) -> str:
    return three(statistics.fmean(values)) + (f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else "")


def area(runs: list[dict[str, Any]]) -> list[float]:
    """loramake's ROC-AUC of each run."""
    return [result["test"]["loramake"]["roc_auc"] for result in runs]


def summary(by_set: dict[str, list[dict[str, Any]]], variant: Variant, unchanged: list[float]) -> str:
    """The sentence below the table."""
    areas = [value for runs in by_set.values() for value in area(runs)]
    if variant.shuffled:
        return f"labels shuffled: mean ROC-AUC {statistics.fmean(areas):.3f} over {len(areas)} runs"
    if variant.change:
        moved = statistics.fmean(abs(after - before) for after, before in zip(areas, unchanged, strict=True))
        return f"{variant.change} changed: mean absolute change of ROC-AUC {moved:.3f} over {len(areas)} runs"
    means = {name: statistics.fmean(map(ratio, runs)) for name, runs in by_set.items()}
    lowest = min(means, key=lambda name: means[name])
    return f"mean ratio {statistics.fmean(means.values()):.3f}, lowest {means[lowest]:.3f} ({lowest})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=names_of(SETS), default=list(STANDARD), help="names, separated by commas")
    parser.add_argument("--tables", type=Path, metavar="FOLDER", help="its CSVs in place of the sets named here")
    parser.add_argument("--seeds", type=int, default=3, help="how many: 42, 43, …")
    parser.add_argument("--rows", type=int, help="rows to train on; all unless given")
    parser.add_argument("--base", choices=["pretrained", "random"], default="pretrained")
    parser.add_argument("--labels", choices=["given", "shuffled"], default="given")
    parser.add_argument("--change", choices=["columns", "names"], help="what of the table to change")
    parser.add_argument("--cores", type=int, default=2, help="of each run; with 1, two may run side by side")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to work, and leave everything for next time")
    options = parser.parse_args()
    if options.tables is not None:
        SETS.clear()
        SETS.update(sets_in(options.tables))
        options.sets = list(SETS)
    seeds = [42 + index for index in range(options.seeds)]
    with tempfile.TemporaryDirectory(prefix="quality-") as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        model = make_random_base(folder) if options.base == "random" else "models/tiny"
        variant = Variant(options.rows, options.labels == "shuffled", options.change, model)
        place = place_of(variant, options.base)
        by_set: dict[str, list[dict[str, Any]]] = {}
        unchanged: list[float] = []
        for name in options.sets:
            if variant.change:
                start = folder / place.replace(variant.change, "unchanged") / name
                given = Variant(options.rows, variant.shuffled, None, model)
                unchanged += area(run(name, seeds, start, given, options.cores))
            by_set[name] = run(name, seeds, folder / place / name, variant, options.cores)
            print("  ".join(row(name, by_set[name])), flush=True)
    print()
    print(markdown(HEADER, [row(name, runs) for name, runs in by_set.items()]))
    print()
    print(summary(by_set, variant, unchanged))


if __name__ == "__main__":
    main()

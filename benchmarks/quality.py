"""How good loramake is on ordinary tables beside its baselines, over several splits, through the workflow.

    python benchmarks/quality.py --keep /tmp/quality                 # 28 tables, three seeds; --seeds 5
    python benchmarks/quality.py --sets heart,wine                   # some of them
    python benchmarks/quality.py --rows 64                           # the same, 64 rows to train on; 256
    python benchmarks/quality.py --rows 64 --base random             # beside it: the same base before it was pretrained
    python benchmarks/quality.py --labels shuffled                   # nothing to learn: ROC-AUC must be near 0.5
    python benchmarks/quality.py --change columns                    # columns in another order; names: other names
    python benchmarks/quality.py --sets imbalanced                   # one row in twenty has the label that counts
    python benchmarks/quality.py --tables FOLDER                     # every CSV of a folder, target label

Tables: six well-known ones (data/ and scikit-learn's) and 22 of data/tables. A seed draws splits and training; every
other setting is the default of models/tiny's card, the same for all tables. Several tables run side by side (--jobs),
each on one core; with --keep the folders stay, and a second call runs only what is not there.

`ratio` is (ROC-AUC - 0.5) / (best baseline's ROC-AUC - 0.5), the best baseline chosen by its test rows, run by run;
`difference` is that of the two ROC-AUCs. Log loss in nats a row and ECE are of test rows, before and after calibration;
`constant` is the log loss of the train rows' label frequencies, `loss ratio` the calibrated log loss by the best
baseline's (that of the lowest log loss). Coverage is that of the 90% sets. All are means over the seeds.

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
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from breadth import SETS as BREADTH
from running import ROOT, make_folder, markdown, names_of, read_json, snakemake, three
from scipy.stats import rankdata
from sklearn.model_selection import train_test_split

from loramake.report.timings import read_timings

TEST_ROWS = 1000
OURS = "loramake"
CONSTANT = "majority"
"""The baseline that gives every row the label frequencies of the train rows."""
FILES = ["evaluation/metrics.json", "trust/calibration_measures.json", "trust/conformal.json"]
"""What is read of each run; what comes after them (robustness, report) changes no figure here."""
HEADER = (
    "set",
    "loramake: ROC-AUC",
    "best baseline",
    "its ROC-AUC",
    "ratio",
    "difference",
    "log loss",
    "calibrated",
    "constant",
    "loss ratio",
    "ECE",
    "calibrated",
    "coverage",
    "training, s",
)
TABLES = ROOT / "data/tables"
Sets = dict[str, tuple[str, Callable[[], pd.DataFrame]]]
"""By name the target and a function that gives the table."""


def imbalanced() -> pd.DataFrame:
    """1,200 rows of eight columns; a line of three of them and one category make the label of 5% of the rows."""
    generator = np.random.default_rng(5)
    numbers = generator.normal(size=(1200, 7))
    route = generator.choice(["north", "south", "harbour"], size=1200)
    scores = numbers[:, [1, 4, 6]] @ np.array([1.5, -1.0, 1.0]) + 1.5 * (route == "harbour")
    scores += 0.7 * generator.normal(size=1200)
    table = pd.DataFrame(numbers.round(3), columns=["load", "age", "delay", "mileage", "heat", "cost", "price"])
    return table.assign(route=route, outcome=np.where(scores >= np.sort(scores)[-60], "late", "in time"))


def sets_in(folder: Path) -> Sets:
    """The tables of a folder by name; SystemExit if there are none."""
    tables = {path.stem: path for path in sorted(folder.glob("*.csv"))}
    if not tables:
        sys.exit(f"{folder} contains no CSV.")
    read = functools.partial(pd.read_csv, dtype=str, keep_default_na=False)
    return {name: ("label", functools.partial(read, path)) for name, path in tables.items()}


STANDARD = ("heart", "diabetes", "titanic", "penguins", "breast_cancer", "wine")
SETS: Sets = {
    **{name: BREADTH[name] for name in STANDARD},
    **sets_in(TABLES),
    "imbalanced": ("outcome", imbalanced),
}
ALL = [name for name in SETS if name != "imbalanced"]


@dataclass(frozen=True)
class Variant:
    """What is done to a table before the workflow sees it, and with which base."""

    rows: int | None = None
    shuffled: bool = False
    change: str | None = None
    model: str = "models/tiny"


@dataclass(frozen=True)
class Run:
    """One run's figures, all of test rows."""

    test: dict[str, dict[str, float]]
    """Metrics by model, of uncalibrated probabilities."""
    before: dict[str, float]
    """Calibration measures of loramake."""
    after: dict[str, float]
    coverage: float
    seconds: float
    """Of the training."""

    @property
    def baselines(self) -> dict[str, dict[str, float]]:
        return {model: metrics for model, metrics in self.test.items() if model != OURS}

    @property
    def best(self) -> str:
        """The baseline of the highest ROC-AUC."""
        return max(self.baselines, key=lambda model: self.test[model]["roc_auc"])

    @property
    def ratio(self) -> float:
        """How much of the best baseline's distance from chance loramake has."""
        return (self.test[OURS]["roc_auc"] - 0.5) / (self.test[self.best]["roc_auc"] - 0.5)

    @property
    def difference(self) -> float:
        return self.test[OURS]["roc_auc"] - self.test[self.best]["roc_auc"]

    @property
    def loss_ratio(self) -> float:
        return self.after["log_loss"] / min(metrics["log_loss"] for metrics in self.baselines.values())

    @property
    def ranks(self) -> dict[str, float]:
        """1 is the model of the highest ROC-AUC."""
        areas = {model: -metrics["roc_auc"] for model, metrics in self.test.items() if model != CONSTANT}
        return dict(zip(areas, rankdata(list(areas.values())).tolist(), strict=True))


def run(name: str, seeds: list[int], folder: Path, variant: Variant, cores: int) -> list[Run]:
    """The figures of each seed's run."""
    return [read_run(results) for results in make_files(name, seeds, folder, variant, FILES, cores)]


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


def read_test(results: Path) -> dict[str, dict[str, float]]:
    """Metrics on the test rows by model."""
    models = read_json(results / FILES[0])["splits"]["test"]["models"]
    return {
        model: {metric: interval["value"] for metric, interval in measured["metrics"].items()}
        for model, measured in models.items()
    }


def read_run(results: Path) -> Run:
    measured, sets = read_json(results / FILES[1]), read_json(results / FILES[2])
    before, after = (
        {name: estimate["value"] for name, estimate in measured[when]["measures"].items()}
        for when in ("before", "after")
    )
    coverage = next(each for each in sets["methods"] if each["method"] == sets["method"])["coverage"]["value"]
    seconds = read_timings(results / "benchmarks")["run_finetuning"]
    return Run(read_test(results), before, after, coverage, seconds)


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


def row(name: str, runs: list[Run]) -> list[str]:
    """A row of the table: means over the seeds."""
    best = Counter(each.best for each in runs).most_common(1)[0][0]
    columns: list[Callable[[Run], float]] = [
        lambda each: each.test[OURS]["roc_auc"],
        lambda each: each.test[each.best]["roc_auc"],
        lambda each: each.ratio,
        lambda each: each.difference,
        lambda each: each.before["log_loss"],
        lambda each: each.after["log_loss"],
        lambda each: each.test[CONSTANT]["log_loss"],
        lambda each: each.loss_ratio,
        lambda each: each.before["ece"],
        lambda each: each.after["ece"],
        lambda each: each.coverage,
    ]
    shown = [spread([column(each) for each in runs]) for column in columns]
    seconds = statistics.fmean(each.seconds for each in runs)
    return [name, shown[0], best.replace("_", " "), *shown[1:], f"{seconds:.0f}"]


def spread(values: list[float]) -> str:
    return three(statistics.fmean(values)) + (f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else "")


def area(runs: list[Run]) -> list[float]:
    """loramake's ROC-AUC of each run."""
    return [each.test[OURS]["roc_auc"] for each in runs]


def summary(by_set: dict[str, list[Run]], variant: Variant, unchanged: list[float]) -> str:
    """The sentences below the table."""
    areas = [value for runs in by_set.values() for value in area(runs)]
    if variant.shuffled:
        return f"labels shuffled: mean ROC-AUC {statistics.fmean(areas):.3f} over {len(areas)} runs"
    if variant.change:
        moved = statistics.fmean(abs(after - before) for after, before in zip(areas, unchanged, strict=True))
        return f"{variant.change} changed: mean absolute change of ROC-AUC {moved:.3f} over {len(areas)} runs"
    every = [each for runs in by_set.values() for each in runs]
    ratios = {name: statistics.fmean(each.ratio for each in runs) for name, runs in by_set.items()}
    losses = {name: statistics.geometric_mean(each.loss_ratio for each in runs) for name, runs in by_set.items()}
    ranks = {model: statistics.fmean(each.ranks[model] for each in every) for model in every[0].ranks}
    return "\n".join(
        [
            f"ratio: {_overall(ratios, statistics.fmean(ratios.values()), min)}",
            f"loss ratio: {_overall(losses, statistics.geometric_mean(losses.values()), max)}",
            "mean rank by ROC-AUC: " + ", ".join(f"{model} {rank:.2f}" for model, rank in ranks.items()),
        ]
    )


def _overall(by_set: dict[str, float], mean: float, worst: Callable[..., str]) -> str:
    name = worst(by_set, key=by_set.__getitem__)
    median = statistics.median(by_set.values())
    return f"mean {mean:.3f}, median {median:.3f}, worst {by_set[name]:.3f} ({name}), over {len(by_set)} tables"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=names_of(SETS), default=ALL, help="names, separated by commas")
    parser.add_argument("--tables", type=Path, metavar="FOLDER", help="its CSVs in place of the sets named here")
    parser.add_argument("--seeds", type=int, default=3, help="how many: 42, 43, …")
    parser.add_argument("--rows", type=int, help="rows to train on; all unless given")
    parser.add_argument("--base", choices=["pretrained", "random"], default="pretrained")
    parser.add_argument("--labels", choices=["given", "shuffled"], default="given")
    parser.add_argument("--change", choices=["columns", "names"], help="what of the table to change")
    parser.add_argument("--cores", type=int, default=1, help="of each run; trainings on two cores differ in digits")
    parser.add_argument("--jobs", type=int, default=2, help="tables side by side")
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

        def measure(name: str) -> tuple[list[Run], list[Run]]:
            """The runs of a set; of a changed table those of the unchanged one, too."""
            unchanged: list[Run] = []
            if variant.change:
                start = folder / place.replace(variant.change, "unchanged") / name
                unchanged = run(name, seeds, start, replace(variant, change=None), options.cores)
            runs = run(name, seeds, folder / place / name, variant, options.cores)
            print("  ".join(row(name, runs)), file=sys.stderr, flush=True)
            return runs, unchanged

        with ThreadPoolExecutor(options.jobs) as pool:
            measured = dict(zip(options.sets, pool.map(measure, options.sets), strict=True))
    by_set = {name: runs for name, (runs, _) in measured.items()}
    print(markdown(HEADER, [row(name, runs) for name, runs in by_set.items()]))
    print()
    print(summary(by_set, variant, [value for _, unchanged in measured.values() for value in area(unchanged)]))


if __name__ == "__main__":
    main()

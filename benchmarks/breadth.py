"""loramake beside its baselines on many tables, through the whole workflow, with nothing tuned for any of them.

    python benchmarks/breadth.py --keep /tmp/breadth                  # all sets: an hour on two CPU cores
    python benchmarks/breadth.py --sets wine,penguins --quick         # minutes: one epoch, figures mean nothing

Each set gets a folder of its own and the command of the README, `snakemake --cores 2 results/NAME/evaluation/
results.json`, with review: approve and every other setting left at its default (models/tiny's card), but for wide,
which trains for one epoch. With --keep the folders stay: a second call runs only what is not there, since it is
Snakemake itself; each holds the run's output in run.log. A set that fails is a row with the sentence it failed with,
and the exit code is 1.

Sets: heart, diabetes, titanic, penguins (data/ of the repository); breast_cancer, wine, digits (scikit-learn's); and
drawn from a fixed seed each:
  wide       5,000 rows of 2,000 numbers; five of them make the label, of two
  labels100  5,000 rows of 10 numbers; two of them, each with noise, make the label, of 100
  text       3,000 sentences from templates, whose mood words make the label together with one of two numbers
  rare       5,000 rows of 8 numbers; three of them make the label, which one row in a hundred has

The interval is metrics.json's: a paired bootstrap of the test rows. Seconds are the workflow's own (benchmarks/*.tsv).
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from running import QUICK, ROOT, make_workplace, markdown, names_of, read_json, snakemake, three
from sklearn import datasets

HEADER = (
    "set",
    "rows",
    "columns",
    "labels",
    "loramake",
    "best baseline",
    "its ROC-AUC",
    "difference (95%)",
    "seconds",
    "training",
)


def from_repository(name: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / f"data/{name}.csv", dtype=str, keep_default_na=False)


def from_scikit_learn(name: str) -> pd.DataFrame:
    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    return bunch.frame.assign(target=[str(bunch.target_names[code]) for code in bunch.target])


def wide() -> pd.DataFrame:
    generator = np.random.default_rng(1)
    numbers = generator.normal(size=(5000, 2000))
    weights = np.array([2.0, -1.5, 1.5, 1.0, -1.0])
    logits = numbers[:, [7, 400, 811, 1205, 1990]] @ weights
    table = pd.DataFrame(numbers.round(3), columns=[f"sensor_{index}" for index in range(2000)])
    return table.assign(target=np.where(generator.logistic(size=5000) < logits, "alarm", "quiet"))


def labels100() -> pd.DataFrame:
    generator = np.random.default_rng(2)
    numbers = generator.normal(size=(5000, 10))
    tens, units = generator.integers(10, size=(2, 5000))
    numbers[:, 3] = tens + 0.3 * numbers[:, 3]
    numbers[:, 8] = units + 0.3 * numbers[:, 8]
    table = pd.DataFrame(numbers.round(2), columns=[f"reading {index}" for index in range(10)])
    return table.assign(target=[f"part {10 * ten + unit:02d}" for ten, unit in zip(tens, units, strict=True)])


GOOD = ["pleased", "grateful", "happy with it", "glad", "full of praise"]
BAD = ["angry", "let down", "unhappy with it", "upset", "tired of waiting"]
THINGS = ["the parcel", "an invoice", "the repair", "a refund", "the delivery", "the phone line"]
PLACES = ["by letter", "on the phone", "in the shop", "by mail", "late at night"]


def text() -> pd.DataFrame:
    generator = np.random.default_rng(3)
    pick = generator.choice
    good = generator.random(3000) < 0.5
    days, orders = generator.integers(1, 30, size=(2, 3000))
    sentences = [
        f"The customer asked about {pick(THINGS)} {pick(PLACES)} on day {index} and was {pick(GOOD if fine else BAD)}."
        for index, fine in enumerate(good)
    ]
    logits = np.where(good, 2.5, -2.5) - (days - 15) / 6
    stays = generator.logistic(size=3000) < logits
    return pd.DataFrame(
        {"note": sentences, "days open": days, "orders": orders, "target": np.where(stays, "stays", "leaves")}
    )


def rare() -> pd.DataFrame:
    generator = np.random.default_rng(4)
    numbers = generator.normal(size=(5000, 8))
    scores = numbers[:, [0, 3, 5]] @ np.array([1.5, 1.0, -1.0]) + 0.7 * generator.normal(size=5000)
    table = pd.DataFrame(numbers.round(3), columns=[f"test {letter}" for letter in "ABCDEFGH"])
    return table.assign(target=np.where(scores >= np.sort(scores)[-50], "fault", "sound"))


SETS: dict[str, tuple[str, Callable[[], pd.DataFrame]]] = {
    "heart": ("HeartDisease", lambda: from_repository("heart")),
    "diabetes": ("Outcome", lambda: from_repository("diabetes")),
    "titanic": ("survived", lambda: from_repository("titanic")),
    "penguins": ("species", lambda: from_repository("penguins")),
    "breast_cancer": ("target", lambda: from_scikit_learn("breast_cancer")),
    "wine": ("target", lambda: from_scikit_learn("wine")),
    "digits": ("target", lambda: from_scikit_learn("digits")),
    "wide": ("target", wide),
    "labels100": ("target", labels100),
    "text": ("target", text),
    "rare": ("target", rare),
}
"""Target and table of each set by name."""
SETTINGS = {"wide": QUICK}
"""Other settings than the defaults: wide's prompts are the longest, and more epochs of them would take very long."""


def run(name: str, folder: Path, quick: bool) -> list[str] | str:
    """One row of the table (texts, as HEADER), or the sentence the workflow failed with."""
    target, make = SETS[name]
    make_workplace(folder, name, make(), {"target": target, **SETTINGS.get(name, {}), **(QUICK if quick else {})})
    failed = snakemake(folder, f"results/{name}/evaluation/results.json")
    return failed or row(name, folder / "results" / name)


def row(name: str, results: Path) -> list[str]:
    """What results.json and profile.json of a finished experiment say, as texts."""
    outcome, profile = read_json(results / "evaluation/results.json"), read_json(results / "profile.json")
    verdict, seconds = outcome["verdict"], outcome["seconds"]
    size = [f"{profile['rows']:,}", f"{len(profile['columns']):,}", f"{len(outcome['labels']):,}"]
    areas = [three(verdict["loramake"]), str(verdict["best_baseline"]), three(verdict["baseline"])]
    difference = verdict["difference"]
    interval = f"{signed(difference['value'])} ({signed(difference['low'])} to {signed(difference['high'])})"
    return [name, *size, *areas, interval, f"{sum(seconds.values()):,.0f}", f"{seconds['run_finetuning']:,.0f}"]


def signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}"


def failed_row(name: str, sentence: str) -> list[str]:
    return [name, "failed", sentence, *[""] * (len(HEADER) - 3)]


def show(rows: list[list[str]], as_markdown: bool) -> None:
    """The table at the end: Markdown where asked for, else a drawn one on a terminal."""
    if as_markdown:
        print(markdown(HEADER, rows))
        return
    console = Console()
    if not console.is_terminal:
        return
    table: Any = Table(title="ROC-AUC on the test rows")
    for index, title in enumerate(HEADER):
        table.add_column(title, justify="left" if index in (0, 5) else "right")
    for cells in rows:
        table.add_row(*cells)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sets", type=names_of(SETS), default=list(SETS), help="names, separated by commas; all unless given"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to work, and leave everything for next time")
    parser.add_argument("--quick", action="store_true", help="one epoch: to see that it runs, not how good it is")
    parser.add_argument("--markdown", action="store_true", help="print the table at the end as Markdown")
    options = parser.parse_args()
    rows, broken = [], False
    with tempfile.TemporaryDirectory(prefix="breadth-") as temporary:
        for name in options.sets:
            outcome = run(name, (options.keep or Path(temporary)).resolve() / name, options.quick)
            broken = broken or isinstance(outcome, str)
            rows.append(failed_row(name, outcome) if isinstance(outcome, str) else outcome)
            print("  ".join(cell for cell in rows[-1] if cell), flush=True)
    show(rows, options.markdown)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()

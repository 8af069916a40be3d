"""The same numbers in many formats: what each costs, to the baselines and to loramake, through the workflow.

    python benchmarks/formats.py --keep /tmp/formats            # every format
    python benchmarks/formats.py --formats plain dollars        # some of them

600 rows of a column of noise and a column `amount`, which decides the label (yes or no) up to noise; 400 are the CSV
and 200 the test CSV, the same rows in every format. ROC-AUC on the test rows, and its difference from `plain`. Settings
are the defaults of models/tiny's card.
"""

import argparse
import datetime
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from quality import read_test
from running import make_folder, markdown, snakemake, three

ROWS, TEST_ROWS = 600, 200
START = datetime.datetime(2020, 1, 1)
MODELS = ("logistic_regression", "hist_gradient_boosting", "loramake")
Format = Callable[[float, int], str]


def day(value: float) -> datetime.datetime:
    return START + datetime.timedelta(days=int(value * 10))


FORMATS: dict[str, Format] = {
    "plain": lambda value, _: f"{20 * value:.2f}",
    "dollars": lambda value, _: f"${20 * value:,.2f}",
    "euros": lambda value, _: f"{20 * value:.2f} EUR",
    "euros, German": lambda value, _: f"{20 * value:,.2f} €".translate(str.maketrans(",.", ".,")),
    "percent": lambda value, _: f"{value:.1f}%",
    "kilograms": lambda value, _: f"{value:.1f} kg",
    "Unicode minus": lambda value, _: f"{value - 60:.1f}".replace("-", "\u2212"),
    "brackets": lambda value, _: f"({abs(value - 60):.1f})" if value < 60 else f"{value - 60:.1f}",
    "below and above": lambda value, _: "<40" if value < 45 else ">90" if value > 85 else f"{value:.1f}",
    "ISO dates": lambda value, _: f"{day(value):%Y-%m-%d}",
    "month names": lambda value, _: f"{day(value):%d-%b-%Y}",
    "day first": lambda value, _: f"{day(value):%d/%m/%Y}",
    "dates, one bad": lambda value, row: "soon" if row == 50 else f"{day(value):%Y-%m-%d}",
    "durations": lambda value, _: str(datetime.timedelta(seconds=int(60 * value))),
    "15% blank": lambda value, row: "" if row % 7 == 0 else f"{value:.1f}",
    "15% dashes": lambda value, row: "-" if row % 7 == 0 else f"{value:.1f}",
    "15% words": lambda value, row: ("n/a", "unknown", "#N/A", "None")[row % 4] if row % 7 == 0 else f"{value:.1f}",
}


def make_table(write: Format) -> pd.DataFrame:
    generator = np.random.default_rng(5)
    values = generator.normal(60, 15, ROWS)
    labels = np.where(values + generator.normal(0, 8, ROWS) > 60, "yes", "no")
    noise = [f"{value:.2f}" for value in generator.normal(size=ROWS)]
    amounts = [write(value, row) for row, value in enumerate(values.tolist())]
    return pd.DataFrame({"noise": noise, "amount": amounts, "outcome": labels})


def measure(name: str, folder: Path, cores: int) -> dict[str, float]:
    """ROC-AUC on the test rows by model; SystemExit with the sentence that the workflow failed with."""
    table, experiment = make_table(FORMATS[name]), "".join(filter(str.isalnum, name))
    tables = {f"{experiment}.csv": table.head(ROWS - TEST_ROWS), f"{experiment}-test.csv": table.tail(TEST_ROWS)}
    settings = {"csv": f"{experiment}.csv", "test_csv": f"{experiment}-test.csv", "target": "outcome"}
    make_folder(folder, tables, {experiment: settings})
    if failed := snakemake(folder, f"results/{experiment}/evaluation/metrics.json", cores=cores):
        sys.exit(f"{folder}: {failed}")
    tested = read_test(folder / f"results/{experiment}")
    return {model: tested[model]["roc_auc"] for model in MODELS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument(
        "--keep", type=Path, help="the folder of the runs, resumed if it exists; unset, a temporary one"
    )
    parser.add_argument("--cores", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        names = list(dict.fromkeys(["plain", *arguments.formats]))
        measured = {}
        for name in names:
            measured[name] = measure(name, folder / "".join(filter(str.isalnum, name)), arguments.cores)
            print(f"{name}: {measured[name]}", file=sys.stderr)
    plain = measured["plain"]
    header = ["format", *(text for model in MODELS for text in (model.replace("_", " "), "−plain"))]
    rows = [
        [name, *(text for model in MODELS for text in (three(areas[model]), f"{areas[model] - plain[model]:+.3f}"))]
        for name, areas in measured.items()
    ]
    print(markdown(header, rows))


if __name__ == "__main__":
    main()

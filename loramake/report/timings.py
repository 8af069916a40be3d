"""Where the time went: Snakemake's benchmark files, one a rule."""

import csv
from pathlib import Path

from rich.table import Table


def read_timings(folder: str | Path) -> dict[str, float]:
    """Wall-clock seconds of the latest run of each rule, longest first."""
    seconds = {path.stem: _read_seconds(path) for path in Path(folder).glob("*.tsv")}
    return dict(sorted(seconds.items(), key=lambda entry: -entry[1]))


def _read_seconds(path: Path) -> float:
    with path.open(encoding="utf-8", newline="") as file:
        return float(next(csv.DictReader(file, delimiter="\t"))["s"])


def timings_table(seconds: dict[str, float]) -> Table:
    """The table that a finished run prints."""
    table = Table(title="Where the time went", title_justify="left")
    table.add_column("rule")
    table.add_column("seconds", justify="right")
    for rule, spent in seconds.items():
        table.add_row(rule, f"{spent:.1f}")
    table.add_row("all", f"{sum(seconds.values()):.1f}", style="bold")
    return table

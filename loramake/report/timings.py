"""How long each rule took, from Snakemake's benchmark files, one per rule."""

import csv
import math
from pathlib import Path

from rich.table import Table

from loramake.parsing import decode, read_bytes

_LONGEST = 1 << 16
_SHOWN = 5


def read_timings(folder: str | Path) -> dict[str, float]:
    """Wall-clock seconds of the latest run of each rule, longest first."""
    measured = {path.stem: _read_seconds(path) for path in Path(folder).glob("*.tsv")}
    seconds = {rule: spent for rule, spent in measured.items() if spent is not None}
    return dict(sorted(seconds.items(), key=lambda entry: -entry[1]))


def _read_seconds(path: Path) -> float | None:
    """None for a file that Snakemake did not write."""
    try:
        lines = decode(read_bytes(path, _LONGEST)).splitlines()
        seconds = float(next(csv.DictReader(lines, delimiter="\t"))["s"])
    except (ValueError, StopIteration, KeyError, TypeError):
        return None
    return seconds if math.isfinite(seconds) else None


def timings_table(seconds: dict[str, float]) -> Table:
    """The table that a finished run prints: the longest rules, and the others together."""
    table = Table(title="Time by rule, each in its latest run", title_justify="left")
    table.add_column("rule")
    table.add_column("seconds", justify="right")
    for rule, spent in list(seconds.items())[:_SHOWN]:
        table.add_row(rule, f"{spent:.1f}")
    if others := list(seconds.values())[_SHOWN:]:
        table.add_row(f"{len(others)} others", f"{sum(others):.1f}")
    table.add_row("all", f"{sum(seconds.values()):.1f}", style="bold")
    return table

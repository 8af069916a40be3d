"""What a CSV contains, column by column. Knows nothing of targets, splits or models."""

import heapq
from pathlib import Path

import numpy as np
import pandas as pd

from loramake import artifacts, schemas
from loramake.artifact_types.explore import ColumnNumbers, Profile, ProfileColumn, Quantile, TestTable
from loramake.console import say, working
from loramake.explore.column_notes import describe_reading, find_warnings
from loramake.settings import Settings
from loramake.tables.categories import hash_values
from loramake.tables.dates import to_days
from loramake.tables.numbers import to_numbers
from loramake.tables.reading import Dialect, read_table, sniff
from loramake.tables.readings import Reading, find_reading
from loramake.tables.source import declarations, find_readings, read_columns
from loramake.text import shorten

TOP_VALUES = 10
QUANTILES: dict[Quantile, float] = {"0": 0, "0.25": 0.25, "0.5": 0.5, "0.75": 0.75, "1": 1}


def profile_csv(
    csv: str | Path, test_csv: str | Path | None, out: str | Path, settings: Settings | None = None
) -> None:
    """Write profile.json of the CSV, with the header and size of the test CSV if there is one.

    `settings` may contain column_types and missing_values.
    """
    with working(f"profiling {csv}"):
        profile = describe_csv(csv, test_csv, settings)
    artifacts.write(out, profile, schemas.PROFILE)
    read_by = Dialect.of(profile).describe()
    say(f"{csv}: {profile['rows']:,} rows, {len(profile['columns']):,} columns ({read_by}).")
    for column in profile["columns"]:
        for sentence in [*describe_reading(column), *column["warnings"]]:
            say(f"{csv}: {shorten(column['name'], 40)}: {sentence}.")


def describe_csv(csv: str | Path, test_csv: str | Path | None, settings: Settings | None = None) -> Profile:
    """profile.json of a CSV, and of the test CSV if there is one."""
    settings = settings or {}
    dialect = sniff(csv)
    table = read_table(csv, dialect)
    readings = find_readings(table, declarations(settings, map(str, table.columns), csv))
    read = read_columns(table, readings)
    declared = settings.get("column_types") or {}
    return {
        "csv": str(csv),
        **dialect.as_dict(),
        "rows": len(table),
        "duplicate_rows": int(read.duplicated().sum()),
        "columns": [
            _describe_column(table[name], read[name], readings[str(name)], is_declared=str(name) in declared)
            for name in table.columns
        ],
        "test_csv": None if test_csv is None else _describe_test(test_csv, sniff(test_csv)),
    }


def _describe_test(test_csv: str | Path, dialect: Dialect) -> TestTable:
    table = read_table(test_csv, dialect)
    return {"csv": str(test_csv), **dialect.as_dict(), "rows": len(table), "columns": list(table.columns)}


def profile_column(column: "pd.Series[str]") -> ProfileColumn:
    """One entry of profile.json's columns, of text cells (None where blank)."""
    reading = find_reading(column)
    return _describe_column(column, reading.read(column), reading, is_declared=False)


def _describe_column(
    written: "pd.Series[str]", read: "pd.Series[str]", reading: Reading, is_declared: bool
) -> ProfileColumn:
    """An entry, of its cells as they are written and as they are read."""
    filled = read.dropna()
    counts = filled.value_counts()
    missing = written[read.isna() & written.notna()].value_counts()
    respelled = written[read.notna() & (read != written)].value_counts() if reading.flags else missing[:0]
    described: ProfileColumn = {
        "name": str(written.name),
        "type": reading.kind,
        "missing": int(read.isna().sum()),
        "missing_words": [{"value": shorten(word), "rows": int(rows)} for word, rows in _top_values(missing)],
        "respelled": [{"value": shorten(word), "rows": int(rows)} for word, rows in _top_values(respelled)],
        "distinct": len(counts),
        "top_values": [{"value": shorten(value), "rows": int(rows)} for value, rows in _top_values(counts)],
        "value_hashes": hash_values(counts.index) if reading.kind in ("categorical", "boolean") else None,
        **reading.as_dict(),
        **_describe_numbers(filled, reading, _count_bounds(written, reading)),
        "warnings": [],
    }
    return {**described, "warnings": find_warnings(described, filled, is_declared)}


def _count_bounds(written: "pd.Series[str]", reading: Reading) -> int:
    counts = written.value_counts()
    bounds = [cell for cell, number in reading.read_cells(list(counts.index)).items() if number.is_bound]
    return int(counts[bounds].sum())


def _top_values(counts: "pd.Series[int]") -> list[tuple[str, int]]:
    """The most frequent values and their rows, ties in alphabetical order; sorting all values would be slow."""
    least = counts.iloc[:TOP_VALUES].min()
    more, equal = counts[counts > least], counts.index[counts == least]
    first = heapq.nsmallest(TOP_VALUES - len(more), equal)
    return [
        *more.sort_index().sort_values(ascending=False, kind="stable").items(),
        *((value, least) for value in first),
    ]


def _describe_numbers(filled: "pd.Series[str]", reading: Reading, bounds: int) -> ColumnNumbers:
    """How many cells of numbers or dates are words, and how many numbers are bounds, and their quantiles."""
    if reading.kind == "date":
        return {"words": int(to_days(filled).isna().sum()), "bounds": None, "quantiles": None}
    if reading.kind != "numeric":
        return {"words": None, "bounds": None, "quantiles": None}
    numbers = to_numbers(filled)
    values = np.percentile(numbers.dropna(), [100 * share for share in QUANTILES.values()])
    return {
        "words": int(numbers.isna().sum()),
        "bounds": bounds,
        "quantiles": {name: float(value) for name, value in zip(QUANTILES, values, strict=True)},
    }

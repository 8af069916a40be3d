"""What a CSV contains, column by column. Knows nothing of targets, splits or models."""

import heapq
from pathlib import Path

import numpy as np
import pandas as pd

from loramake import artifacts, schemas
from loramake.artifact_types.explore import ColumnNumbers, ColumnType, Profile, ProfileColumn, Quantile, TestTable
from loramake.console import say, working
from loramake.tables.numbers import NumberStyle, to_numbers
from loramake.tables.reading import Dialect, read_table, sniff
from loramake.tables.types import find_type_and_style
from loramake.text import shorten

TOP_VALUES = 10
QUANTILES: dict[Quantile, float] = {"0": 0, "0.25": 0.25, "0.5": 0.5, "0.75": 0.75, "1": 1}


def profile_csv(csv: str | Path, test_csv: str | Path | None, out: str | Path) -> None:
    """Write profile.json of the CSV, with the header and size of the test CSV if there is one."""
    with working(f"profiling {csv}"):
        profile = describe_csv(csv, test_csv)
    artifacts.write(out, profile, schemas.PROFILE)
    say(
        f"{csv}: {profile['rows']:,} rows, {len(profile['columns']):,} columns "
        f"({profile['encoding']}, {profile['delimiter']!r} between cells)."
    )


def describe_csv(csv: str | Path, test_csv: str | Path | None) -> Profile:
    """profile.json of a CSV, and of the test CSV if there is one."""
    dialect = sniff(csv)
    table = read_table(csv, dialect)
    return {
        "csv": str(csv),
        **dialect.as_dict(),
        "rows": len(table),
        "duplicate_rows": int(table.duplicated().sum()),
        "columns": [profile_column(table[name]) for name in table.columns],
        "test_csv": None if test_csv is None else _describe_test(test_csv, sniff(test_csv)),
    }


def _describe_test(test_csv: str | Path, dialect: Dialect) -> TestTable:
    table = read_table(test_csv, dialect)
    return {"csv": str(test_csv), **dialect.as_dict(), "rows": len(table), "columns": list(table.columns)}


def profile_column(column: "pd.Series[str]") -> ProfileColumn:
    """One entry of profile.json's columns: type, missing, distinct, most frequent values, quantiles."""
    filled = column.dropna()
    counts = filled.value_counts()
    kind, style = find_type_and_style(column, filled, distinct=len(counts))
    return {
        "name": str(column.name),
        "type": kind,
        "missing": int(column.isna().sum()),
        "distinct": len(counts),
        "top_values": [{"value": shorten(value), "rows": int(rows)} for value, rows in _top_values(counts)],
        **_describe_numbers(filled, kind, style),
    }


def _top_values(counts: "pd.Series[int]") -> list[tuple[str, int]]:
    """The most frequent values and their rows, ties in alphabetical order; sorting all values would be slow."""
    least = counts.iloc[:TOP_VALUES].min()
    more, equal = counts[counts > least], counts.index[counts == least]
    first = heapq.nsmallest(TOP_VALUES - len(more), equal)
    return [
        *more.sort_index().sort_values(ascending=False, kind="stable").items(),
        *((value, least) for value in first),
    ]


def _describe_numbers(filled: "pd.Series[str]", kind: ColumnType, style: NumberStyle | None) -> ColumnNumbers:
    """A numeric column's number style, how many cells are not numbers, and quantiles; None for other columns."""
    if kind != "numeric" or style is None:
        return {"number_style": None if style is None else style.as_dict(), "words": None, "quantiles": None}
    numbers = to_numbers(filled, style)
    values = np.percentile(numbers.dropna(), [100 * share for share in QUANTILES.values()])
    return {
        "number_style": style.as_dict(),
        "words": int(numbers.isna().sum()),
        "quantiles": {name: float(value) for name, value in zip(QUANTILES, values, strict=True)},
    }

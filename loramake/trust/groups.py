"""Groups of rows by the cells of one column: values, ranges of numbers, and the rows without a cell.

A row's group depends on the cells alone, never on the order of the rows.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from loramake.arrays import Codes
from loramake.artifact_types.trust import ColumnKind, GroupKind
from loramake.tables.numbers import find_number_style, to_numbers
from loramake.text import shorten

MIN_ROWS = 20
"""A group of fewer rows is shown, but left out of every difference between groups."""
MAX_VALUES = 10
"""The most frequent values each form a group; the others form one group together."""
MAX_NUMBERS = 5
"""Up to this many distinct numbers are treated as values; more are split into ranges."""
MAX_RANGES = 4
"""Ranges of numbers: quartiles, or fewer where a quarter of the rows would be too small a group."""

MISSING, OTHER, WORDS = "(missing)", "(other)", "(no number)"


class Group(NamedTuple):
    """Rows that have something in common."""

    name: str
    kind: GroupKind
    """value, range, words (cells of a numeric column that are not numbers), other or missing."""
    rows: Codes
    """Their indices, shape (rows of the group,)."""


def split_groups(column: "pd.Series[str]") -> tuple[ColumnKind, list[Group]]:
    """`numeric` or `categorical`, and the non-empty groups of a column of text (missing cells None).

    Numbers are in ascending order, values by their rows (ties by name); words, other and missing come last.
    """
    column = column.reset_index(drop=True)
    filled = column.dropna()
    missing = _group(MISSING, "missing", column.isna())
    if find_number_style(filled) is None:
        return "categorical", [*_by_value(filled), *missing]
    numbers = to_numbers(filled)
    parsed = numbers.dropna()
    groups = _by_range(parsed) if parsed.nunique() > MAX_NUMBERS else _by_number(parsed)
    return "numeric", [*groups, *_group(WORDS, "words", numbers.isna()), *missing]


def _group(name: str, kind: GroupKind, mask: "pd.Series[bool]") -> list[Group]:
    """The group of the rows where `mask` is true; [] where there are none."""
    rows = mask.index[mask].to_numpy(dtype=np.int64)
    return [Group(name, kind, rows)] if len(rows) else []


def _by_value(filled: "pd.Series[str]") -> list[Group]:
    counts = filled.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    shown = list(counts.index[:MAX_VALUES])
    groups = [group for value in shown for group in _group(shorten(value), "value", filled == value)]
    return [*groups, *_group(OTHER, "other", ~filled.isin(shown))]


def _by_number(numbers: "pd.Series[float]") -> list[Group]:
    """A group for each number, however its cells write it."""
    return [group for number in np.unique(numbers) for group in _group(_as_text(number), "value", numbers == number)]


def _by_range(numbers: "pd.Series[float]") -> list[Group]:
    """Ranges between quantiles, each named by the smallest and the largest number in it."""
    ranges = min(MAX_RANGES, max(2, len(numbers) // MIN_ROWS))
    edges = np.unique(np.quantile(numbers, np.arange(1, ranges) / ranges))
    bins = pd.Series(np.searchsorted(edges, numbers), index=numbers.index)
    return [
        Group(_name_range(inside.min(), inside.max()), "range", inside.index.to_numpy(dtype=np.int64))
        for _, inside in numbers.groupby(bins)
    ]


def _name_range(low: float, high: float) -> str:
    return _as_text(low) if low == high else f"{_as_text(low)} to {_as_text(high)}"


def _as_text(number: float) -> str:
    """A number as people write it, exactly; without a thousands separator where it may be a year."""
    text = f"{number:,.0f}" if number == round(number) and abs(number) < 1e15 else f"{float(number):,}"
    return text if abs(number) >= 10_000 else text.replace(",", "")

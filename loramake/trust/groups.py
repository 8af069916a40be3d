"""Groups of rows by the cells of one column: values, ranges of numbers, and the rows without a cell.

Which group a row is in follows from the cells alone, never from the order of the rows.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from loramake.artifact_types.trust import ColumnKind, GroupKind
from loramake.prediction.predictions import Codes
from loramake.tables.numbers import find_number_style, to_numbers
from loramake.text import shorten

MIN_ROWS = 20
"""A group of fewer rows is shown, and left out of every difference between groups."""
MAX_VALUES = 10
"""The most frequent values that are groups of their own; the others are one group."""
MAX_NUMBERS = 5
"""Up to so many different numbers are values, more are parted into ranges."""
MAX_RANGES = 4
"""Ranges of numbers: quartiles, or fewer where a quarter of the rows would be too small a group."""

MISSING, OTHER, WORDS = "(missing)", "(other)", "(no number)"


class Group(NamedTuple):
    """Rows that have something in common."""

    name: str
    kind: GroupKind
    """value, range, words (of a column of numbers, cells that are none), other or missing."""
    rows: Codes
    """Their places, shape (rows of the group,)."""


def split_groups(column: "pd.Series[str]") -> tuple[ColumnKind, list[Group]]:
    """`numeric` or `categorical`, and the groups of a column of text (missing cells None), each of a row at least.

    Numbers come in rising order, values by their rows (equal ones by name); words, other and missing come last.
    """
    column = column.reset_index(drop=True)
    filled = column.dropna()
    style = find_number_style(filled)
    missing = _group(MISSING, "missing", column.isna())
    if style is None:
        return "categorical", [*_by_value(filled), *missing]
    numbers = to_numbers(filled, style)
    known = numbers.dropna()
    parted = _by_range(known) if known.nunique() > MAX_NUMBERS else _by_number(known)
    return "numeric", [*parted, *_group(WORDS, "words", numbers.isna()), *missing]


def _group(name: str, kind: GroupKind, held: "pd.Series[bool]") -> list[Group]:
    """The group of the rows that are held; none where there is no row."""
    rows = held.index[held].to_numpy(dtype=np.int64)
    return [Group(name, kind, rows)] if len(rows) else []


def _by_value(filled: "pd.Series[str]") -> list[Group]:
    counts = filled.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    shown = list(counts.index[:MAX_VALUES])
    groups = [group for value in shown for group in _group(shorten(value), "value", filled == value)]
    return [*groups, *_group(OTHER, "other", ~filled.isin(shown))]


def _by_number(numbers: "pd.Series[float]") -> list[Group]:
    """Each number a group, however its cells write it."""
    return [group for number in np.unique(numbers) for group in _group(_written(number), "value", numbers == number)]


def _by_range(numbers: "pd.Series[float]") -> list[Group]:
    """Ranges between quantiles, each named by the smallest and the largest number in it."""
    ranges = min(MAX_RANGES, max(2, len(numbers) // MIN_ROWS))
    edges = np.unique(np.quantile(numbers, np.arange(1, ranges) / ranges))
    place = pd.Series(np.searchsorted(edges, numbers), index=numbers.index)
    return [
        Group(_name_range(inside.min(), inside.max()), "range", inside.index.to_numpy(dtype=np.int64))
        for _, inside in numbers.groupby(place)
    ]


def _name_range(low: float, high: float) -> str:
    return _written(low) if low == high else f"{_written(low)} to {_written(high)}"


def _written(number: float) -> str:
    """A number as people write it, exactly; without a thousands sign where it may be a year."""
    text = f"{number:,.0f}" if number == round(number) and abs(number) < 1e15 else f"{float(number):,}"
    return text if abs(number) >= 10_000 else text.replace(",", "")

"""Text cells as numbers and days: the number style of a column, and the order of its dates.

Cells stay text until they are read here, so that one row's content never changes how another is read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from loramake.artifact_types.explore import DecimalSign, NumberSigns, ProfileColumn, ThousandsSign
from loramake.artifact_types.prepare import Feature

_LONGEST_DATE = 60

_DAY_FIRST = re.compile(r"(1[3-9]|2\d|3[01])[-/.]\d")


@dataclass(frozen=True)
class NumberStyle:
    """How a column writes its numbers: `1,234.5` has the decimal separator `.` and the thousands separator `,`."""

    decimal: DecimalSign = "."
    thousands: ThousandsSign | None = None

    def as_dict(self) -> NumberSigns:
        return {"decimal": self.decimal, "thousands": self.thousands}

    @property
    def pattern(self) -> str:
        """The regular expression of a number, without capturing groups."""
        point, whole = re.escape(self.decimal), r"\d+"
        if self.thousands is not None:
            whole = rf"(?:\d+|\d{{1,3}}(?:{re.escape(self.thousands)}\d{{3}})+)"
        return rf"[-+]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][-+]?\d+)?"


PLAIN = NumberStyle()

_OTHER_STYLES = (
    NumberStyle(".", ","),  # before the decimal comma: `1,234` is read as a thousand unless another cell contradicts it
    NumberStyle(",", None),
    NumberStyle(",", "."),
    *(NumberStyle(decimal, sign) for sign in (" ", "\u00a0", "\u202f", "'", "\u2019") for decimal in (".", ",")),
)

MOSTLY = 0.9
"""A column is numeric from this share of numbers among its filled cells; its other cells stay words."""


def find_number_style(filled: "pd.Series[str]") -> NumberStyle | None:
    """The number style that fits most of a column's filled cells; None if too few of them are numbers."""
    if filled.empty:
        return None
    plain = float(to_numbers(filled).notna().mean())
    if plain == 1.0:
        return PLAIN
    cells = filled.value_counts()
    shares = {PLAIN: plain}
    for style in _OTHER_STYLES:
        fits = cells.index.str.fullmatch(style.pattern)
        shares[style] = float(cells[fits].sum() / cells.sum())
    best = max(shares, key=lambda style: (shares[style], not _starts_with_zero(cells.index, style)))
    return best if shares[best] >= MOSTLY else None


def _starts_with_zero(cells: Any, style: NumberStyle) -> bool:
    """Whether a thousands separator follows a lone zero, as in `0,125`: then it is a decimal separator."""
    return style.thousands is not None and bool(cells.str.match(rf"[-+]?0{re.escape(style.thousands)}").any())


def to_numbers(column: "pd.Series[str]", style: NumberStyle = PLAIN) -> "pd.Series[float]":
    """A column of text as float64, NaN where a cell is missing, infinite or not a number in that style."""
    if style != PLAIN:
        column = column.where(column.str.fullmatch(style.pattern).eq(True))
        column = column.str.replace(style.thousands, "", regex=False) if style.thousands else column
        column = column.str.replace(style.decimal, ".", regex=False)
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    return numbers.where(np.isfinite(numbers))


def is_day_first(column: "pd.Series[str]") -> bool:
    """Whether a column of dates writes 31/12/2024: some cell starts with a number that is not a month."""
    return bool(column.str.match(_DAY_FIRST).eq(True).any())


def to_days(column: "pd.Series[str]", day_first: bool) -> "pd.Series[float]":
    """A column of dates as days since 1970, NaN where a cell is missing or not a date; zones become UTC."""
    short = column.where(column.str.len() <= _LONGEST_DATE)  # pandas may take quadratic time in a cell's length
    moments = pd.to_datetime(short, format="mixed", errors="coerce", dayfirst=day_first, utc=True)
    return (moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)


def number_styles(columns: Sequence[ProfileColumn | Feature]) -> dict[str, NumberStyle]:
    """The number style of each column of a profile, or feature of a plan; plain if it has none."""
    return {column["name"]: NumberStyle(**column["number_style"] or PLAIN.as_dict()) for column in columns}

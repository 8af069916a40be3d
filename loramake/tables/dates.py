"""Text cells as dates: how a column writes them, and the same cells in ISO 8601.

Everything after the reading of a table sees `2024-01-31`, or `2024-01-31 12:30:00` in UTC, only.
"""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from loramake.artifact_types.explore import DateOrder
from loramake.tables.numbers import MOSTLY

_LONGEST_DATE = 60
_TRIED, _FEW = 200, 0.3
_YEARS = range(1678, 2262)
"""Those that pandas counts in nanoseconds; 9999-12-31 stands for no date."""
_ISO = r"\d{4}-\d\d-\d\d(?: \d\d:.{0,20})?$"
_CANONICAL = r"\d{4}-\d\d-\d\d(?: (?!00:00:00)\d\d:\d\d:\d\d)?"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<month_name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
_TIME = (
    r"(?:(?:T|,?\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[ap]\.?m\.?)?\s*(?P<zone>Z|UTC|GMT|[-+]\d{2}(?::?\d{2})?)?)?"
)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4}|\d{2})"
DIGITS_OF_DATE = re.compile(r"(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})")
_SHAPES = tuple(
    re.compile(_WEEKDAY + shape + _TIME, re.I | re.ASCII)
    for shape in (
        r"(?P<year>\d{4})(?P<sign>[-/.])(?P<month>\d{1,2})(?P=sign)(?P<day>\d{1,2})",
        r"(?P<first>\d{1,2})(?P<sign>[-/.])(?P<second_number>\d{1,2})(?P=sign)(?P<year>\d{4})",
        r"(?P<first>\d{1,2})(?P<sign>/)(?P<second_number>\d{1,2})/(?P<year>\d{2})",
        r"(?P<first>\d{2})(?P<sign>[-.])(?P<second_number>\d{2})(?P=sign)(?P<year>\d{2})",
        _DAY + r"[\s\-./]*" + _MONTH + r"[\s\-./,]*" + _YEAR,
        _MONTH + r"[\s\-./]*" + _DAY + r",?\s*[\s\-./,]\s*" + _YEAR,
        r"(?P<year>\d{4})[\s\-./]*" + _MONTH + r"[\s\-./]*(?P<day>\d{1,2})",
        r"(?P<year>\d{4})-(?P<month>\d{2})",
        _MONTH + r"[\s\-./,]+(?P<year>\d{4})",
        r"(?P<month>\d{1,2})/(?P<year>\d{4})",
        DIGITS_OF_DATE.pattern,
    )
)


@dataclass(frozen=True)
class DateStyle:
    """How a column writes its dates: whether `03/07/2024` has the day first."""

    day_first: bool | None = None
    """None if no cell needs it; such a cell is then not read, since it may be either."""
    is_assumed: bool = False
    """Whether cells need it and none shows it, as `31/12/2024` does."""

    def as_dict(self) -> DateOrder:
        return {"day_first": self.day_first, "is_assumed": self.is_assumed}


class Orders(NamedTuple):
    """How many cells of a column have the day first, the month first, and may have either."""

    day_first: int
    month_first: int
    either: int


def to_days(column: "pd.Series[str]") -> "pd.Series[float]":
    """A column of ISO dates as days since 1970, NaN where a cell is missing or not a date."""
    dates = column.where(column.str.match(_ISO).eq(True))
    moments = pd.to_datetime(dates, format="ISO8601", errors="coerce", utc=True)
    return (moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)


def find_date_style(filled: "pd.Series[str]") -> DateStyle | None:
    """The date style of a column of which most filled cells are dates; None for other columns."""
    return choose_date_style(filled.value_counts(), MOSTLY)


def choose_date_style(counts: "pd.Series[int]", least: float) -> DateStyle | None:
    """The date style if a share of `least` or more of the cells in `counts` (rows by cell) are dates."""
    cells = list(map(str, counts.index))
    if not cells or not _may_be_dates(cells[:: -(-len(cells) // _TRIED)]):
        return None
    style = _style_of(count_orders(counts))
    dates = sum(int(count) for cell, count in counts.items() if read_date(str(cell), style) is not None)
    return style if dates and dates >= least * counts.sum() else None


def _may_be_dates(cells: list[str]) -> bool:
    return sum(read_date(cell, DateStyle(day_first=True)) is not None for cell in cells) >= _FEW * len(cells)


def _style_of(orders: Orders) -> DateStyle:
    """The order of most cells that show it; month first where cells need one and none shows it."""
    if not any(orders):
        return DateStyle()
    is_shown = orders.day_first + orders.month_first > 0
    return DateStyle(orders.day_first > orders.month_first, is_assumed=not is_shown)


def count_orders(counts: "pd.Series[int]") -> Orders:
    """How many cells (rows by cell) can only have the day first, only the month first, or may have either."""
    day_first = month_first = either = 0
    for cell, rows in counts.items():
        match = _match(str(cell))
        if match is None or match.groupdict().get("first") is None:
            continue
        first, second = int(match["first"]), int(match["second_number"])
        if match["sign"] == "." or first > 12:  # 3.7.2024 is written where the day comes first
            day_first += rows
        elif second > 12:
            month_first += rows
        elif first != second:
            either += rows
    return Orders(day_first, month_first, either)


def read_date(cell: str, style: DateStyle) -> str | None:
    """The date in a cell, in ISO 8601, with its time in UTC unless it is midnight; None if it contains none."""
    match = _match(cell)
    try:
        return None if match is None else _to_iso(match, style)
    except (ValueError, OverflowError):  # no such day, or no such time
        return None


def _match(cell: str) -> re.Match[str] | None:
    if len(cell) > _LONGEST_DATE:
        return None
    return next((match for shape in _SHAPES if (match := shape.fullmatch(cell))), None)


def _to_iso(match: re.Match[str], style: DateStyle) -> str:
    """ValueError for a day or a time that does not exist, and where the order of day and month is unknown."""
    parts = match.groupdict()
    year = int(parts["year"])
    if len(parts["year"]) == 2:
        year += 1900 if year >= 69 else 2000  # as POSIX reads years of two digits
    if year not in _YEARS:
        raise ValueError(year)
    if parts.get("first"):
        day, month = _day_and_month(int(match["first"]), int(match["second_number"]), match["sign"], style)
    else:
        name = parts.get("month_name")
        month = _MONTHS.index(name[:3].lower()) + 1 if name else int(match["month"])
        day = int(parts.get("day") or 1)
    return _with_time(datetime.date(year, month, day), match)


def _day_and_month(first: int, second: int, sign: str, style: DateStyle) -> tuple[int, int]:
    day_first = True if sign == "." else style.day_first
    if first == second or first > 12:
        return first, second
    if second > 12:
        return second, first
    if day_first is None:
        raise ValueError(f"{first}{sign}{second}")
    return (first, second) if day_first else (second, first)


def _with_time(day: datetime.date, match: re.Match[str]) -> str:
    if match["hour"] is None:
        return day.isoformat()
    hour = int(match["hour"])
    if match["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if match["half"][0].lower() == "p" else 0)
    microsecond = int((match["fraction"] or "0").ljust(6, "0")[:6])
    time = datetime.time(hour, int(match["minute"]), int(match["second"] or 0), microsecond)
    moment = datetime.datetime.combine(day, time)
    if match["zone"] and match["zone"][0] in "+-":
        digits = match["zone"][1:].replace(":", "").ljust(4, "0")
        ahead = datetime.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        moment -= ahead if match["zone"][0] == "+" else -ahead
    return moment.date().isoformat() if moment.time() == datetime.time() else moment.isoformat(sep=" ")


def read_dates(cells: Sequence[str], style: DateStyle) -> dict[str, str]:
    """The date in ISO 8601 of each cell that is one and written otherwise."""
    written = pd.Series(cells, dtype=object)
    is_iso = written.str.fullmatch(_CANONICAL).eq(True) & to_days(written).notna()
    cells = written[~is_iso].tolist()
    return {cell: date for cell in cells if (date := read_date(cell, style)) is not None}

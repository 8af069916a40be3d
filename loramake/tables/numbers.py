"""Text cells as numbers: how a column writes them, and the same cells written plainly.

A plain number is what float() reads: `-1234.5`. Everything after the reading of a table sees plain numbers only.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pandas as pd

from loramake.artifact_types.explore import DecimalSign, NumberKind, NumberSigns, ThousandsSign

MOSTLY = 0.9
"""A column is numeric from this share of numbers among its filled cells; its other cells stay words."""
_LONGEST_NUMBER = 60
_TRIED, _COMPARED = 200, 2000
"""Of a column of many different cells, how many decide whether any style is worth a try, and which fits best."""
_FEW = 0.3
_CODES = 0.01
"""Cells such as 02134 make a column one of codes from this share on."""

_SPACES = " \u00a0\u2009\u202f"
_ASCII = str.maketrans(
    dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\ufe63\uff0d", "-")
    | {
        sign: str(unicodedata.digit(sign))
        for sign in map(chr, range(128, 0x1FBFA))
        if unicodedata.category(sign) == "Nd"
    }
)
"""Every minus, and every digit of another script, as ASCII has it."""
_CURRENCY_SIGNS = "".join(sign for sign in map(chr, range(0x2FA20)) if unicodedata.category(sign) == "Sc")
_CURRENCY = (
    rf"(?:[A-Z]{{0,3}}[{_CURRENCY_SIGNS}]|AED|ARS|AUD|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|"
    r"JPY|KRW|MXN|MYR|NGN|NOK|NZD|PEN|PHP|PKR|PLN|RON|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR|Rs\.?|Fr\.|kr\.?)"
)
_CELL = re.compile(
    rf"""
    (?P<outer>\()? \s* (?P<bound>[<>\u2264\u2265~\u2248]=?)? \s* (?P<sign>[-+])? \s*
    (?P<before>{_CURRENCY})? \s* (?P<inner>\()? (?P<after_currency>[-+])? \s*
    (?P<digits>(?:\d(?:[\d.,'\u2019{_SPACES}]*[\d.,])?|[.,]\d+)(?:[eE][-+]?\d+)?)
    (?P<or_more>\+)? \s* (?P<after>[%\u2030°{_CURRENCY_SIGNS}\w][^\d()<>,;:"+]{{0,20}}?)? (?P<trailing>-)? \s* \)?
    """,
    re.X,
)
_CODE = re.compile(r"[-+]?0\d[\d.]*", re.ASCII)
_CLOCK = re.compile(
    r"(?:(?P<day_sign>-)?(?P<days>\d{1,6})\s*d(?:ays?)?,?\s*)?(?P<sign>[-+])?(?P<hours>\d{1,4}):(?P<minutes>[0-5]\d)"
    r"(?::(?P<seconds>[0-5]\d(?:\.\d+)?))?(?:\s*(?P<half>[ap])\.?m\.?)?",
    re.I,
)
_SPAN = re.compile(
    r"(?:(?P<days>\d+)\s*d(?:ays?)?)?[\s,]*(?:(?P<hours>\d+)\s*h(?:ours?|rs?)?)?[\s,]*"
    r"(?:(?P<minutes>\d+)\s*m(?:in(?:ute)?s?)?)?[\s,]*(?:(?P<seconds>\d+(?:\.\d+)?)\s*s(?:ec(?:ond)?s?)?)?",
    re.I,
)
_ISO_SPAN = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_SECONDS = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}


@dataclass(frozen=True)
class NumberStyle:
    """How a column writes its numbers: `$1,234.5` has the thousands separator `,` and the unit `$`.

    A cell without the unit is a number, too, unless the unit scales it; one with another unit is a word. The number of
    a duration or a time of day is its seconds; among `minutes`, `58:12` is minutes and seconds.
    """

    decimal: DecimalSign = "."
    thousands: ThousandsSign | None = None
    unit: str | None = None
    kind: NumberKind = "number"

    def as_dict(self) -> NumberSigns:
        return {"decimal": self.decimal, "thousands": self.thousands, "unit": self.unit, "kind": self.kind}

    @property
    def is_plain(self) -> bool:
        """Whether float() reads its numbers without a unit."""
        return (self.decimal, self.thousands, self.kind) == (".", None, "number") and not self.is_scaled

    @property
    def is_scaled(self) -> bool:
        """Whether the unit makes the number larger or smaller: a bare number beside 5% or 5k is another one."""
        return self.unit is not None and self.unit.rpartition(" ")[2].strip("".join(_CURRENCY_SIGNS)) in _SCALES

    @property
    def pattern(self) -> str:
        """The regular expression of a number without sign and unit, without capturing groups."""
        point, whole = re.escape(self.decimal), r"\d+"
        if self.thousands is not None:
            sign = re.escape(self.thousands)
            indian = r"|\d{1,2}(?:,\d{2})+,\d{3}" if self.thousands == "," else ""
            whole = rf"(?:\d+|\d{{1,3}}(?:{sign}\d{{3}})+{indian})"
        return rf"(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][-+]?\d+)?"


_SCALES = ("%", "\u2030", "k", "K", "M", "mn", "B", "bn")
PLAIN = NumberStyle()
_DURATION, _MINUTES = NumberStyle(kind="duration", unit="s"), NumberStyle(kind="minutes", unit="s")
_MOST_BOUNDS = 0.5
"""Where more of the numbers than this are bounds, they may be names of groups."""
_OTHER_STYLES = (
    NumberStyle(".", ","),  # before the decimal comma: `1,234` is read as a thousand unless another cell contradicts it
    NumberStyle(",", None),
    NumberStyle(",", "."),
    *(NumberStyle(decimal, sign) for sign in (*_SPACES, "'", "\u2019") for decimal in (".", ",")),
)
STYLES = (PLAIN, *_OTHER_STYLES)
"""Every way to write a number without a unit."""


class Number(NamedTuple):
    """A cell that is a number."""

    text: str
    """Written plainly."""
    is_bound: bool
    """Whether the cell says that the number is only about so, or that it is smaller or larger: `<40`, `90+`, `~5`."""


class _Parts(NamedTuple):
    """A cell with something like a number in it."""

    digits: str
    is_negative: bool
    is_bound: bool
    unit: str | None


def to_numbers(column: "pd.Series[str]") -> "pd.Series[float]":
    """A column of plain numbers as float64, NaN where a cell is missing, infinite or not a number."""
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    return numbers.where(np.isfinite(numbers))


def find_number_style(filled: "pd.Series[str]") -> NumberStyle | None:
    """The number style that fits most of a column's filled cells; None if too few of them are numbers.

    None, too, for codes such as 02134, whose zeros a number would lose.
    """
    counts = filled.value_counts()
    return None if are_codes(counts) else choose_number_style(counts, MOSTLY)


def choose_number_style(counts: "pd.Series[int]", least: float) -> NumberStyle | None:
    """The number style that fits the largest share, `least` or more, of the cells in `counts` (rows by cell)."""
    rows = counts.sum()
    if not rows:
        return None
    is_plain = to_numbers(pd.Series(counts.index, dtype=object)).notna().to_numpy()
    if is_plain.all():
        return PLAIN
    compared = _part(counts, _COMPARED)
    if len(counts) > _TRIED and sum(map(_may_be_number, _part(counts, _TRIED).index)) < _FEW * _TRIED:
        return None
    candidates = [*_fitting_styles(compared), (float(counts[is_plain].sum() / rows), PLAIN), *_fitting_clocks(compared)]
    share, style = max(candidates, key=lambda candidate: candidate[0])
    return style if share >= least and share > 0 and not _are_groups(compared, style) else None


def _part(counts: "pd.Series[int]", cells: int) -> "pd.Series[int]":
    """About so many of the cells, evenly from the most to the least frequent."""
    return counts.iloc[:: -(-len(counts) // cells)]


def _fitting_clocks(counts: "pd.Series[int]") -> list[tuple[float, NumberStyle]]:
    """The style of durations with its share of the rows; none if no cell has two parts, as `1:30` and `1h 30m` have."""
    cells = list(map(str, counts.index))
    parts = {match.group("seconds") is not None for cell in cells if (match := _CLOCK.fullmatch(cell)) is not None}
    style = _MINUTES if parts == {True, False} else _DURATION
    if not any(_to_seconds(cell) is not None for cell in cells):
        return []
    fits = [read_number(cell, style) is not None for cell in cells]
    return [(float(counts[fits].sum() / counts.sum()), style)]


def _are_groups(counts: "pd.Series[int]", style: NumberStyle) -> bool:
    """Whether most numbers are bounds of groups, such as <18 and 18+, which would become one number."""
    numbers = {cell: number for cell in counts.index if (number := read_number(str(cell), style)) is not None}
    bounds = sum(int(counts[cell]) for cell, number in numbers.items() if number.is_bound)
    distinct = len({float(number.text) for number in numbers.values()})
    return bounds > _MOST_BOUNDS * counts.sum() and distinct <= len(numbers) / 2


def _may_be_number(cell: str) -> bool:
    return _split(cell) is not None or _to_seconds(cell) is not None


def are_codes(counts: "pd.Series[int]") -> bool:
    """Whether cells (`counts`: rows by cell) start with a zero, in more than a few or where all are equally long.

    Postal codes and article numbers do; a single such cell among numbers of any length is a slip.
    """
    is_code = counts.index.str.fullmatch(_CODE.pattern)
    if not is_code.any():
        return False
    lengths = set(map(len, counts.index[counts.index.str.fullmatch(r"\d+")]))
    return len(lengths) == 1 or bool(counts[is_code].sum() >= _CODES * counts.sum())


def _fitting_styles(counts: "pd.Series[int]") -> list[tuple[float, NumberStyle]]:
    """The styles with the most frequent unit, each with the share of the rows that it fits; best ones first."""
    parts = {cell: split for cell in counts.index if (split := _split(cell)) is not None}
    unit = _most_frequent_unit(counts, parts)
    shares = []
    for written in (None, unit) if unit is not None else (None,):
        digits = {cell: split.digits for cell, split in parts.items() if _has_unit(split, written)}
        for style in STYLES:
            fits = [cell for cell, text in digits.items() if re.fullmatch(style.pattern, text)]
            share = float(counts[fits].sum() / counts.sum())
            shares.append((share, NumberStyle(style.decimal, style.thousands, written)))
    return sorted(shares, key=lambda entry: (-entry[0], _starts_with_zero(parts.values(), entry[1])))


def _most_frequent_unit(counts: "pd.Series[int]", parts: Mapping[str, _Parts]) -> str | None:
    """The unit of most rows, as its first cell writes it; None if there is none."""
    rows: Counter[str] = Counter()
    spellings: dict[str, str] = {}
    for cell, split in parts.items():
        if split.unit is not None:
            rows[_unit_key(split.unit)] += int(counts[cell])
            spellings.setdefault(_unit_key(split.unit), split.unit)
    return spellings[rows.most_common(1)[0][0]] if rows else None


def _starts_with_zero(parts: Iterable[_Parts], style: NumberStyle) -> bool:
    """Whether a thousands separator follows a lone zero, as in `0,125`: then it is a decimal separator."""
    return style.thousands is not None and any(split.digits.startswith(f"0{style.thousands}") for split in parts)


def _has_unit(parts: _Parts, unit: str | None) -> bool:
    """Whether a cell has the unit, or none if the unit does not scale."""
    return (parts.unit is None and not NumberStyle(unit=unit).is_scaled) or (
        parts.unit is not None and unit is not None and _unit_key(parts.unit) == _unit_key(unit)
    )


def _unit_key(unit: str) -> str:
    """Units in one spelling: KG is kg; but mW is not MW."""
    return unit if unit[0] in "mM" else unit.casefold()


def _split(cell: str) -> _Parts | None:
    """The parts of a cell with one number in it; None for any other."""
    if len(cell) > _LONGEST_NUMBER:
        return None
    match = _CELL.fullmatch(cell.translate(_ASCII))
    if match is None:
        return None
    opened = (match["outer"] is not None) + (match["inner"] is not None)
    signs = [match[name] for name in ("sign", "after_currency", "trailing") if match[name]]
    if opened > 1 or len(signs) > 1 or (opened == 1) != match[0].endswith(")") or (opened and signs):
        return None
    after = match["after"] and match["after"].strip(" .")
    units = [part for part in (match["before"], after) if part]
    is_bound = match["bound"] is not None or match["or_more"] is not None
    return _Parts(match["digits"], opened == 1 or signs == ["-"], is_bound, " ".join(" ".join(units).split()) or None)


def split_unit(cell: str) -> str | None:
    """The unit of a cell with a number, "" if it has none; None for a cell without a number."""
    parts = _split(cell)
    return None if parts is None else parts.unit or ""


def read_number(cell: str, style: NumberStyle) -> Number | None:
    """The number in a cell, written plainly; None if it contains none in that style."""
    if style.kind != "number":
        seconds = _to_seconds(cell, is_lone_read=True, in_minutes=style.kind == "minutes")
        return None if seconds is None else Number(seconds, False)
    parts = _split(cell)
    if parts is None or not _has_unit(parts, style.unit) or not re.fullmatch(style.pattern, parts.digits):
        return None
    digits = parts.digits.replace(style.thousands, "") if style.thousands else parts.digits
    text = f"{'-' if parts.is_negative else ''}{digits.replace(style.decimal, '.')}"
    return Number(text, parts.is_bound) if np.isfinite(float(text)) else None


def _to_seconds(cell: str, is_lone_read: bool = False, in_minutes: bool = False) -> str | None:
    """The seconds of a duration (`1:02:03`, `2 days, 0:30:00`, `1h 30m`, `PT5M`) or a time of day (`2:30 pm`).

    `30 min` alone is a number with a unit, unless `is_lone_read`. `58:12` is minutes and seconds if `in_minutes`.
    """
    if len(cell) > _LONGEST_NUMBER:
        return None
    if clock := _CLOCK.fullmatch(cell):
        return _seconds_of_clock(clock, in_minutes)
    span = _ISO_SPAN.fullmatch(cell) if cell.startswith("P") else _SPAN.fullmatch(cell)
    given = {} if span is None else {name: amount for name, amount in span.groupdict().items() if amount}
    if len(given) < (1 if cell.startswith("P") or is_lone_read else 2):
        return None
    return str(sum(Decimal(amount) * _SECONDS[name] for name, amount in given.items()))


def _seconds_of_clock(clock: re.Match[str], in_minutes: bool) -> str | None:
    hours = int(clock["hours"])
    if clock["half"]:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if clock["half"].lower() == "p" else 0)
    seconds = hours * 3600 + int(clock["minutes"]) * 60 + Decimal(clock["seconds"] or 0)
    if in_minutes and clock["seconds"] is None and clock["half"] is None:
        seconds /= 60
    days = int(clock["days"] or 0) * (-1 if clock["day_sign"] else 1)
    return f"{days * 86400 + (-seconds if clock['sign'] == '-' else seconds):f}"


def read_numbers(cells: Sequence[str], style: NumberStyle) -> dict[str, Number]:
    """The number of each cell that is one in that style, except those written plainly already."""
    words = pd.Series(cells, dtype=object)
    if style.is_plain:
        words = words[to_numbers(words).isna()]
    usual = _read_usual(words, style)
    others = {cell: number for cell in words if cell not in usual and (number := read_number(cell, style)) is not None}
    return usual | others


def _read_usual(words: "pd.Series[str]", style: NumberStyle) -> dict[str, Number]:
    """The numbers among many cells that are written without brackets and bounds: `read_number`, but faster."""
    if style.kind != "number" or len(words) < _TRIED:
        return {}
    bare = words
    if style.unit is not None:
        bare = bare.str.removeprefix(style.unit).str.removesuffix(style.unit).str.strip()
        bare = bare[bare != words]
    fits = bare.str.fullmatch(rf"[-+]?{style.pattern}") & (bare.str.len() <= _LONGEST_NUMBER)
    plain = bare[fits].str.replace(style.thousands, "", regex=False) if style.thousands else bare[fits]
    plain = plain.str.replace(style.decimal, ".", regex=False).str.removeprefix("+")
    plain = plain[to_numbers(plain).notna()]
    written = words.loc[plain.index].tolist()
    return {cell: Number(text, False) for cell, text in zip(written, plain.tolist(), strict=True)}

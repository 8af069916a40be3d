"""How another table writes the cells of a column: new rows in another format are read in their own, or refused.

A number or date that may mean two things is never guessed: unless other cells of the same table decide, it is unclear.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from loramake.tables.dates import DateStyle, Orders, count_orders, read_date
from loramake.tables.numbers import STYLES, NumberStyle, choose_number_style, read_number, split_unit, to_numbers
from loramake.tables.readings import Reading

MOST_CELLS = 2000
"""How many different cells of a column decide how a table writes its numbers or dates."""


@dataclass(frozen=True)
class AdaptedReading:
    """How one table writes the cells of a column that was read as `reading`."""

    reading: Reading
    candidates: tuple[NumberStyle, ...] = ()
    """Ways to write numbers that fit this table equally well."""
    note: str | None = None
    """What differs from the CSV."""

    def read_cells(self, cells: Sequence[str]) -> dict[str, str | None]:
        """What distinct cells are read as that are written otherwise; None if one may mean two things.

        So does one with another unit.
        """
        if self.reading.dates is not None:
            dates = {cell: _read_date(cell, self.reading.dates) for cell in cells}
            return {cell: date for cell, date in dates.items() if date != cell}
        if not self.candidates:
            return {cell: number.text for cell, number in self.reading.read_cells(cells).items()}
        words = pd.Series(cells, dtype=object)
        if len(self.candidates) == 1 and self.candidates[0].is_plain:
            words = words[to_numbers(words).isna()]
        return {cell: self._read_number(cell) for cell in words}

    def read_typed(self, text: str) -> str | None:
        """What a cell is read as that was a number, a date or a truth value, plainly written; None if unclear.

        A number is, where the CSV's numbers had a unit that scales them: 0.05 may be 5%.
        """
        style = self.reading.numbers
        if self.reading.flags is not None:
            return self.reading.flags.read(text)
        if self.reading.dates is not None:
            return read_date(text, DateStyle()) or text
        if style is None or style.kind == "number":
            return None if style is not None and style.is_scaled else text
        duration = read_number(text, style)
        return text if duration is None else duration.text

    def explain(self, cell: str) -> str:
        """Why `read_cells` gives None for a cell, to follow it in a sentence."""
        if self.reading.dates is not None:
            return "may be two dates: write it as 2024-07-03"
        style = self.reading.numbers or NumberStyle()
        if any(read_number(cell, candidate) is not None for candidate in self.candidates):
            return "may be two numbers: write it as 1234.5"
        if style.kind != "number":
            return "is not a duration as in training: write it as 1:02:03"
        if not split_unit(cell) and style.is_scaled:
            return f"has no unit, unlike those of training: write it with {style.unit}"
        return (
            "has another unit than in training: convert it" if split_unit(cell) else "may be two numbers: write 1234.5"
        )

    def _read_number(self, cell: str) -> str | None:
        read = {number.text for style in self.candidates if (number := read_number(cell, style)) is not None}
        if not read:
            return cell if split_unit(cell) is None else None
        return min(read) if len(set(map(float, read))) == 1 else None


def _read_date(cell: str, style: DateStyle) -> str | None:
    date = read_date(cell, style)
    if date is not None:
        return date
    return cell if read_date(cell, DateStyle(day_first=True)) is None else None


def adapt(reading: Reading, counts: "pd.Series[int]") -> AdaptedReading:
    """How a table writes a column; `counts` are its rows by cell, blank ones left out."""
    counts = counts[~reading.is_missing(counts.index)] if len(counts) else counts
    if reading.numbers is not None and len(counts):
        return _adapt_numbers(reading, reading.numbers, counts)
    if reading.dates is not None and len(counts):
        return _adapt_dates(reading, reading.dates, count_orders(counts))
    return AdaptedReading(reading)


def _adapt_numbers(reading: Reading, style: NumberStyle, counts: "pd.Series[int]") -> AdaptedReading:
    own = _fitting(counts, style)
    if own == len(counts) or style.kind != "number":
        return AdaptedReading(reading, (style,))
    best = choose_number_style(counts, least=0)
    if best is None or best.kind != style.kind or (best.unit != style.unit and (style.unit or best.is_scaled)):
        return AdaptedReading(reading, (style,))
    unit = best.unit or style.unit
    fits = {candidate: _fitting(counts, replace(candidate, unit=unit)) for candidate in STYLES}
    most = max(fits.values())
    if most <= own:
        return AdaptedReading(reading, (style,))
    candidates = tuple(replace(candidate, unit=unit) for candidate, count in fits.items() if count == most)
    return AdaptedReading(reading, candidates, f"numbers are written as in {_example(counts, candidates[0])!r}")


def _fitting(counts: "pd.Series[int]", style: NumberStyle) -> int:
    """How many different cells are numbers in a style."""
    cells = pd.Series(counts.index, dtype=object)
    words = cells[to_numbers(cells).isna()] if style.is_plain else cells
    return len(cells) - len(words) + sum(read_number(cell, style) is not None for cell in words)


def _example(counts: "pd.Series[int]", style: NumberStyle) -> str:
    """The first number in a style that is not written plainly."""
    words = counts.index[to_numbers(pd.Series(counts.index, dtype=object)).isna().to_numpy()]
    return next(str(cell) for cell in [*words, *counts.index] if read_number(str(cell), style) is not None)


def _adapt_dates(reading: Reading, style: DateStyle, orders: Orders) -> AdaptedReading:
    """Another order of day and month than the CSV's, if cells show it and none shows the CSV's."""
    shown = orders.day_first > 0, orders.month_first > 0
    if shown == (True, True):  # each cell as it shows, and the others may be either
        return AdaptedReading(replace(reading, dates=DateStyle()))
    if shown == (False, False) or style.day_first is shown[0]:
        return AdaptedReading(reading)
    first = "day" if shown[0] else "month"
    return AdaptedReading(
        replace(reading, dates=DateStyle(day_first=shown[0])), note=f"dates are written with the {first} first"
    )

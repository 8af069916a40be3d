"""How each column of a table is read: its type, what counts as missing, and how it writes numbers and dates.

Found once, from the CSV; profile.json keeps it, and every later step, and every new row, is read the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from loramake.artifact_types.explore import ColumnType, DeclaredType, MissingBy, ProfileColumn, ReadAs
from loramake.errors import DataError
from loramake.tables.dates import DateStyle, choose_date_style, read_dates
from loramake.tables.missing import Mask, find_doubtful, is_listed, is_missing_number, is_missing_word
from loramake.tables.numbers import Number, NumberStyle, choose_number_style, read_numbers
from loramake.tables.types import Flags, FoundType, find_flags, find_numbers_or_dates, find_words
from loramake.text import listed, shorten

_DECLARED: dict[DeclaredType, ColumnType] = {
    "numeric": "numeric",
    "category": "categorical",
    "categorical": "categorical",
    "text": "text",
    "date": "date",
    "id": "id",
}


class Declared(NamedTuple):
    """What the settings say of a column."""

    type: DeclaredType | None = None
    """Of column_types."""
    missing: Sequence[str] | None = None
    """The words that missing_values gives; None if the usual ones count as missing."""


NOTHING_DECLARED = Declared()


@dataclass(frozen=True)
class Reading:
    """How the cells of a column are read."""

    kind: ColumnType
    numbers: NumberStyle | None = None
    dates: DateStyle | None = None
    flags: Flags | None = None
    """The words of a boolean column."""
    missing_by: MissingBy = "words"
    kept: tuple[str, ...] = ()
    """Doubtful words, such as NA, of many cells: categories, unless the column is one of numbers."""
    listed: tuple[str, ...] = ()
    """The words of the setting that count as missing."""

    @classmethod
    def of(cls, column: ProfileColumn) -> "Reading":
        """From an entry of profile.json."""
        numbers, dates = column["number_style"], column["date_style"]
        return cls(
            column["type"],
            None if numbers is None else NumberStyle(**numbers),
            None if dates is None else DateStyle(**dates),
            None if column["flags"] is None else Flags(**column["flags"]),
            column["missing_by"],
            tuple(column["kept_words"]),
            tuple(column["listed_words"]),
        )

    def as_dict(self) -> ReadAs:
        return {
            "number_style": None if self.numbers is None else self.numbers.as_dict(),
            "date_style": None if self.dates is None else self.dates.as_dict(),
            "flags": None if self.flags is None else {"yes": self.flags.yes, "no": self.flags.no},
            "missing_by": self.missing_by,
            "kept_words": list(self.kept),
            "listed_words": list(self.listed),
        }

    def as_words(self) -> "Reading":
        """The reading of the same column as labels: nothing is rewritten, and no doubtful word is missing."""
        by: MissingBy = "setting" if self.missing_by == "setting" else "words"
        return replace(self, numbers=None, dates=None, flags=None, missing_by=by)

    def is_missing(self, cells: pd.Index) -> Mask:
        """Which of some distinct cells count as missing, shape (cells,)."""
        if self.missing_by == "setting":
            return is_listed(cells, self.listed)
        return is_missing_number(cells) if self.missing_by == "numbers" else is_missing_word(cells, self.kept)

    def read_cells(self, cells: Sequence[str]) -> dict[str, Number]:
        """What distinct cells are read as that are written otherwise: plain numbers, dates in ISO 8601, flags."""
        if self.numbers is not None:
            return read_numbers(cells, self.numbers)
        if self.dates is not None:
            return {cell: Number(date, False) for cell, date in read_dates(cells, self.dates).items()}
        if self.flags is not None:
            read = {cell: self.flags.read(cell) for cell in cells}
            return {cell: Number(flag, False) for cell, flag in read.items() if cell != flag}
        return {}

    def without_listed(self, texts: list[str | None]) -> list[str | None]:
        """Cells as they are read, without the numbers and dates that the setting lists in whatever format."""
        if self.missing_by != "setting" or not (self.numbers or self.dates):
            return texts
        listed = [changed.text for changed in self.read_cells(self.listed).values()] + list(self.listed)
        is_out = is_listed(pd.Index([text or "" for text in texts], dtype=object), listed)
        return [None if out else text for text, out in zip(texts, is_out, strict=True)]

    def read(self, column: "pd.Series[str]") -> "pd.Series[str]":
        """The column (None where blank) with missing cells None and the others as `read_cells` says."""
        codes, cells = pd.factorize(column)
        if not len(cells):
            return column
        missing = self.is_missing(pd.Index(cells))
        changed = self.read_cells([cell for cell, is_missing in zip(cells, missing, strict=True) if not is_missing])
        if not changed and not missing.any():
            return column
        texts = [
            None if is_missing else changed[cell].text if cell in changed else cell
            for cell, is_missing in zip(cells, missing, strict=True)
        ]
        texts = self.without_listed(texts)
        read = np.array([*texts, None], dtype=object)
        return pd.Series(read[codes], index=column.index, name=column.name, dtype=object)


def find_reading(column: "pd.Series[str]", declared: Declared = NOTHING_DECLARED) -> Reading:
    """How a column (None where blank) is read; DataError for a declared type that no cell has."""
    name, counts, rows = str(column.name), column.value_counts(), len(column)
    kept = tuple(find_doubtful(counts))
    if declared.missing is not None:
        numbers = words = counts[~is_listed(counts.index, declared.missing)]
    else:
        numbers = counts[~is_missing_number(counts.index)]
        words = counts[~is_missing_word(counts.index, kept)]
    found = None
    if declared.type is not None:
        found = _declared_type(name, numbers, declared.type)
    elif len(counts) != 1 or counts.sum() < rows:
        found = (
            find_flags(numbers, only_digits=True)
            or find_flags(words, only_digits=False)
            or find_numbers_or_dates(name, numbers, rows - int(numbers.sum()))
        )
    found = found or find_words(name, words, rows - int(words.sum()))
    if declared.missing is not None:
        return Reading(*found, missing_by="setting", listed=tuple(declared.missing))
    return Reading(*found, missing_by="numbers" if found.has_numbers else "words", kept=kept)


def _declared_type(name: str, counts: "pd.Series[int]", declared: DeclaredType) -> FoundType:
    """The type that the setting column_types gives, and the style that fits most cells."""
    kind = _DECLARED[declared]
    style = choose_number_style(counts, least=0) if kind == "numeric" else None
    dates = choose_date_style(counts, least=0) if kind == "date" else None
    if kind in ("numeric", "date") and style is None and dates is None:
        cells = listed([repr(shorten(cell, 40)) for cell in counts.index], most=1)
        content = "a number" if kind == "numeric" else "a date"
        raise DataError(f"column_types: {name} is {declared}, but hardly any cell is {content} ({cells}).")
    return FoundType(kind, style, dates)

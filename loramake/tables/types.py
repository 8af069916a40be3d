"""The type of a column, as a person would name it. Knows nothing of targets."""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from loramake.artifact_types.explore import ColumnType
from loramake.tables.dates import DIGITS_OF_DATE, DateStyle, choose_date_style
from loramake.tables.numbers import MOSTLY, NumberStyle, are_codes, choose_number_style, read_number, to_numbers
from loramake.text import CELL_LENGTH

_DIGITS = frozenset({"0", "1", "0.0", "1.0"})
_PAIRS = (("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"), ("on", "off"), ("1", "0"), ("1.0", "0.0"))
_YES, _NO = frozenset(yes for yes, _ in _PAIRS), frozenset(no for _, no in _PAIRS)
_ID_NAME = re.compile(
    r"(?i:(^|[_\W])(id|uuid|guid|key|index|number|no|nr|code|identifier)$)"
    r"|(?i:^(id|uuid|guid|index)([_\W]|$))|[a-z](Id|ID|Index)$"
)
_CODE = re.compile(r"(?=.*[A-Za-z])\S+")
_MIN_ROWS_OF_ID = 20


class Flags(NamedTuple):
    """The words of a boolean column: the most frequent pair, in its most frequent spelling."""

    yes: str
    no: str

    @property
    def are_digits(self) -> bool:
        return {self.yes, self.no} <= _DIGITS

    def read(self, cell: str) -> str:
        """The word with the meaning of the cell; any other cell as it is."""
        word = cell.lower()
        return self.yes if word in _YES else self.no if word in _NO else cell


class FoundType(NamedTuple):
    """A type, and how its cells are written."""

    kind: ColumnType
    numbers: NumberStyle | None = None
    """Of a numeric column, and of an id of numbers."""
    dates: DateStyle | None = None
    flags: Flags | None = None

    @property
    def has_numbers(self) -> bool:
        """Whether its cells are numbers or dates, rather than words."""
        return self.numbers is not None or self.dates is not None or (self.flags is not None and self.flags.are_digits)


def find_flags(counts: "pd.Series[int]", only_digits: bool) -> FoundType | None:
    """boolean, if every cell means yes or no and both occur; `only_digits`: all of them 0 or 1.

    `counts` are the column's rows by cell, without what counts as missing.
    """
    valid = _DIGITS if only_digits else _YES | _NO
    if len(counts) > 3 * len(_YES | _NO) or not all(str(cell).lower() in valid for cell in counts.index):
        return None
    words = counts.index.str.lower()
    if not words.isin(_YES).any() or not words.isin(_NO).any():
        return None
    complete = [set(pair) for pair in _PAIRS if set(pair) <= set(words)] or [set(words)]
    pair = max(complete, key=lambda pair: int(counts[words.isin(pair)].sum()))
    spelled = counts[words.isin(pair)]
    yes, no = spelled[spelled.index.str.lower().isin(_YES)], spelled[spelled.index.str.lower().isin(_NO)]
    same_case = no[[_case(str(cell)) == _case(str(yes.idxmax())) for cell in no.index]]
    return FoundType("boolean", flags=Flags(str(yes.idxmax()), str((no if same_case.empty else same_case).idxmax())))


def _case(word: str) -> tuple[bool, bool]:
    return word.isupper(), word.islower()


def find_numbers_or_dates(name: str, counts: "pd.Series[int]", missing: int) -> FoundType | None:
    """numeric, date, or an id of numbers; None for words.

    `counts` are the column's rows by cell, without what counts as missing in such columns, `missing` the other rows.
    """
    if counts.empty:
        return None
    style = None if are_codes(counts) else choose_number_style(counts, MOSTLY)
    dates = choose_date_style(counts, MOSTLY) if style is None or _is_date_of_digits(counts) else None
    if dates is not None:
        return FoundType("date", dates=dates)
    if style is not None:
        return FoundType("id" if _identifies_rows(name, counts, missing, style) else "numeric", style)
    return None


def _is_date_of_digits(counts: "pd.Series[int]") -> bool:
    """Whether most cells are eight digits, as in 20240131."""
    is_date = counts.index.str.fullmatch(DIGITS_OF_DATE.pattern)
    return bool(counts[is_date].sum() >= MOSTLY * counts.sum())


def _identifies_rows(name: str, counts: "pd.Series[int]", missing: int, style: NumberStyle) -> bool:
    """Whether every row has its own whole number, without a unit; or every filled one, where the name says so."""
    if not _is_unique(counts) or style.unit is not None:
        return False
    plain = [number.text for cell in counts.index if (number := read_number(str(cell), style)) is not None]
    numbers = to_numbers(pd.Series(plain, dtype=object))
    is_whole = bool((numbers % 1 == 0).all() and (numbers >= 0).all())
    is_complete = len(numbers) == len(counts) and missing == 0
    return is_whole and (is_complete or bool(_ID_NAME.search(name)))


def _is_unique(counts: "pd.Series[int]") -> bool:
    return len(counts) >= _MIN_ROWS_OF_ID and int(counts.max()) == 1


def find_words(name: str, counts: "pd.Series[int]", missing: int) -> FoundType:
    """constant, id, text or categorical, of a column without numbers and dates.

    `counts` are its rows by cell, `missing` its rows without a value.
    """
    if len(counts) == 0 or (len(counts) == 1 and missing == 0):
        return FoundType("constant")
    if _is_unique(counts) and (_ID_NAME.search(name) or all(_CODE.fullmatch(str(cell)) for cell in counts.index)):
        return FoundType("id")
    return FoundType("text" if _looks_like_text(counts) else "categorical")


def _looks_like_text(counts: "pd.Series[int]") -> bool:
    """Several words per cell, and hardly any cell repeated; or cells too long for a category."""
    rows, cells = counts.sum(), counts.index
    words = np.average(cells.str.split().str.len(), weights=counts)
    lengths = pd.Series(np.repeat(cells.str.len().to_numpy(), counts.to_numpy()))
    return bool((words >= 3 and len(counts) > 0.5 * rows) or lengths.median() > CELL_LENGTH)

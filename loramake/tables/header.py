"""Where the header of a table is: which lines above it are skipped, and which columns without a name are left out.

Only what is certain is skipped. What a header is follows from the lines below it: a word above numbers, or above a few
words that it is not among, is a name; a number above numbers, or a word that also occurs below it, is data.
"""

import itertools
import re
from collections import Counter
from collections.abc import Collection, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from loramake.errors import DataError
from loramake.text import shorten

_MOSTLY = 0.8
_FEWEST_CELLS = 3
"""Cells of a column below which nothing follows from them."""
_YEARS = range(1900, 2101)
_NUMBER_OR_DATE = re.compile(r"[-+\u2212]?[$€£]?\d[\d.,:/'’\s\-+eETZ%]*")
_DIGITS = re.compile(r"\d+")
_SHOWN = 3


class Line(NamedTuple):
    """The cells of one record, stripped, and the line in which it begins, from 1."""

    number: int
    cells: list[str]

    @property
    def width(self) -> int:
        """The number of cells without empty ones at the end."""
        return max((position for position, cell in enumerate(self.cells, 1) if cell), default=0)


class Header(NamedTuple):
    """What is not read as part of the table."""

    lines_above: int
    unnamed_columns: tuple[int, ...]
    """Positions, from 1, of columns without a name that are left out: row numbers in the first, or nothing."""


class _Looks(Enum):
    """What a line looks like above the others."""

    NAMES = "names"
    PROBABLY_NAMES = "probably names"
    UNCLEAR = "unclear"
    DATA = "data"


def find_header(lines: Sequence[Line], where: str | Path, known: Collection[str] = ()) -> Header:
    """The header among the first lines; DataError, with the line, if there is none or none is certain.

    A line with one of the `known` names is a header.
    """
    if not lines:
        return Header(0, ())
    position = _find_position(lines, where, known)
    header, below = lines[position], lines[position + 1 :]
    return Header(header.number - 1, find_unnamed(header, below))


def _find_position(lines: Sequence[Line], where: str | Path, known: Collection[str]) -> int:
    """The index of the header."""
    width = _usual_width(lines)
    position = next((i for i, line in enumerate(lines) if line.width >= width and not _is_comment(line)), 0)
    looks = _look(lines, position, known)
    if position == 0:
        if looks is _Looks.DATA:
            raise _no_header(lines[0], where)
        return 0
    before = lines[position - 1]
    if before.width < width and looks in (_Looks.NAMES, _Looks.PROBABLY_NAMES):
        return position
    if before.width >= width and looks is _Looks.NAMES:
        return position
    if before.width >= width and (before.cells[0] == "#" or before.cells[0][1:2].strip()):
        return position - 1  # a name that begins with #
    if looks is _Looks.DATA and all(map(_is_comment, lines[:position])):
        raise _no_header(lines[position], where)
    raise DataError(
        f"{where}: line {lines[0].number}: {lines[0].width} cells where the lines below have {width}: delete it if it "
        "is a title or a comment, or give every column a name."
    )


def _no_header(line: Line, where: str | Path) -> DataError:
    cells = ", ".join(shorten(cell, 20) for cell in line.cells[:_SHOWN]) + (", …" if line.cells[_SHOWN:] else "")
    return DataError(
        f"{where}: line {line.number} looks like data, not like the names of columns ({cells}): add a line of names "
        "above it."
    )


def _is_comment(line: Line) -> bool:
    return line.cells[0].startswith("#")


def _usual_width(lines: Sequence[Line]) -> int:
    """The width of most lines below the first one, as far as their cells are filled."""
    below = lines[1:] or lines
    ((usual, _),) = Counter(len(line.cells) for line in below).most_common(1)
    return max(line.width for line in below if len(line.cells) == usual)


def _look(lines: Sequence[Line], position: int, known: Collection[str]) -> _Looks:
    """What the line at a position looks like, by the lines below it."""
    header = lines[position].cells
    below = [line.cells for line in lines[position + 1 :] if line.cells != header]
    is_repeated = len(lines) - position - 1 - len(below) >= _FEWEST_CELLS - 1 and not any(
        map(is_number_or_date, header)
    )
    names, probable, data, numbers = 0, 0, 0, list[str]()
    for index, name in enumerate(header):
        cells = [cells[index] for cells in below if index < len(cells) and cells[index]]
        if name in known:
            names += 1
        if not name or len(cells) < _FEWEST_CELLS:
            continue
        if is_number_or_date(name):
            numbers += [name] if _shape(name) in map(_shape, cells) else []
        elif sum(map(is_number_or_date, cells)) >= _MOSTLY * len(cells):
            names += 1
        elif name in cells:
            data += 1
        elif len(set(cells)) <= len(cells) / 2:
            probable += 1
    data += 0 if _is_series(numbers) else len(numbers)
    if names:
        return _Looks.NAMES
    if data > 3 * probable or is_repeated:
        return _Looks.DATA
    return _Looks.PROBABLY_NAMES if probable and not data else _Looks.UNCLEAR


def _shape(cell: str) -> str:
    return _DIGITS.sub("9", cell)


def _is_series(numbers: Sequence[str]) -> bool:
    """Whether numbers are names, as of wide tables: years, or whole numbers that count up."""
    if not all(number.isdecimal() for number in numbers):
        return False
    whole = [int(number) for number in numbers]
    if len(whole) == 1:
        return whole[0] in (0, 1) or whole[0] in _YEARS
    steps = {after - before for before, after in itertools.pairwise(whole)}
    return all(number in _YEARS for number in whole) or (len(steps) == 1 and min(steps) > 0)


def find_unnamed(header: Line, below: Sequence[Line]) -> tuple[int, ...]:
    """The columns without a name that contain row numbers, if it is the first one, or nothing."""
    positions = [position for position, name in enumerate(header.cells[: header.width]) if not name]
    cells = {p: [line.cells[p] for line in below if p < len(line.cells) and line.cells[p]] for p in positions}
    return tuple(p + 1 for p in positions if not cells[p] or (p == 0 and _are_row_numbers(cells[p])))


def _are_row_numbers(cells: Sequence[str]) -> bool:
    return all(map(is_row_number, cells)) and len(set(cells)) == len(cells)


def is_number_or_date(cell: str) -> bool:
    """Whether a cell looks like a number or a date, however they are written."""
    return _NUMBER_OR_DATE.fullmatch(cell) is not None


def is_row_number(cell: str) -> bool:
    """Whether a cell can be a row number: digits only."""
    return cell.isdecimal()

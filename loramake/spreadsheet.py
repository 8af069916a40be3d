"""Cells of the CSVs that people open in a spreadsheet: none is computed, and each can be read back unchanged.

A cell that a spreadsheet would take for a formula gets a leading apostrophe, which it shows or hides, and never runs
(OWASP, "CSV injection"). Numbers stay numbers. Files that only programs read (splits.csv, JSON) are not escaped.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from typing import TextIO

SET_SEPARATOR = " | "
"""The separator between several texts in one cell."""

_FORMULA_STARTS = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
"""Characters that make a spreadsheet compute, in full-width and small forms too."""
_UNSEEN = "\\x00-\\x1f\\xad\\u200b-\\u200f\\u2060\\ufeff"
"""Characters that a program may drop before it reads the first one."""
_STARTS_FORMULA = re.compile(rf"[\s'{_UNSEEN}]*[{_FORMULA_STARTS}]|'*[\t\r\n]")
_BETWEEN_CELLS = re.compile(rf"(?<![;|\s\"])[;|\s\"]++(?='*+[{_FORMULA_STARTS}])")
"""What precedes such a character at the possible start of a cell: a separator other than the comma."""
_GUARDED_BETWEEN = re.compile(rf"(?<![;|\s\"])([;|\s\"]++)'(?='*+[{_FORMULA_STARTS}])")
_PARTS_CELLS = re.compile(r"[;|\t\r\n]")
_NUMBER = re.compile(r"[-+]?(\d[\d.,'\u2019 \u00a0\u202f]*|[.,]\d+)([eE][-+]?\d+)?%?")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def write_csv(file: TextIO, lines: Iterable[Sequence[object]]) -> None:
    """Write lines of cells, none of which a spreadsheet computes."""
    csv.writer(file, lineterminator="\n").writerows([escape_formula(cell) for cell in line] for line in lines)


def escape_formula(cell: object) -> str:
    """A cell as text that no spreadsheet computes: text that begins like a formula gets a ' before it; numbers don't.

    None becomes an empty cell, and several texts one cell with SET_SEPARATOR between them. Half a UTF-16 pair, which
    no file can contain, becomes the replacement character.
    """
    if isinstance(cell, list):
        joined = SET_SEPARATOR.join(cell)
        return joined if all(_NUMBER.fullmatch(text) for text in cell) else escape_formula(joined)
    if not isinstance(cell, str):
        return "" if cell is None else str(cell)
    if _NUMBER.fullmatch(cell):
        return cell
    text = _BETWEEN_CELLS.sub(_guard, _SURROGATES.sub("\ufffd", cell))
    return f"'{text}" if _STARTS_FORMULA.match(text) else text


def _guard(match: re.Match[str]) -> str:
    return f"{match[0]}'" if _PARTS_CELLS.search(match[0]) else match[0]


def original(cell: str) -> str:
    """The cell before `escape_formula`."""
    text = cell[1:] if cell[:1] == "'" and _STARTS_FORMULA.match(cell[1:]) else cell
    return _GUARDED_BETWEEN.sub(_unguard, text)


def _unguard(match: re.Match[str]) -> str:
    return match[1] if _PARTS_CELLS.search(match[1]) else match[0]

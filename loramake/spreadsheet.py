"""Cells of the CSVs that people open in a spreadsheet: none is computed, and each can be read back as it was.

A cell that a spreadsheet would take for a formula begins with an apostrophe, which it shows or hides, and never runs
(OWASP, "CSV injection"). Numbers stay numbers. Files that only programs read (splits.csv, JSON) are not written so.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from typing import TextIO

SET_SIGN = " | "
"""What stands between several texts in one cell."""

_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
"""What makes a spreadsheet compute, in full width and small form too."""
_UNSEEN = "\\x00-\\x1f\\xad\\u200b-\\u200f\\u2060\\ufeff"
"""What a program may drop before it looks at the first sign."""
_STARTS_FORMULA = re.compile(rf"[\s'{_UNSEEN}]*[{_SIGNS}]|'*[\t\r\n]")
_BETWEEN_CELLS = re.compile(rf"(?<![;|\s\"])[;|\s\"]++(?='*+[{_SIGNS}])")
"""What stands before such a sign where a cell may begin: behind a sign that parts cells where the comma does not."""
_GUARDED_BETWEEN = re.compile(rf"(?<![;|\s\"])([;|\s\"]++)'(?='*+[{_SIGNS}])")
_PARTS_CELLS = re.compile(r"[;|\t\r\n]")
_NUMBER = re.compile(r"[-+]?(\d[\d.,'\u2019 \u00a0\u202f]*|[.,]\d+)([eE][-+]?\d+)?%?")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def write_csv(file: TextIO, lines: Iterable[Sequence[object]]) -> None:
    """Write lines of cells, none of which a spreadsheet computes."""
    csv.writer(file, lineterminator="\n").writerows([escape_formula(cell) for cell in line] for line in lines)


def escape_formula(cell: object) -> str:
    """A cell as text that no spreadsheet computes: text that begins like a formula gets a ' before it; numbers don't.

    None becomes an empty cell, and several texts one cell with SET_SIGN between them. Half a UTF-16 pair, which no file
    can hold, becomes the replacement character.
    """
    if isinstance(cell, list):
        joined = SET_SIGN.join(cell)
        return joined if all(_NUMBER.fullmatch(text) for text in cell) else escape_formula(joined)
    if not isinstance(cell, str):
        return "" if cell is None else str(cell)
    if _NUMBER.fullmatch(cell):
        return cell
    text = _BETWEEN_CELLS.sub(_guard, _SURROGATES.sub("\ufffd", cell))
    return f"'{text}" if _STARTS_FORMULA.match(text) else text


def _guard(found: re.Match[str]) -> str:
    return f"{found[0]}'" if _PARTS_CELLS.search(found[0]) else found[0]


def original(cell: str) -> str:
    """What `escape_formula` was given."""
    text = cell[1:] if cell[:1] == "'" and _STARTS_FORMULA.match(cell[1:]) else cell
    return _GUARDED_BETWEEN.sub(_unguard, text)


def _unguard(found: re.Match[str]) -> str:
    return found[1] if _PARTS_CELLS.search(found[1]) else found[0]

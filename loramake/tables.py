"""Reading a CSV as text: delimiter and encoding found, cells stripped, missing cells None.

Cells stay text, so that what one row holds never changes how another is read. Knows nothing of targets or splits.
"""

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loramake.errors import DataError, nearest

DELIMITERS = (",", ";", "\t")
csv.field_size_limit(2**24)  # Python's own limit of 128 KiB is less than a long text cell

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "?")
"""Cells, after stripping, that stand for no value."""


@dataclass(frozen=True)
class Dialect:
    """How a CSV is written: a Python codec name and a one-character delimiter."""

    encoding: str
    delimiter: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def sniff(path: str | Path) -> Dialect:
    """Find a CSV's encoding and delimiter; raise DataError where it is no CSV at all."""
    path = check_file(path)
    encoding = _find_encoding(path)
    with path.open(encoding=encoding, newline="") as file:
        head = list(itertools.islice(file, 200))
    return Dialect(encoding, max(DELIMITERS, key=lambda delimiter: _fit(head, delimiter)))


def check_file(path: str | Path) -> Path:
    """The path of a readable, non-empty file; DataError otherwise. Looks at no content, so it costs nothing."""
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder: set csv to a file.")
    if not path.exists():
        raise DataError(f"{path} is not there: set csv in config.yaml, or --config csv=PATH.")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty: it needs a header line and rows.")
    return path


def _find_encoding(path: Path) -> str:
    """UTF-8 where every byte agrees (with or without a byte-order mark), else Latin-1, which can read any byte."""
    with path.open("rb") as file:
        start = file.read(65536)
    if b"\0" in start:
        raise DataError(f"{path} is not a text file (a NUL byte stands at {start.index(0)}): export it as CSV.")
    encoding = "utf-8-sig" if start.startswith(b"\xef\xbb\xbf") else "utf-8"
    try:
        with path.open(encoding=encoding) as text:
            while text.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return "latin-1"
    return encoding


def _encoding_of_start(start: bytes) -> str:
    """As _find_encoding, from the first bytes, the last of which may be half a character."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"


def _fit(head: Sequence[str], delimiter: str) -> tuple[float, int]:
    """How well a delimiter explains the first lines: the share of records as wide as the header, then that width."""
    widths = [len(record) for record in csv.reader(head, delimiter=delimiter, skipinitialspace=True) if record]
    if not widths or widths[0] == 1:
        return 0.0, 1
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


def read_table(path: str | Path, dialect: Dialect | None = None) -> pd.DataFrame:
    """All cells as stripped text, missing ones as None; the index is the 0-based data row.

    Raises DataError for a header with blank or repeated names, ragged rows, and a table of no rows.
    """
    dialect = dialect or sniff(path)
    names = check_shape(path, dialect)
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False, **how_to_read(dialect, names))
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        unclosed = re.search(r"EOF inside string starting at row (\d+)", str(error))
        what = f"a quote that opens in data row {int(unclosed[1])} is never closed" if unclosed else str(error).strip()
        raise DataError(f"{path}: {what}: mend that line and run the same command again.") from error
    if table.empty:
        raise DataError(f"{path} has a header and no rows.")
    return blank_missing(table)


def how_to_read(dialect: Dialect, names: list[str]) -> dict[str, Any]:
    """The arguments of pandas.read_csv that depend on the file; the generated code reads with the same ones."""
    return {
        "sep": dialect.delimiter,
        "encoding": dialect.encoding,
        "names": names,
        "usecols": names,
        "header": 0,
        "skipinitialspace": True,
    }


def check_shape(path: str | Path, dialect: Dialect) -> list[str]:
    """The header's names; DataError, with the line, for a bad header and for a row that is not as wide as it."""
    with Path(path).open(encoding=dialect.encoding, newline="") as file:
        records = csv.reader(file, delimiter=dialect.delimiter, skipinitialspace=True)
        names = _checked_names(next(filter(None, records), []), path)
        for record in _readable(records, path):
            if record and len(record) != len(names) and (len(record) < len(names) or any(record[len(names) :])):
                raise DataError(
                    f"{path}: line {records.line_num}: {len(record)} cells where the header has {len(names)}: mend "
                    f"that line (a cell that holds {dialect.delimiter!r} needs quotes)."
                )
    return names


def _readable(records: Any, path: str | Path) -> Iterator[list[str]]:
    """The records of a csv.reader; DataError, with the line, where it gives up (as in a quote that never ends)."""
    try:
        yield from records
    except csv.Error as error:
        raise DataError(f"{path}: line {records.line_num}: {error}: is a quote left open there?") from error


def read_header(path: str | Path) -> list[str]:
    """The column names, from the first bytes alone, so that it costs nothing; DataError as for read_table."""
    path = check_file(path)
    with path.open("rb") as file:
        start = file.read(65536)
    encoding = _encoding_of_start(start)
    lines = io.StringIO(start.decode(encoding, errors="ignore"), newline="").readlines()
    delimiter = max(DELIMITERS, key=lambda delimiter: _fit(lines[:200], delimiter))
    return _checked_names(next(filter(None, csv.reader(lines, delimiter=delimiter, skipinitialspace=True)), []), path)


def check_header(path: str | Path, target: str | None) -> None:
    """Raise DataError for a bad header, or where the target is none of its columns."""
    names = read_header(path)
    if target is not None and target not in names:
        raise DataError(f"{path}: {target!r} is not a column{nearest(target, names)}.")


def _checked_names(header: list[str], path: str | Path) -> list[str]:
    names = [name.strip() for name in header]
    while names and not names[-1]:
        names.pop()
    blank = [place for place, name in enumerate(names, 1) if not name]
    if blank:
        raise DataError(f"{path}: line 1: column {blank[0]} has no name: give every column a name.")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{path}: line 1: column {repeated[0]!r} stands more than once: rename one of them.")
    return names


def blank_missing(table: pd.DataFrame) -> pd.DataFrame:
    """Strip every cell and turn what stands for no value into None."""
    stripped = table.apply(lambda column: column.str.strip())
    filled: pd.DataFrame = stripped.astype(object).where(~stripped.isin(MISSING) & stripped.notna(), None)
    return filled


@dataclass(frozen=True)
class NumberStyle:
    """How a column writes its numbers: `1,234.5` has the decimal sign `.` and the thousands sign `,`."""

    decimal: str = "."
    thousands: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        return asdict(self)

    @property
    def pattern(self) -> str:
        """What a cell that is a number looks like, as a regular expression without groups."""
        sign, whole = re.escape(self.decimal), r"\d+"
        if self.thousands is not None:
            whole = rf"(?:\d+|\d{{1,3}}(?:{re.escape(self.thousands)}\d{{3}})+)"
        return rf"[-+]?(?:{whole}(?:{sign}\d*)?|{sign}\d+)(?:[eE][-+]?\d+)?"


PLAIN = NumberStyle()
_OTHER_STYLES = (
    NumberStyle(".", ","),  # before the decimal comma: `1,234` is a thousand where no other cell speaks against it
    NumberStyle(",", None),
    NumberStyle(",", "."),
    *(NumberStyle(decimal, sign) for sign in (" ", "\u00a0", "\u202f", "'", "\u2019") for decimal in (".", ",")),
)
MOSTLY = 0.9
"""A column is numeric from this share of numbers among its filled cells; its other cells stay words."""


def find_number_style(filled: "pd.Series[str]") -> NumberStyle | None:
    """How a column's filled cells write numbers, by most cells; None where too few of them are numbers at all."""
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
    """Whether a thousands sign follows a lone zero, as in `0,125`: then it is a decimal sign."""
    return style.thousands is not None and bool(cells.str.match(rf"[-+]?0{re.escape(style.thousands)}").any())


def to_numbers(column: "pd.Series[str]", style: NumberStyle = PLAIN) -> "pd.Series[float]":
    """A column of text as float64, NaN where a cell is missing, infinite or no number of that style."""
    if style != PLAIN:
        column = column.where(column.str.fullmatch(style.pattern).eq(True))
        column = column.str.replace(style.thousands, "", regex=False) if style.thousands else column
        column = column.str.replace(style.decimal, ".", regex=False)
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    return numbers.where(np.isfinite(numbers))

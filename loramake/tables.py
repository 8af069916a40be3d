"""Reading a CSV as text: delimiter and encoding found, cells stripped, missing cells None.

Cells stay text, so that what one row holds never changes how another is read. Knows nothing of targets or splits.
"""

import csv
import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from loramake.errors import DataError

DELIMITERS = (",", ";", "\t")
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


def _fit(head: Sequence[str], delimiter: str) -> tuple[float, int]:
    """How well a delimiter explains the first lines: the share of records as wide as the header, then that width."""
    widths = [len(record) for record in csv.reader(head, delimiter=delimiter) if record]
    if not widths or widths[0] == 1:
        return 0.0, 1
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


def read_table(path: str | Path, dialect: Dialect | None = None) -> pd.DataFrame:
    """All cells as stripped text, missing ones as None; the index is the 0-based data row.

    Raises DataError for a header with blank or repeated names, ragged rows, and a table of no rows.
    """
    dialect = dialect or sniff(path)
    names = _read_header(path, dialect)
    try:
        table = pd.read_csv(
            path,
            sep=dialect.delimiter,
            encoding=dialect.encoding,
            dtype=str,
            keep_default_na=False,
            names=names,
            header=0,
            index_col=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path}: {str(error).strip()}: mend that line and run the same command again.") from error
    if table.empty:
        raise DataError(f"{path} has a header and no rows.")
    return blank_missing(table)


def _read_header(path: str | Path, dialect: Dialect) -> list[str]:
    with Path(path).open(encoding=dialect.encoding, newline="") as file:
        names = next(csv.reader(file, delimiter=dialect.delimiter), [])
    blank = [place for place, name in enumerate(names, 1) if not name.strip()]
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


def to_numbers(column: "pd.Series[str]") -> "pd.Series[float]":
    """A column of text as float64, NaN where a cell is missing, infinite or no number."""
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    return numbers.where(np.isfinite(numbers))

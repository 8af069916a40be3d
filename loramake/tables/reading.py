"""Reads a CSV as text: delimiter and encoding detected, cells stripped, blank cells None.

Cells stay text, so that one row's content never changes how another is read. Knows nothing of targets or splits.
"""

import codecs
import csv
import itertools
import mmap
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loramake.artifact_types.explore import Delimiter, Encoding, ReadBy
from loramake.errors import DataError

DELIMITERS: tuple[Delimiter, ...] = (",", ";", "\t", "|")
csv.field_size_limit(2**24)  # Python's own limit of 128 KiB is less than a long text cell

_OTHER_FORMATS = {
    b"PK\x03\x04": "an Excel workbook or another zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"\x1f\x8b": "a gzip file",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}

_UTF8_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_WINDOWS_ONLY = re.compile(rb"[\x80-\x9f]")
_IN_NO_CODE_PAGE = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


@dataclass(frozen=True)
class Dialect:
    """How a CSV is written: a Python codec name and a one-character delimiter."""

    encoding: Encoding
    delimiter: Delimiter

    def as_dict(self) -> ReadBy:
        return {"encoding": self.encoding, "delimiter": self.delimiter}


def sniff(path: str | Path) -> Dialect:
    """Detect a CSV's encoding and delimiter; raise DataError if it is not a CSV at all."""
    path = check_file(path)
    encoding = _find_encoding(path)
    with path.open(encoding=encoding, newline="") as file:
        head = list(itertools.islice(file, 200))
    return Dialect(encoding, max(DELIMITERS, key=lambda delimiter: _fit(head, delimiter)))


def check_file(path: str | Path) -> Path:
    """The path of a readable, non-empty file; DataError otherwise. Fast: reads no content."""
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder: set csv to a file.")
    if not path.exists():
        raise DataError(f"{path} does not exist: set csv in config.yaml, or --config csv=PATH.")
    if not path.is_file():
        raise DataError(f"{path} is not an ordinary file: it is read more than once, so save it as one first.")
    if not os.access(path, os.R_OK):
        raise DataError(f"you may not read {path}: get permission (chmod +r), or copy it.")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty: it needs a header line and rows.")
    return path


def _find_encoding(path: Path) -> Encoding:
    """UTF-8 (with or without a byte-order mark) if every byte agrees, else Windows-1252 or Latin-1.

    DataError, with the byte and its line, for other files and for bytes that no such text contains.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for start, name in _OTHER_FORMATS.items():
            if content[: len(start)] == start:
                raise DataError(f"{path} is {name}, not a CSV: export it as CSV in UTF-8.")
        if (nul := content.find(b"\0")) >= 0:
            raise DataError(
                f"{path}: {_describe_byte(content, nul)} is NUL, so it is not a text file: export it as CSV."
            )
        wrong = _first_not_utf8(content)
        if wrong is None:
            return "utf-8-sig" if content[:3] == codecs.BOM_UTF8 else "utf-8"
        beyond = sum(1 for _ in _BEYOND_ASCII.finditer(content))
        if sum(len(match[0]) for match in _UTF8_SEQUENCE.finditer(content)) > beyond / 2:
            raise DataError(
                f"{path}: {_describe_byte(content, wrong)} is not UTF-8, unlike the rest: save it as UTF-8."
            )
        if undefined := _IN_NO_CODE_PAGE.search(content):
            raise DataError(
                f"{path}: {_describe_byte(content, undefined.start())} is neither UTF-8 nor Latin-1: save it as UTF-8."
            )
        return "cp1252" if _WINDOWS_ONLY.search(content) else "latin-1"


def _first_not_utf8(content: mmap.mmap) -> int | None:
    """The index of the first byte that is not UTF-8; None if all are."""
    done, size, chunk = 0, len(content), 1 << 20
    while done < size:
        try:
            _, used = codecs.utf_8_decode(content[done : done + chunk], "strict", done + chunk >= size)
        except UnicodeDecodeError as error:
            return done + error.start
        done += used
    return None


def _describe_byte(content: mmap.mmap, byte: int) -> str:
    line = content[:byte].count(b"\n") + 1
    return f"line {line}: byte {content[byte]:#04x} at {byte:,}"


def _fit(head: Sequence[str], delimiter: str) -> tuple[float, int]:
    """How well a delimiter explains the first lines: the share of records as wide as the header, then that width."""
    widths = [len(record) for record in csv.reader(head, delimiter=delimiter, skipinitialspace=True) if record]
    if not widths or widths[0] == 1:
        return 0.0, 1
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


def read_table(path: str | Path, dialect: Dialect | None = None) -> pd.DataFrame:
    """All cells as stripped text, blank ones as None; the index is the 0-based data row.

    Without a dialect it is detected, which is only for before profile.json exists. Raises DataError for a header with
    blank or repeated names, ragged rows, unclosed quotes, and a table without rows.
    """
    dialect = dialect or sniff(path)
    names = check_shape(path, dialect)
    table = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False, **how_to_read(dialect, names))
    if table.empty:
        raise DataError(f"{path} has a header and no rows: add rows.")
    return tidy(table)


def align_names(names: Sequence[str], like: Sequence[str]) -> list[str]:
    """The names, with those that differ from exactly one of `like` only in case or spaces replaced by it."""
    missing = {_plain(name): name for name in set(like) - set(names)}
    new = {_plain(name): name for name in set(names) - set(like)}
    unclear = {plain for plain, times in Counter(map(_plain, [*like, *(set(names) - set(like))])).items() if times > 2}
    renamed = {name: missing[plain] for plain, name in new.items() if plain in missing and plain not in unclear}
    return [renamed.get(name, name) for name in names]


def _plain(name: str) -> str:
    return normal_form("".join(name.split())).casefold()


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
    """The header's names; DataError, with the line, for a bad header and for a row of another width."""
    names: list[str] = []
    with Path(path).open(encoding=dialect.encoding, newline="") as file:
        for line, record in _records(file, dialect.delimiter, path):
            if not names:
                names = _checked_names(record, path)
            elif len(record) != len(names) and (len(record) < len(names) or any(record[len(names) :])):
                raise DataError(
                    f"{path}: line {line}: {len(record)} cells where the header has {len(names)}: fix "
                    f"that line (a cell that contains {dialect.delimiter!r} needs quotes)."
                )
    return names


def _records(file: Iterator[str], delimiter: str, path: str | Path) -> Iterator[tuple[int, list[str]]]:
    """The records that are not blank, each with the line it starts in; DataError if a quote is never closed."""
    lines: list[str] = []
    records = csv.reader(_kept(file, lines), delimiter=delimiter, skipinitialspace=True)
    start = 1
    try:
        for record in records:
            if (len(lines) > 1 or lines[0].count('"') % 2) and _is_open(lines, delimiter):
                raise _never_closed(path, start)
            if record:
                yield start, record
            start = records.line_num + 1
            lines.clear()
    except csv.Error as error:  # the record exceeds the limit of a cell
        raise _never_closed(path, start) from error


def _never_closed(path: str | Path, line: int) -> DataError:
    return DataError(f"{path}: line {line}: a quote that opens in this row is never closed: fix that line.")


def _kept(file: Iterator[str], lines: list[str]) -> Iterator[str]:
    """The lines of a file, each also appended to `lines`."""
    for line in file:
        lines.append(line)
        yield line


def _is_open(lines: list[str], delimiter: str) -> bool:
    """Whether a record ends inside a quote; csv.reader reports it in strict mode only."""
    try:
        list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False


def _checked_names(header: list[str], path: str | Path) -> list[str]:
    names = [name.strip() for name in header]
    while names and not names[-1]:
        names.pop()
    blank = [position for position, name in enumerate(names, 1) if not name]
    if blank:
        raise DataError(f"{path}: line 1: column {blank[0]} has no name: give every column a name.")
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise DataError(f"{path}: line 1: column {repeated[0]!r} appears more than once: rename one of them.")
    return names


def tidy(table: pd.DataFrame) -> pd.DataFrame:
    """Strip every cell and turn blank ones into None; letters with accents are one character (Unicode's NFC)."""
    return table.apply(_tidy_column)


def _tidy_column(column: "pd.Series[str]") -> "pd.Series[str]":
    stripped = column.str.strip()
    codes, cells = pd.factorize(stripped)
    texts = [None if cell == "" else normal_form(cell) for cell in cells]
    return pd.Series(np.array([*texts, None], dtype=object)[codes], index=column.index, dtype=object)


def normal_form(cell: str) -> str:
    """A cell in Unicode's NFC: é is one character, however it was typed."""
    return cell if cell.isascii() else unicodedata.normalize("NFC", cell)

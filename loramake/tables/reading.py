"""Reads a table as text: format, encoding, delimiter and header detected, cells stripped, blank cells None.

Cells stay text, so that one row's content never changes how another is read. Knows nothing of targets or splits.
"""

import codecs
import contextlib
import csv
import dataclasses
import io
import itertools
import mmap
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
import pandas as pd

from loramake.artifact_types.explore import Compression, Delimiter, Encoding, FileFormat, ReadBy
from loramake.errors import DataError
from loramake.tables.formats import find_format, open_bytes, plain_text, read_grid
from loramake.tables.header import Line, find_header, find_unnamed, is_number_or_date, is_row_number
from loramake.text import shorten

DELIMITERS: tuple[Delimiter, ...] = (",", ";", "\t", "|")
csv.field_size_limit(2**24)  # Python's own limit of 128 KiB is less than a long text cell

_HEAD = 200
"""Lines that show how a table is written."""
_SEPARATOR = re.compile(r'"?sep=(.)"?[,;\t]*', re.I)
"""What Excel reads and writes above a header."""

_UTF8_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_WINDOWS_ONLY = re.compile(rb"[\x80-\x9f]")
_IN_NO_CODE_PAGE = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


@dataclass(frozen=True)
class Dialect:
    """How a table is written. Encoding (a Python codec) and delimiter are those of a CSV."""

    encoding: Encoding = "utf-8"
    delimiter: Delimiter = ","
    format: FileFormat = "csv"
    compression: Compression | None = None
    lines_above: int = 0
    """Lines above the header, which are not read."""
    unnamed_columns: tuple[int, ...] = ()
    """Positions, from 1, of columns without a name, which are not read: row numbers in the first, or nothing."""

    @classmethod
    def of(cls, described: ReadBy) -> "Dialect":
        """From profile.json."""
        return cls(
            described["encoding"],
            described["delimiter"],
            described["format"],
            described["compression"],
            described["lines_above"],
            tuple(described["unnamed_columns"]),
        )

    def as_dict(self) -> ReadBy:
        return {
            "format": self.format,
            "compression": self.compression,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "lines_above": self.lines_above,
            "unnamed_columns": list(self.unnamed_columns),
        }

    def describe(self) -> str:
        """How the table is read, in words."""
        kind = f"{self.encoding}, {self.delimiter!r} between cells" if self.format == "csv" else self.format
        above = "line 1 is" if self.lines_above == 1 else f"lines 1 to {self.lines_above} are"
        skipped = f"; {above} above the header and skipped" if self.lines_above else ""
        positions = ", ".join(map(str, self.unnamed_columns))
        unnamed = f"; without a name, so left out: column {positions}" if positions else ""
        return f"{kind}{skipped}{unnamed}"


def sniff(path: str | Path, known: Collection[str] = ()) -> Dialect:
    """Detect how a table is written; raise DataError if it is not one at all.

    `known` are names of columns that its header may have.
    """
    path = check_file(path)
    form, compression = find_format(path)
    if form != "csv":
        return _sniff_grid(path, Dialect(format=form, compression=compression), known)
    with _content(path, compression) as content:
        encoding = _find_encoding(path, content)
    with open_text(path, Dialect(encoding, compression=compression)) as file:
        head = list(itertools.islice(file, _HEAD))
    named = _find_separator(head, path)
    rest = head if named is None else head[1:]
    delimiter = max(DELIMITERS, key=lambda character: _fit(rest, character)) if named is None else named
    header = find_header(_lines(rest, delimiter, len(head) - len(rest)), path, known)
    return Dialect(encoding, delimiter, form, compression, *header)


def _sniff_grid(path: Path, dialect: Dialect, known: Collection[str]) -> Dialect:
    """The dialect of a table that is not a CSV, with what is left out of it."""
    records = itertools.islice(_grid_records(path, dialect), _HEAD)
    lines = [Line(line, _stripped(cells)) for line, cells in records]
    if not lines:
        raise _no_names(path)
    if dialect.format == "excel":
        return dataclasses.replace(dialect, **find_header(lines, path, known)._asdict())
    return dataclasses.replace(dialect, unnamed_columns=find_unnamed(lines[0], lines[1:]))


def _no_names(path: str | Path) -> DataError:
    return DataError(f"{path} has no names of columns: it needs a header line and rows.")


def _find_separator(head: Sequence[str], path: Path) -> Delimiter | None:
    """The delimiter that a first line sep=; names; DataError if it is not one that is read."""
    match = _SEPARATOR.fullmatch(head[0].rstrip("\r\n")) if head else None
    if match is None:
        return None
    for delimiter in DELIMITERS:
        if match[1] == delimiter:
            return delimiter
    raise DataError(f"{path}: line 1: {match[1]!r} separates cells: separate them by commas, semicolons, tabs or bars.")


def _lines(head: Sequence[str], delimiter: Delimiter, above: int) -> list[Line]:
    """The records of the first lines that are not blank; `above` lines are not among them."""
    records = csv.reader(head, delimiter=delimiter, skipinitialspace=True)
    lines, start = [], above + 1
    for record in records:
        if any(record) or len(record) > 1:
            lines.append(Line(start, _stripped(record)))
        start = above + records.line_num + 1
    return lines


def _stripped(cells: Sequence[str]) -> list[str]:
    return [cell.strip() for cell in cells]


@contextlib.contextmanager
def open_text(path: str | Path, dialect: Dialect) -> Iterator[TextIO]:
    """The text of a CSV from its header on."""
    with (
        open_bytes(Path(path), dialect.compression) as file,
        io.TextIOWrapper(file, encoding=dialect.encoding, newline="") as text,
    ):
        for _ in range(dialect.lines_above):
            text.readline()
        yield text


@contextlib.contextmanager
def _content(path: Path, compression: Compression | None) -> Iterator[bytes | mmap.mmap]:
    """All bytes of a text file."""
    with open_bytes(path, compression) as file:
        if compression is not None:
            yield file.read()
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content


def check_file(path: str | Path) -> Path:
    """The path of a readable, non-empty file; DataError otherwise. Fast: reads no content."""
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder: set csv to a file.")
    if not path.exists():
        raise DataError(f"{path} does not exist: correct its path, on the command line or in config.yaml.")
    if not path.is_file():
        raise DataError(f"{path} is not an ordinary file: it is read more than once, so save it as one first.")
    if not os.access(path, os.R_OK):
        raise DataError(f"you may not read {path}: get permission (chmod +r), or copy it.")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty: it needs a header line and rows.")
    return path


def _find_encoding(path: Path, content: bytes | mmap.mmap) -> Encoding:
    """UTF-8 (with or without a byte-order mark) if every byte agrees, else Windows-1252 or Latin-1.

    DataError, with the byte and its line, for bytes that no such text contains.
    """
    if (nul := content.find(b"\0")) >= 0:
        raise DataError(f"{path}: {_describe_byte(content, nul)} is NUL, so it is not a text file: export it as CSV.")
    wrong = _first_not_utf8(content)
    if wrong is None:
        return "utf-8-sig" if content[:3] == codecs.BOM_UTF8 else "utf-8"
    beyond = sum(1 for _ in _BEYOND_ASCII.finditer(content))
    if sum(len(match[0]) for match in _UTF8_SEQUENCE.finditer(content)) > beyond / 2:
        raise DataError(f"{path}: {_describe_byte(content, wrong)} is not UTF-8, unlike the rest: save it as UTF-8.")
    if undefined := _IN_NO_CODE_PAGE.search(content):
        raise DataError(
            f"{path}: {_describe_byte(content, undefined.start())} is neither UTF-8 nor Latin-1: save it as UTF-8."
        )
    return "cp1252" if _WINDOWS_ONLY.search(content) else "latin-1"


def _first_not_utf8(content: bytes | mmap.mmap) -> int | None:
    """The index of the first byte that is not UTF-8; None if all are."""
    done, size, chunk = 0, len(content), 1 << 20
    while done < size:
        try:
            _, used = codecs.utf_8_decode(content[done : done + chunk], "strict", done + chunk >= size)
        except UnicodeDecodeError as error:
            return done + error.start
        done += used
    return None


def _describe_byte(content: bytes | mmap.mmap, byte: int) -> str:
    line = content[:byte].count(b"\n") + 1
    return f"line {line}: byte {content[byte]:#04x} at {byte:,}"


def _fit(head: Sequence[str], delimiter: str) -> tuple[bool, float, float, int]:
    """How well a delimiter explains the first lines: whether the first record is as wide as most, which share is, which
    share of the cells below contains no other delimiter, and that width."""
    records = [record for record in csv.reader(head, delimiter=delimiter, skipinitialspace=True) if record]
    widths = [len(record) for record in records]
    ((usual, times),) = Counter(widths).most_common(1) or [(1, 0)]
    if usual == 1:
        return False, 0.0, 0.0, 1
    cells = [cell for record in records[1:] for cell in record]
    clean = sum(not _is_two_cells(cell, delimiter) for cell in cells) / max(1, len(cells))
    return widths[0] == usual, times / len(widths), round(clean, 1), usual


def _is_two_cells(cell: str, delimiter: str) -> bool:
    """Whether a cell contains another delimiter, other than the comma in a number."""
    others = "".join(other for other in DELIMITERS if other not in (",", delimiter))
    return any(other in cell for other in others) or (
        delimiter != "," and re.search(r",(?!\d)|(?<!\d),", cell) is not None
    )


def read_table(path: str | Path, dialect: Dialect | None = None) -> pd.DataFrame:
    """All cells as stripped text, blank ones as None; the index is the 0-based data row.

    Without a dialect it is detected, which is only for before profile.json exists. Raises DataError for a header with
    blank or repeated names, ragged rows, unclosed quotes, and a table without rows.
    """
    dialect = dialect or sniff(path)
    names, rows = check_shape(path, dialect)
    return tidy(pd.concat(read_chunks(path, dialect, names, rows), ignore_index=True))


def align_names(names: Sequence[str], like: Sequence[str]) -> list[str]:
    """The names, with those that differ from exactly one of `like` only in case or spaces replaced by it."""
    missing = {_plain(name): name for name in set(like) - set(names)}
    new = {_plain(name): name for name in set(names) - set(like)}
    unclear = {plain for plain, times in Counter(map(_plain, [*like, *(set(names) - set(like))])).items() if times > 2}
    renamed = {name: missing[plain] for plain, name in new.items() if plain in missing and plain not in unclear}
    return [renamed.get(name, name) for name in names]


def _plain(name: str) -> str:
    return normal_form("".join(name.split())).casefold()


def read_chunks(
    path: str | Path,
    dialect: Dialect,
    names: Sequence[str],
    rows: int,
    only: Collection[str] | None = None,
    size: int | None = None,
) -> Iterator[pd.DataFrame]:
    """Tables of so many rows each, of unchanged text cells, of all columns or some.

    `names` may be others than those of `check_shape`, as many.
    """
    positions = _positions(dialect, len(names))
    used = [i for i, name in enumerate(names) if only is None or name in only]
    columns, wanted = [names[i] for i in used], [positions[i] for i in used]
    if dialect.format != "csv":
        records = itertools.islice(records_of(path, dialect), 1, rows + 1)
        while chunk := [[cells[position] for position in wanted] for _, cells in itertools.islice(records, size)]:
            yield pd.DataFrame(chunk, columns=columns, dtype=object)
        return
    options: dict[str, Any] = {"sep": dialect.delimiter, "names": columns, "usecols": wanted, "header": 0}
    as_text: dict[str, Any] = {"dtype": str, "keep_default_na": False, "index_col": False, "skipinitialspace": True}
    with (
        open_text(path, dialect) as file,
        pd.read_csv(file, chunksize=size or rows, nrows=rows, **options, **as_text) as reader,
    ):
        yield from reader


def read_cells(path: Path, dialect: Dialect) -> pd.DataFrame:
    """The rows of a table that is not a CSV, their cells as they are stored."""
    names, rows = check_shape(path, dialect)
    grid = read_grid(path, dialect.format, dialect.compression).iloc[dialect.lines_above + 1 :]
    is_sheet = dialect.format == "excel"
    is_read = [not is_sheet or any(map(plain_text, cells)) for cells in grid.itertuples(index=False, name=None)]
    return grid.loc[is_read, _positions(dialect, len(names))].set_axis(names, axis="columns").head(rows)


def _positions(dialect: Dialect, columns: int) -> list[int]:
    """The indices of so many columns that are read."""
    indices = (index for index in itertools.count() if index + 1 not in dialect.unnamed_columns)
    return list(itertools.islice(indices, columns))


class Shape(NamedTuple):
    """The columns of a table and its rows."""

    names: list[str]
    rows: int


def check_shape(path: str | Path, dialect: Dialect) -> Shape:
    """The shape of a table; DataError, with the line, for a bad header, for a row of another width, and for no row."""
    records = records_of(path, dialect)
    line, header = next(records, (1, list[str]()))
    names = _checked_names(header, dialect, f"{path}: line {line}")
    if not names:
        raise _no_names(path)
    width, rows = _positions(dialect, len(names))[-1] + 1, 0
    for line, record in records:
        rows += 1
        if len(record) != width or dialect.unnamed_columns:
            _check_record(record, width, dialect, f"{path}: line {line}")
        if record == header and not any(map(is_number_or_date, names)):  # else it may be a row of 0, 1, 2
            raise DataError(f"{path}: line {line} repeats the header: delete that line.")
    if rows == 0:
        raise DataError(f"{path} has a header and no rows: add rows.")
    return Shape(names, rows)


def _check_record(record: list[str], width: int, dialect: Dialect, where: str) -> None:
    """Raise DataError for a row of another width than the header's, or with a cell in a column without a name."""
    if len(record) < width:
        raise DataError(
            f"{where}: {len(record)} cells where the header has {width}: fix that line (a cell with a line break needs "
            "quotes), or delete it if it is a title, a note or a total."
        )
    if any(record[width:]):
        raise DataError(
            f"{where}: {len(record)} cells where the header has {width}: fix that line (a cell that contains "
            f"{dialect.delimiter!r} needs quotes)."
        )
    for position in dialect.unnamed_columns:
        cell = record[position - 1].strip()
        if cell and not (position == 1 and is_row_number(cell)):
            raise DataError(f"{where}: {shorten(cell, 40)!r} is in column {position}, which has no name: give it one.")


def records_of(path: str | Path, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """The header and the rows that are not blank as text cells, each with the line (of a sheet, the row) it begins in.

    The rows of Parquet and JSON are numbered from 1.
    """
    if dialect.format != "csv":
        yield from _grid_records(Path(path), dialect)
        return
    with open_text(path, dialect) as file:
        yield from _records(file, dialect.delimiter, path, dialect.lines_above + 1)


def _grid_records(path: Path, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    grid, is_sheet = read_grid(path, dialect.format, dialect.compression), dialect.format == "excel"
    for row, cells in enumerate(grid.itertuples(index=False, name=None)):
        line, texts = row + is_sheet, list[str]()
        try:
            texts += map(plain_text, cells if row >= dialect.lines_above else ())
        except ValueError as error:
            raise DataError(f"{path}: line {line}: column {len(texts) + 1} {error}.") from error
        if any(texts) or not is_sheet:
            yield line, texts


def _records(file: Iterator[str], delimiter: str, path: str | Path, first: int) -> Iterator[tuple[int, list[str]]]:
    """The records that are not blank, each with the line it starts in; DataError if a quote is never closed.

    The file begins in the line `first`.
    """
    lines: list[str] = []
    records = csv.reader(_kept(file, lines), delimiter=delimiter, skipinitialspace=True)
    start = first
    try:
        for record in records:
            if (len(lines) > 1 or lines[0].count('"') % 2) and _is_open(lines, delimiter):
                raise _never_closed(path, start)
            if any(record) or len(record) > 1:
                yield start, record
            start = first + records.line_num
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


def _checked_names(header: list[str], dialect: Dialect, where: str) -> list[str]:
    names = [name.strip() for name in header]
    while names and not names[-1]:
        names.pop()
    blank = [position for position, name in enumerate(names, 1) if not name and position not in dialect.unnamed_columns]
    if blank:
        raise DataError(f"{where}: column {blank[0]} has no name: give every column a name.")
    named = [name for name in names if name]
    repeated = sorted(name for name, times in Counter(named).items() if times > 1)
    if repeated:
        raise DataError(f"{where}: column {repeated[0]!r} appears more than once: rename one of them.")
    return named


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

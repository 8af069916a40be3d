"""New rows as the cells that the model is given: from JSON, from a table in batches.

Knows files and rows; `columns` knows cells. A source is read once before its first row is predicted.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from loramake import artifacts
from loramake.artifact_types.explore import Compression
from loramake.console import say
from loramake.errors import DataError
from loramake.private_folder import private_folder
from loramake.serving.columns import Columns, NewCells, count_text
from loramake.tables.adapted import MOST_CELLS, AdaptedReading
from loramake.tables.formats import ONE_A_LINE, parse_value, read_json_lines
from loramake.tables.reading import Dialect, check_shape, read_cells, read_chunks, sniff, tidy

_LINES_AT_ONCE = 2000
_STANDARD_INPUT = "standard input"


@dataclass(frozen=True)
class Rows:
    """Rows to predict, in batches, so that a long table is never in memory as a whole."""

    where: str
    """The name of their source in errors."""
    form: str
    """csv or jsonl."""
    sha256: str
    """Hash of their source."""
    count: int
    names: list[str]
    """All columns that occur in it, as named by `Columns.align`."""
    batches: Callable[[int], Iterator[NewCells]]
    """The cells of so many rows each, the last batch possibly shorter."""
    notes: dict[str, str]
    """By feature, in what its cells are written otherwise than those of training."""


def open_table(path: Path, columns: Columns) -> Rows:
    """The rows of a table in any format; DataError, before the first batch, if it is not one or lacks a column."""
    if not path.exists():
        raise DataError(f"{path} does not exist: give --csv the path of a table with a header.")
    dialect = sniff(path, columns.features)
    if dialect.format == "csv":
        return _open_csv(path, dialect, columns)
    if dialect.format == "jsonl":
        return open_json_lines(path, columns, dialect.compression)
    return _open_grid(path, dialect, columns)


def _open_csv(path: Path, dialect: Dialect, columns: Columns) -> Rows:
    header, count = check_shape(path, dialect)
    names = columns.align(header, str(path))

    def read(size: int) -> Iterator[pd.DataFrame]:
        for table in read_chunks(path, dialect, names, count, columns.features, size):
            yield tidy(table).reset_index(drop=True)

    survey = _Survey(columns)
    for table in read(_LINES_AT_ONCE):
        survey.add(table)
    adapted = survey.adapt()

    def batches(size: int) -> Iterator[NewCells]:
        return (columns.read(table, adapted) for table in read(size))

    return Rows(str(path), "csv", artifacts.sha256(path), count, names, batches, _notes(adapted))


def _open_grid(path: Path, dialect: Dialect, columns: Columns) -> Rows:
    """The rows of a workbook, of Parquet or of a JSON list, completely in memory."""
    cells = read_cells(path, dialect)

    def read() -> Iterator[Any]:
        return (dict(zip(cells.columns, row, strict=True)) for row in cells.itertuples(index=False, name=None))

    rows = _rows_of_objects(read, str(path), artifacts.sha256(path), columns)
    return dataclasses.replace(rows, form="jsonl" if dialect.format == "json" else "csv")


def open_json_lines(path: Path, columns: Columns, compression: Compression | None = None) -> Rows:
    """The rows of a file with one JSON object per line; DataError, with the line, before the first batch."""
    request = f"{ONE_A_LINE} (--json takes a list of them)"

    def read() -> Iterator[Any]:
        return read_json_lines(path, request, compression)

    return _rows_of_objects(read, str(path), artifacts.sha256(path), columns)


def open_objects(text: str, columns: Columns) -> Rows:
    """The rows of the option --json: one object, or a list of them."""
    data = text.encode("utf-8", "surrogateescape")
    value = parse_value(data, "--json", 'give an object, such as {"age": 40}, or a list of them')
    objects = value if isinstance(value, list) else [value]
    digest = hashlib.sha256(data).hexdigest()
    return _rows_of_objects(lambda: iter(objects), "--json", digest, columns)


@contextlib.contextmanager
def open_standard_input(columns: Columns, folder: Path, form: str | None) -> Iterator[Rows]:
    """The rows of standard input, in the format `form` (csv or jsonl), which is detected unless it is jsonl.

    They are stored in `folder` meanwhile: a CSV is checked completely before its first row is predicted.
    """
    if sys.stdin.isatty():
        say("reading rows from the terminal; end them with Ctrl-D.")
    with private_folder(folder) as private:
        path = private / "input"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        open_file = open_json_lines if form == "jsonl" else open_table
        try:
            yield dataclasses.replace(open_file(path, columns), where=_STANDARD_INPUT)
        except DataError as error:
            raise DataError(str(error).replace(str(path), _STANDARD_INPUT)) from error


class _Survey:
    """How a source of new rows writes its cells, from a first look at all of them."""

    def __init__(self, columns: Columns) -> None:
        self.count = 0
        self._columns = columns
        self._cells: dict[str, Counter[str]] = {name: Counter() for name in columns.features}

    def add(self, table: pd.DataFrame) -> None:
        """Count the text cells of some rows (blank ones None)."""
        self.count += len(table)
        for name, cells in self._cells.items():
            if self._columns.readings[name].missing_by != "words" and len(cells) < MOST_CELLS:
                cells.update({str(cell): int(rows) for cell, rows in count_text(table[name]).items()})

    def adapt(self) -> dict[str, AdaptedReading]:
        """How the source writes each feature."""
        return self._columns.adapt({name: pd.Series(cells, dtype="int64") for name, cells in self._cells.items()})


def _notes(adapted: Mapping[str, AdaptedReading]) -> dict[str, str]:
    return {name: reading.note for name, reading in adapted.items() if reading.note is not None}


def _rows_of_objects(read: Callable[[], Iterator[Any]], where: str, digest: str, columns: Columns) -> Rows:
    """Reads everything once, so that an error in any object is raised before the first is predicted."""
    seen: dict[str, None] = {}

    def tables(size: int) -> Iterator[pd.DataFrame]:
        objects, first = read(), 1
        while batch := list(itertools.islice(objects, size)):
            table, names = table_of_objects(batch, columns, where, first)
            seen.update(dict.fromkeys(names))
            yield table
            first += len(batch)

    survey = _Survey(columns)
    for table in tables(_LINES_AT_ONCE):
        survey.add(table)
    if not survey.count:
        raise DataError(f"{where} contains no object: give one for each row.")
    adapted = survey.adapt()

    def batches(size: int) -> Iterator[NewCells]:
        return (columns.read(table, adapted) for table in tables(size))

    return Rows(where, "jsonl", digest, survey.count, list(seen), batches, _notes(adapted))


def table_of_objects(
    objects: Sequence[Any], columns: Columns, where: str, first: int = 1
) -> tuple[pd.DataFrame, list[str]]:
    """Objects as a table as from `Columns.as_text`, and all names in them; DataError as from `Columns.align`.

    An absent key is a missing column, which is an error; null is a missing cell.
    """
    aligned: dict[tuple[str, ...], list[str]] = {}
    rows = []
    for number, entry in enumerate(objects, first):
        if not isinstance(entry, Mapping):
            raise DataError(
                f"{where}, object {number} is not a JSON object but a {type(entry).__name__}: name its columns."
            )
        keys = tuple(map(str, entry))
        if keys not in aligned:
            aligned[keys] = columns.align(keys, f"{where}, object {number}")
        rows.append(dict(zip(aligned[keys], entry.values(), strict=True)))
    cells = {name: pd.Series([entry[name] for entry in rows], dtype=object) for name in columns.features}
    names = dict.fromkeys(itertools.chain.from_iterable(aligned.values()))
    return columns.as_text(pd.DataFrame(cells), where, "object", first), list(names)

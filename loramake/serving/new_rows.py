"""New rows as the cells that the model is given: from JSON, from a CSV in batches.

Knows files and rows; `columns` knows cells. A source is read once before its first row is predicted.
"""

import codecs
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
from loramake.console import say
from loramake.errors import DataError
from loramake.parsing import EncodingError, ParsingError, shown_size
from loramake.parsing.json_text import LONGEST_LINE, parse_json
from loramake.private_folder import private_folder
from loramake.serving.columns import Columns, NewCells, count_text
from loramake.tables.adapted import AdaptedReading
from loramake.tables.reading import check_shape, how_to_read, sniff, tidy

_LINES_AT_ONCE = 2000
_STANDARD_INPUT = "standard input"
_MOST_CELLS = 2000
"""How many different cells of a column decide how a file writes its numbers or dates."""


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


def open_csv(path: Path, columns: Columns) -> Rows:
    """The rows of a CSV; DataError, before the first batch, if the file is not a CSV or lacks a column."""
    if not path.exists():
        raise DataError(f"{path} does not exist: give --csv the path of a table with a header.")
    dialect = sniff(path)
    names = columns.align(check_shape(path, dialect), str(path))

    def read(size: int, columns_read: list[str]) -> Iterator[pd.DataFrame]:
        options = {**how_to_read(dialect, names), "usecols": columns_read}
        with pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False, chunksize=size, **options) as chunks:
            yield from chunks

    features = [name for name in names if name in columns.features]
    survey = _Survey(columns)
    for table in read(_LINES_AT_ONCE, features):
        survey.add(tidy(table))
    if not survey.count:
        raise DataError(f"{path} has a header and no rows: add rows.")
    adapted = survey.adapt()

    def batches(size: int) -> Iterator[NewCells]:
        for table in read(size, features):
            yield columns.read(tidy(table).reset_index(drop=True), adapted)

    return Rows(str(path), "csv", artifacts.sha256(path), survey.count, names, batches, _notes(adapted))


def open_json_lines(path: Path, columns: Columns) -> Rows:
    """The rows of a file with one JSON object per line; DataError, with the line, before the first batch."""

    def read() -> Iterator[Any]:
        with path.open("rb") as file:
            for number in itertools.count(1):
                line = file.readline(LONGEST_LINE + 1)
                if not line:
                    return
                line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if line.strip():
                    yield _parsed_line(line, f"{path}: line {number}")

    return _rows_of_objects(read, str(path), artifacts.sha256(path), columns)


def open_objects(text: str, columns: Columns) -> Rows:
    """The rows of the option --json: one object, or a list of them."""
    data = text.encode("utf-8", "surrogateescape")
    value = _parsed(data, "--json", 'give an object, such as {"age": 40}, or a list of them')
    objects = value if isinstance(value, list) else [value]
    digest = hashlib.sha256(data).hexdigest()
    return _rows_of_objects(lambda: iter(objects), "--json", digest, columns)


@contextlib.contextmanager
def open_standard_input(columns: Columns, folder: Path, form: str | None) -> Iterator[Rows]:
    """The rows of standard input, in the format `form` (csv or jsonl), which is detected if None.

    They are stored in `folder` meanwhile: a CSV is checked completely before its first row is predicted.
    """
    if sys.stdin.isatty():
        say("reading rows from the terminal; end them with Ctrl-D.")
    with private_folder(folder) as private:
        path = private / "input"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        open_file = {"csv": open_csv, "jsonl": open_json_lines}[form or _find_form(path)]
        try:
            yield dataclasses.replace(open_file(path, columns), where=_STANDARD_INPUT)
        except DataError as error:
            raise DataError(str(error).replace(str(path), _STANDARD_INPUT)) from error


def _find_form(path: Path) -> str:
    """JSON lines if the first character is a brace or bracket, else CSV."""
    with path.open("rb") as file:
        start = file.read(1 << 16).removeprefix(codecs.BOM_UTF8).lstrip()
    return "jsonl" if start[:1] in (b"{", b"[") else "csv"


def _parsed_line(line: bytes, where: str) -> Any:
    request = 'give one object a line, such as {"age": 40} (--json takes a list of them)'
    if len(line) > LONGEST_LINE:
        raise DataError(f"{where} is longer than {shown_size(LONGEST_LINE)}: {request}.")
    value = _parsed(line, where, request)
    if not isinstance(value, dict):
        raise DataError(f"{where} is not a JSON object but a {type(value).__name__}: {request}.")
    return value


def _parsed(data: bytes, where: str, request: str) -> Any:
    """The value of JSON; DataError, which ends with `request`, if it is not JSON or repeats a key."""

    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        by_key = dict(pairs)
        if len(by_key) < len(pairs):
            name, _ = Counter(key for key, _ in pairs).most_common(1)[0]
            raise DataError(f"{where} has the column {name!r} more than once: rename or drop one of them.")
        return by_key

    try:
        return parse_json(data, pairs=checked, takes_nan=True)
    except EncodingError as error:
        raise DataError(f"{where} is not written in UTF-8: save it as UTF-8.") from error
    except ParsingError as error:
        raise DataError(f"{where} is not valid JSON ({str(error).removeprefix('line 1: ')}): {request}.") from error


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
            if self._columns.readings[name].missing_by != "words" and len(cells) < _MOST_CELLS:
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
        objects, first = read(), 0
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
    objects: Sequence[Any], columns: Columns, where: str, first: int = 0
) -> tuple[pd.DataFrame, list[str]]:
    """Objects as a table as from `Columns.as_text`, and all names in them; DataError as from `Columns.align`.

    An absent key is a missing column, which is an error; null is a missing cell.
    """
    aligned: dict[tuple[str, ...], list[str]] = {}
    rows = []
    for row, entry in enumerate(objects, first):
        if not isinstance(entry, Mapping):
            raise DataError(f"{where}, row {row} is not a JSON object but a {type(entry).__name__}: name its columns.")
        keys = tuple(map(str, entry))
        if keys not in aligned:
            aligned[keys] = columns.align(keys, f"{where}, row {row}")
        rows.append(dict(zip(aligned[keys], entry.values(), strict=True)))
    cells = {name: pd.Series([entry[name] for entry in rows], dtype=object) for name in columns.features}
    names = dict.fromkeys(itertools.chain.from_iterable(aligned.values()))
    return columns.as_text(pd.DataFrame(cells), where, first), list(names)

"""The rows of an experiment: its CSV and, if there is one, its test CSV.

profile_csv finds each dialect, and how each column is read, once; every later step reads as profile.json says.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from loramake import artifacts, layout, schemas
from loramake.artifact_types.explore import ReadBy
from loramake.artifact_types.shared import SourceName
from loramake.errors import ArtifactError, DataError, nearest
from loramake.settings import Settings
from loramake.tables.adapted import MOST_CELLS, adapt
from loramake.tables.missing import ALL
from loramake.tables.numbers import MOSTLY
from loramake.tables.reading import Dialect, align_names, check_file, read_table, sniff
from loramake.tables.readings import Declared, Reading, find_reading
from loramake.text import shorten

Key = tuple[SourceName, int]
"""A row: `csv` or `test_csv`, and its 0-based data row there."""


def row_number(row: int) -> int:
    """The number by which a person finds a 0-based data row: that of a spreadsheet, where the header is row 1."""
    return row + 2


class TableFile(NamedTuple):
    """A CSV, its dialect, and how the CSV's columns are read."""

    path: Path
    dialect: Dialect
    readings: Mapping[str, Reading]
    is_test: bool = False
    """Whether it is the test CSV, which may write its cells otherwise."""

    def with_words(self, column: str) -> "TableFile":
        """The same, with a column's cells as they are written, and only blank cells and sure words missing in it."""
        return self._replace(readings={**self.readings, column: self.readings[column].as_words()})

    def read(self) -> pd.DataFrame:
        """Its rows as text, missing cells None, numbers plainly written.

        DataError if its dialect has changed, and for a cell of the test CSV that may mean two things.
        """
        try:
            table = read_table(check_file(self.path), self.dialect)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self.path} is not in {self.dialect.encoding}, as it was when {layout.PROFILE.path} was made: run "
                f"the same command again."
            ) from error
        return read_columns(self._adapted(table) if self.is_test else table, self.readings)

    def _adapted(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with numbers and dates that it writes otherwise than the CSV written plainly."""
        names = align_names([str(name) for name in table.columns], list(self.readings))
        columns = [
            self._adapted_column(table[name], self.readings[known]) if known in self.readings else table[name]
            for name, known in zip(table.columns, names, strict=True)
        ]
        return pd.concat(columns, axis="columns")

    def _adapted_column(self, column: "pd.Series[str]", reading: Reading) -> "pd.Series[str]":
        """DataError for a date that may be two, and where many numbers may be two or have another unit."""
        counts = column.value_counts()
        adapted = adapt(reading, counts.head(MOST_CELLS))
        if not adapted.candidates and reading.dates is None:
            return column
        changed = adapted.read_cells([str(cell) for cell in counts.index[~reading.is_missing(counts.index)]])
        unclear = [cell for cell, text in changed.items() if text is None]
        if unclear and (reading.dates is not None or counts[unclear].sum() > (1 - MOSTLY) * counts.sum()):
            raise DataError(f"{self.path}: {column.name} {shorten(unclear[0], 40)!r} {adapted.explain(unclear[0])}.")
        return column.map(lambda cell: changed.get(cell) or cell) if changed else column


@dataclass(frozen=True)
class Source:
    """The CSV and the test CSV (None if there is none)."""

    csv: TableFile
    test_csv: TableFile | None = None

    @property
    def files(self) -> dict[str, TableFile]:
        """Each file by its name in a key."""
        return {"csv": self.csv} if self.test_csv is None else {"csv": self.csv, "test_csv": self.test_csv}

    def with_target(self, target: str) -> "Source":
        """The same, the target's cells as they are written: which of them are one label is for the task to say."""
        test = None if self.test_csv is None else self.test_csv.with_words(target)
        return Source(self.csv.with_words(target), test)

    def read(self) -> dict[str, pd.DataFrame]:
        """Each table by its name in a key, as text; the test table has the columns of the CSV."""
        whole = self.csv.read()
        return {name: whole if name == "csv" else align(file.read(), whole) for name, file in self.files.items()}


def describe_source(csv: str | Path, test_csv: str | Path | None, profile: str | Path) -> Source:
    """The tables, written as profile.json says; ArtifactError if it does not describe the test CSV."""
    described = artifacts.read(profile, schemas.PROFILE)
    readings = {column["name"]: Reading.of(column) for column in described["columns"]}
    if test_csv is None:
        return Source(_file_of(csv, described, readings))
    if described["test_csv"] is None:
        raise ArtifactError(f"{profile} does not describe {test_csv}: delete it and run the same command again.")
    return Source(_file_of(csv, described, readings), _file_of(test_csv, described["test_csv"], readings, is_test=True))


def _file_of(path: str | Path, described: ReadBy, readings: Mapping[str, Reading], is_test: bool = False) -> TableFile:
    return TableFile(Path(path), Dialect.of(described), readings, is_test)


def sniff_source(csv: str | Path, test_csv: str | Path | None = None, settings: Settings | None = None) -> Source:
    """The tables, read as the files themselves show: before there is a profile.json.

    `settings` may contain column_types and missing_values.
    """
    dialect = sniff(csv)
    table = read_table(csv, dialect)
    readings = find_readings(table, declarations(settings or {}, map(str, table.columns), csv))
    tested = None if test_csv is None else TableFile(Path(test_csv), sniff(test_csv), readings, is_test=True)
    return Source(TableFile(Path(csv), dialect, readings), tested)


def find_readings(table: pd.DataFrame, declared: Mapping[str, Declared]) -> dict[str, Reading]:
    """How each column of a table (blank cells None) is read."""
    return {str(name): find_reading(table[name], declared.get(str(name), declared[ALL])) for name in table.columns}


def declarations(settings: Settings, names: Iterable[str], csv: str | Path) -> dict[str, Declared]:
    """What column_types and missing_values say of the columns `names`, and of any other under ALL.

    DataError for a column that the table does not have.
    """
    types = {str(name): kind for name, kind in (settings.get("column_types") or {}).items()}
    missing = settings.get("missing_values") or {}
    words = {ALL: missing} if isinstance(missing, list) else missing
    known = list(names)
    for setting, columns in (("column_types", types), ("missing_values", words)):
        for name in columns:
            if name != ALL and name not in known:
                raise DataError(f"{csv}: {setting}: {name!r} is not a column{nearest(name, known)}.")
    return {name: Declared(types.get(name), words.get(name, words.get(ALL))) for name in (*known, ALL)}


def read_columns(table: pd.DataFrame, readings: Mapping[str, Reading]) -> pd.DataFrame:
    """A table (blank cells None) whose columns are read; one that differs from a name only in case or spaces, too."""
    names = align_names([str(name) for name in table.columns], list(readings))
    columns = [
        readings[known].read(table[name]) if known in readings else table[name]
        for name, known in zip(table.columns, names, strict=True)
    ]
    return pd.concat(columns, axis="columns")


def align(table: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """A table with the columns of another one; those that differ only in case or spaces are renamed."""
    names = list(other.columns)
    return table.set_axis(align_names(list(table.columns), names), axis="columns").reindex(columns=names)


def find_missing(tables: Mapping[str, pd.DataFrame], keys: Sequence[Key]) -> Key | None:
    """The first of the keys whose row is in neither table."""
    sizes = {source: len(table) for source, table in tables.items()}
    return next((key for key in keys if not 0 <= key[1] < sizes.get(key[0], 0)), None)


def take_rows(tables: Mapping[str, pd.DataFrame], keys: Sequence[Key]) -> pd.DataFrame:
    """The rows of the keys in their order; the index counts up. Every row must exist: see find_missing."""
    # One table under the other: a row's index is its number, after the rows of the tables before.
    first = {"csv": 0, "test_csv": len(tables["csv"])}
    whole = pd.concat(tables.values(), ignore_index=True)
    return whole.take([first[source] + row for source, row in keys]).reset_index(drop=True)

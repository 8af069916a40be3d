"""The rows of an experiment: its CSV and, if there is one, its test CSV.

profile_csv detects each dialect once; every later step reads as profile.json says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from loramake import artifacts, layout, schemas
from loramake.artifact_types.explore import ReadBy
from loramake.artifact_types.shared import SourceName
from loramake.errors import ArtifactError, DataError
from loramake.tables.reading import Dialect, align_names, check_file, read_table, sniff

Key = tuple[SourceName, int]
"""A row: `csv` or `test_csv`, and its 0-based data row there."""


class TableFile(NamedTuple):
    """A CSV and its dialect."""

    path: Path
    dialect: Dialect

    def read(self) -> pd.DataFrame:
        """Its rows as text; DataError if its dialect has changed."""
        try:
            return read_table(check_file(self.path), self.dialect)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self.path} is not in {self.dialect.encoding}, as it was when {layout.PROFILE.path} was made: run "
                f"the same command again."
            ) from error


@dataclass(frozen=True)
class Source:
    """The CSV and the test CSV (None if there is none)."""

    csv: TableFile
    test_csv: TableFile | None = None

    @property
    def files(self) -> dict[str, TableFile]:
        """Each file by its name in a key."""
        return {"csv": self.csv} if self.test_csv is None else {"csv": self.csv, "test_csv": self.test_csv}

    def read(self) -> dict[str, pd.DataFrame]:
        """Each table by its name in a key, as text; the test table has the columns of the CSV."""
        whole = self.csv.read()
        return {name: whole if name == "csv" else align(file.read(), whole) for name, file in self.files.items()}


def describe_source(csv: str | Path, test_csv: str | Path | None, profile: str | Path) -> Source:
    """The tables, written as profile.json says; ArtifactError if it does not describe the test CSV."""
    described = artifacts.read(profile, schemas.PROFILE)
    if test_csv is None:
        return Source(_file_of(csv, described))
    if described["test_csv"] is None:
        raise ArtifactError(f"{profile} does not describe {test_csv}: delete it and run the same command again.")
    return Source(_file_of(csv, described), _file_of(test_csv, described["test_csv"]))


def _file_of(path: str | Path, described: ReadBy) -> TableFile:
    return TableFile(Path(path), Dialect(described["encoding"], described["delimiter"]))


def sniff_source(csv: str | Path, test_csv: str | Path | None = None) -> Source:
    """The tables, written as the files themselves show: before there is a profile.json."""
    return Source(*(TableFile(Path(path), sniff(path)) for path in (csv, test_csv) if path is not None))


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

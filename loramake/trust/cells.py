"""The cells of rows that were predicted, found in the tables by the rows' keys."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from loramake.errors import ArtifactError
from loramake.prediction.predictions import Key, name_of
from loramake.tables.reading import read_table


def read_cells(csv: str | Path, test_csv: str | Path | None, keys: Sequence[Key]) -> pd.DataFrame:
    """The rows of `keys` as text, in that order (missing cells None), with the columns of the CSV; the index counts up.

    ArtifactError where the tables do not hold such a row: they have changed since it was predicted.
    """
    tables = {"csv": read_table(csv)}
    names = list(tables["csv"].columns)
    if test_csv is not None:
        tables["test_csv"] = read_table(test_csv, like=names).reindex(columns=names)
    sizes = {source: len(table) for source, table in tables.items()}
    for key in keys:
        if key[1] >= sizes.get(key[0], 0):
            where = csv if key[0] == "csv" or test_csv is None else test_csv
            raise ArtifactError(f"{name_of(key)} was predicted and is not in {where} now: run the same command again.")
    # One table under the other: a row's place is its number, after the rows of the tables before.
    whole = pd.concat(tables.values(), ignore_index=True)
    first = {"csv": 0, "test_csv": sizes["csv"]}
    return whole.take([first[source] + row for source, row in keys]).reset_index(drop=True)

"""The cells of predicted rows, looked up in the tables by the rows' keys."""

from collections.abc import Sequence

import pandas as pd

from loramake.errors import ArtifactError
from loramake.prediction.predictions import name_of
from loramake.tables.source import Key, Source, find_missing, take_rows


def read_cells(source: Source, keys: Sequence[Key]) -> pd.DataFrame:
    """The rows of `keys` as text, in that order (missing cells None), with the columns of the CSV; the index counts up.

    ArtifactError where the tables do not contain such a row: they have changed since it was predicted.
    """
    tables = source.read()
    missing = find_missing(tables, keys)
    if missing is not None:
        path = source.files.get(missing[0], source.csv).path
        raise ArtifactError(f"{name_of(missing)} was predicted but is no longer in {path}: run the same command again.")
    return take_rows(tables, keys)

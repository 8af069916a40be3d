"""The columns that give the target away, are constant or merely identify the row, as the train rows alone show them."""

from pathlib import Path

import numpy as np
import pandas as pd

from loramake import artifacts, schemas
from loramake.artifact_types.explore import ColumnType, DeclaredType, ProfileColumn, UnusableColumns
from loramake.artifact_types.shared import ExcludedColumn
from loramake.console import say, working
from loramake.explore.leaks import find_leaks
from loramake.explore.splits import read_split
from loramake.settings import Settings
from loramake.tables.numbers import to_numbers
from loramake.tables.readings import Declared, find_reading
from loramake.tasks.source import LabelledSource

_FEWEST_IN_SEQUENCE = 20


def find_unusable_columns(
    source: LabelledSource, profile: str | Path, splits: str | Path, settings: Settings, out: str | Path
) -> None:
    """Write unusable_columns.json: ids, constants and leaks, each with its reason; no other row has a say in it.

    `settings` contains column_types.
    """
    keys, train = read_split(source, splits, "train")
    types = settings["column_types"] or {}
    columns: list[ProfileColumn] = [
        {**column, "type": _find_type(column, train[column["name"]], keys["row"], types.get(column["name"]))}
        for column in artifacts.read(profile, schemas.PROFILE)["columns"]
    ]
    target = source.task.target
    with working("looking for columns that give the target away"):
        leaks = find_leaks(train, target, columns)
    named = {target, *(leak["name"] for leak in leaks)}
    others = [column for column in columns if column["name"] not in named]
    unusable: UnusableColumns = {
        "rows": len(train),
        "ids": [
            _excluded(column, "every row has its own value, so it only identifies the row")
            for column in others
            if column["type"] == "id"
        ],
        "constants": [
            _excluded(
                column, f"it {'never changes' if train[column['name']].notna().any() else 'is empty'} in the train rows"
            )
            for column in others
            if column["type"] == "constant"
        ],
        "leaks": leaks,
    }
    artifacts.write(out, unusable, schemas.UNUSABLE_COLUMNS)
    for leak in leaks:
        say(f"suspected leak, left out: {leak['name']}: {leak['reason']}.")


def _excluded(column: ProfileColumn, reason: str) -> ExcludedColumn:
    return {"name": column["name"], "reason": reason}


def _find_type(
    profiled: ProfileColumn, column: "pd.Series[str]", rows: "pd.Series[int]", declared: DeclaredType | None
) -> ColumnType:
    """A column's type by the train rows, whose data rows are `rows`; one that counts rows is an id.

    Whole numbers that differ in these rows alone, and not in all, are a quantity: the profile knows no labels.
    """
    if column.isna().all():
        return "constant"
    if declared is None and _counts_rows(column, rows):
        return "id"
    kind = find_reading(column, Declared(declared, missing=())).kind
    return profiled["type"] if kind == "id" else kind


def _counts_rows(column: "pd.Series[str]", rows: "pd.Series[int]") -> bool:
    """Whether the numbers rise or fall by one from row to row, the rows of other splits between them included."""
    numbers = to_numbers(column)
    if len(numbers) < _FEWEST_IN_SEQUENCE or numbers.isna().any():
        return False
    order = np.argsort(rows.to_numpy())
    steps, distances = np.diff(numbers.to_numpy()[order]), np.diff(rows.to_numpy()[order])
    return bool((steps == distances).all() or (steps == -distances).all())

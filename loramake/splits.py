"""Which row trains, validates, calibrates and tests: fixed before anything is fitted.

The side of a row follows from its content and the seed alone, so that the order of rows or columns changes nothing.
"""

import csv
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

import pandas as pd

from loramake import artifacts
from loramake.console import log, say
from loramake.errors import ArtifactError, DataError
from loramake.tables import read_table

SPLITS = ("train", "validation", "calibration", "test")
_LARGEST_GROUP = 0.05
COLUMNS = ("row", "source", "split")


class Ratios(TypedDict):
    """Shares of all rows of the CSV; what they leave is train."""

    validation_ratio: float
    calibration_ratio: float
    test_ratio: float


def assign_splits(
    csv_path: str | Path, test_csv: str | Path | None, task: str | Path, ratios: Ratios, seed: int, out: str | Path
) -> None:
    """Write splits.csv: one line per row that has a target, with its source (csv or test_csv) and split."""
    found = artifacts.read(task, "task")
    shares = split_shares(ratios, has_test_csv=test_csv is not None)
    table = rows_with_target(read_table(csv_path), found["target"])
    ids = [column["name"] for column in found["ids"]]
    lines = [(row, "csv", split) for row, split in stratified(table, found["target"], ids, shares, seed).items()]
    if test_csv is not None:
        test_table = read_table(test_csv)
        test = rows_with_target(test_table, found["target"])
        if len(test) < len(test_table):
            say(f"{test_csv}: {len(test_table) - len(test):,} rows without a target are left out.")
        lines += [(row, "test_csv", "test") for row in test.index]
        _announce_twins(table, test[table.columns], test_csv)
    _check_filled(lines, shares, csv_path)
    log.info("rows by split: %s", {name: sum(split == name for _, _, split in lines) for name in SPLITS})
    with artifacts.atomic(out) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *lines])


def _announce_twins(table: pd.DataFrame, test: pd.DataFrame, test_csv: str | Path) -> None:
    """The test table is the user's choice and stays whole; what it repeats of the CSV is said."""
    twins = int(row_content(test).isin(row_content(table)).sum())
    if twins:
        say(f"{test_csv}: {twins:,} of {len(test):,} rows stand in the CSV too: the test will look better than it is.")


def _check_filled(lines: list[tuple[int, str, str]], shares: dict[str, float], csv_path: str | Path) -> None:
    """Raise DataError where a split that was asked for is empty."""
    filled = {split for _, _, split in lines}
    for split, share in shares.items():
        if share > 0 and split not in filled:
            raise DataError(f"{csv_path}: too few rows for a {split} split ({share:.0%}): raise its ratio or add rows.")


def split_shares(ratios: Ratios, has_test_csv: bool) -> dict[str, float]:
    """The share of each split in the CSV's rows, train first; a test table leaves none of them to test on."""
    test = 0.0 if has_test_csv else ratios["test_ratio"]
    shares = {"validation": ratios["validation_ratio"], "calibration": ratios["calibration_ratio"], "test": test}
    return {"train": 1.0 - sum(shares.values()), **shares}


def rows_with_target(table: pd.DataFrame, target: str) -> pd.DataFrame:
    """The rows whose target cell is filled; the index still tells the place in the CSV."""
    return table[table[target].notna()]


def stratified(
    table: pd.DataFrame, target: str, ids: Iterable[str], shares: dict[str, float], seed: int
) -> dict[int, str]:
    """The split of every row, label by label, rows of the same content (target and ids aside) kept together."""
    content = _break_up(row_content(table.drop(columns=[target, *ids])))
    label_of_content = table[target].groupby(content).agg(lambda labels: labels.value_counts().sort_index().idxmax())
    splits: dict[int, str] = {}
    for _, members in content.groupby(content.map(label_of_content)):
        splits.update(_cut(members, shares, seed))
    return {int(row): splits[row] for row in table.index}


def _break_up(content: "pd.Series[str]") -> "pd.Series[str]":
    """Number the rows of a content that more than a twentieth of all rows share, so that they can be parted.

    Where a table has few features of few values, keeping such rows together would leave whole splits empty.
    """
    sizes = content.groupby(content).transform("size").astype(int)
    numbered = content + ":" + content.groupby(content).cumcount().astype(str)
    return content.where(sizes.to_numpy() <= max(1, _LARGEST_GROUP * len(content)), numbered)


def row_content(table: pd.DataFrame) -> "pd.Series[str]":
    """One hash a row, the same for rows of the same cells in whatever column order."""
    cells = table[sorted(table.columns)].itertuples(index=True, name=None)
    return pd.Series({row: _hash(repr(tuple(values))) for row, *values in cells}, index=table.index, dtype=str)


def _cut(content: "pd.Series[str]", shares: dict[str, float], seed: int) -> dict[int, str]:
    """Lay the groups of one label on a line in an order drawn from the seed, and cut the line by the shares."""
    splits: dict[int, str] = {}
    done = 0
    groups = content.groupby(content).groups
    for key in sorted(groups, key=lambda key: _hash(f"{seed}:{key}")):
        rows = groups[key]
        middle = (done + len(rows) / 2) / len(content)
        splits.update(dict.fromkeys(rows, _split_at(middle, shares)))
        done += len(rows)
    return splits


def _split_at(place: float, shares: dict[str, float]) -> str:
    end = 0.0
    for split, share in shares.items():
        end += share
        if place < end:
            return split
    return next(split for split in reversed(shares) if shares[split] > 0)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_splits(path: str | Path) -> pd.DataFrame:
    """splits.csv as a table of row (int), source and split."""
    table = pd.read_csv(path, dtype={"row": int, "source": str, "split": str})
    if tuple(table.columns) != COLUMNS or not set(table["split"]) <= set(SPLITS):
        raise ArtifactError(f"{path} is not a table of {', '.join(COLUMNS)}: delete it and run the same command again.")
    return table


def read_split(
    csv_path: str | Path, test_csv: str | Path | None, splits: str | Path, split: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The keys (row, source) of one split and its rows as text, line by line the same; the index is 0-based."""
    lines = read_splits(splits)
    keys = lines.loc[lines["split"] == split, ["row", "source"]].reset_index(drop=True)
    parts = [read_table(csv_path).loc[keys.loc[keys["source"] == "csv", "row"]]]
    if test_csv is not None:
        parts.append(read_table(test_csv).loc[keys.loc[keys["source"] == "test_csv", "row"]])
    return keys, pd.concat(parts, ignore_index=True)

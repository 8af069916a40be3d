"""Which row trains, validates, calibrates and tests: fixed before anything is fitted.

By default the split of a row follows from its content and the seed alone, so the order of rows or columns does not
matter; with a group column, from its group and the seed; with a time column, from its time.
"""

import csv
import hashlib
from pathlib import Path
from typing import TypedDict

import pandas as pd

from loramake import artifacts, schemas
from loramake.artifact_types.explore import Assignment, ProfileColumn, Splits, TaskDescription
from loramake.console import say, working
from loramake.errors import ArtifactError, DataError
from loramake.tables.dates import to_days
from loramake.tables.numbers import MOSTLY, to_numbers
from loramake.tables.source import Source, TableFile, align, find_missing, take_rows
from loramake.tables.spelling import map_cells, value_key
from loramake.tasks import rows_by_label, task_of
from loramake.tasks.counts import describe_rare
from loramake.text import as_percent, shorten

SPLITS = ("train", "validation", "calibration", "test")
_LARGEST_GROUP = 0.05
COLUMNS = ("row", "source", "split")
_NAMED = 5


class Ratios(TypedDict):
    """Shares of all rows of the CSV; the rest is train."""

    validation_ratio: float
    calibration_ratio: float
    test_ratio: float


def assign_splits(
    source: Source,
    profile: str | Path,
    task: str | Path,
    ratios: Ratios,
    seed: int,
    out: str | Path,
    summary: str | Path,
    feedback: str | Path | None = None,
) -> None:
    """Write splits.csv, one line per row that has a label, with its source and split; and splits.json, a summary.

    `feedback` is the file that set the ratios, for errors.
    """
    described, columns = artifacts.read(task, schemas.TASK), artifacts.read(profile, schemas.PROFILE)["columns"]
    source = source.with_target(described["target"])
    shares = split_shares(ratios, has_test_csv=source.test_csv is not None)
    with working("assigning rows to splits"):
        table = task_of(described).rows_with_label(source.csv.read())
        sides, how = assign(table, described, columns, shares, seed, source.csv.path)
    lines = [(row, "csv", split) for row, split in sides.items()]
    if source.test_csv is not None:
        test = _read_test(source.test_csv, table, described)
        lines += [(row, "test_csv", "test") for row in test.index]
        _compare_test(table, test, described, source.test_csv.path)
    where = source.csv.path if feedback is None else f"{feedback}: {source.csv.path}"
    _check_filled(lines, shares, where, how)
    _check_seen(table[described["target"]], sides, where, how)
    counts = {name: sum(split == name for _, _, split in lines) for name in SPLITS}
    with artifacts.atomic(out) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *lines])
    summarized: Splits = {"test": "ratio" if source.test_csv is None else "test_csv", "rows": counts, **how}
    artifacts.write(summary, summarized, schemas.SPLITS)
    say(f"rows by split: {describe_splits(summarized)}.")
    train_rows = table[described["target"]][[row for row, split in sides.items() if split == "train"]].value_counts()
    if rare := describe_rare({label: int(train_rows[label]) for label in rows_by_label(described)}):
        say(rare)


def describe_splits(summary: Splits) -> str:
    """splits.json as one line."""
    counts = ", ".join(f"{split} {rows:,}" for split, rows in summary["rows"].items() if rows)
    column = summary["column"]
    tested = " (test_csv)" if summary["test"] == "test_csv" else ""
    how = {"content": "", "group": f"; no {column} is in two splits", "time": f"; in the order of {column}"}
    cut = f", the test rows from {summary['test_from']} on" if summary["test_from"] else ""
    lost = f"; {summary['left_out']:,} rows without a time are left out" if summary["left_out"] else ""
    return f"{counts}{tested}{how[summary['by']]}{cut}{lost}"


def assign(
    table: pd.DataFrame,
    task: TaskDescription,
    columns: list[ProfileColumn],
    shares: dict[str, float],
    seed: int,
    where: str | Path,
) -> tuple[dict[int, str], Assignment]:
    """The split of every row by its index in the CSV, and how it was assigned (keys of splits.json).

    Rows that differ in ids alone stay together; which columns are ids is decided without the target.
    """
    how: Assignment = {"by": "content", "column": None, "groups": None, "test_from": None, "left_out": 0}
    target, group, time = task["target"], task["group_column"], task["time_column"]
    if time is not None:
        sides = by_time(table[time], shares, where)
        tested = _order(table[time])[[row for row, split in sides.items() if split == "test"]]
        cut = None if tested.empty else str(table[time][tested.idxmin()])
        left_out = len(table) - len(sides)
        return sides, {**how, "by": "time", "column": time, "test_from": cut, "left_out": left_out}
    if group is not None:
        same = table[group].groupby(map_cells(table[group], value_key)).transform("min")
        groups = same.where(table[group].notna(), _content(table.drop(columns=target)))
        sides = stratified(groups, table[target], shares, seed)
        return sides, {**how, "by": "group", "column": group, "groups": int(groups.nunique())}
    unused = {target, *(column["name"] for column in columns if column["type"] == "id")}
    content = _break_up(_content(table.drop(columns=list(unused))))
    return stratified(content, table[target], shares, seed), how


def by_time(column: "pd.Series[str]", shares: dict[str, float], where: str | Path) -> dict[int, str]:
    """The split of every row that has a time: the latest test, those before them calibrate, the earliest train.

    Rows of the same time stay together. DataError if the cells are neither numbers nor dates.
    """
    order = _order(column)
    if order.notna().sum() < MOSTLY * column.notna().sum():
        first = column[order.isna() & column.notna()].iloc[0]
        raise DataError(
            f"{where}: time_column {column.name}: {shorten(first, 40)!r} is neither a date nor a number: name another."
        )
    rows_of_time = order.value_counts().sort_index()
    middle = (rows_of_time.cumsum() - rows_of_time / 2) / order.notna().sum()
    side_of_time = {time: _split_at(position, shares) for time, position in middle.items()}
    timed = order.dropna()
    return {int(row): side_of_time[time] for row, time in zip(timed.index, timed, strict=True)}


def _order(column: "pd.Series[str]") -> "pd.Series[float]":
    """A column of times as numbers, NaN where a cell is missing or not a time."""
    numbers = to_numbers(column)
    return numbers if numbers.notna().sum() >= MOSTLY * column.notna().sum() else to_days(column)


def _read_test(file: TableFile, table: pd.DataFrame, task: TaskDescription) -> pd.DataFrame:
    """The rows of the test table that have a label of the task."""
    whole = align(file.read(), table)
    test = task_of(task).rows_with_label(whole)
    if len(test) < len(whole):
        say(f"{file.path}: {len(whole) - len(test):,} rows without a label of the task are left out.")
    return test


def _compare_test(table: pd.DataFrame, test: pd.DataFrame, task: TaskDescription, test_csv: str | Path) -> None:
    """Report what the test table shares with the CSV; it is the user's choice and stays complete."""
    group, time = task["group_column"], task["time_column"]
    if twins := int(row_content(_by_value(test)).isin(row_content(_by_value(table))).sum()):
        say(f"{test_csv}: {twins:,} of {len(test):,} rows are in the CSV too: the test results will be too optimistic.")
    if group is not None and (shared := len(_values(test[group]) & _values(table[group]))):
        raise DataError(
            f"{test_csv}: {shared:,} values of group_column {group} are in the CSV too: leave their rows out of one "
            f"of the two, or unset group_column."
        )
    if time is not None and _order(test[time]).min() < _order(table[time]).max():
        say(f"{test_csv}: its earliest {time} is before the CSV's latest: the test is not on later rows only.")


def _check_filled(
    lines: list[tuple[int, str, str]], shares: dict[str, float], csv_path: str | Path, how: Assignment
) -> None:
    """Raise DataError if a split with a ratio above 0 is empty."""
    filled = {split for _, _, split in lines}
    things = {"content": "rows", "group": f"values of {how['column']}", "time": f"distinct times in {how['column']}"}
    for split, share in shares.items():
        if share > 0 and split not in filled:
            thing = things[how["by"]]
            raise DataError(
                f"{csv_path}: too few {thing} for a {split} split ({as_percent(share)}): change the ratios or add rows."
            )


def _check_seen(labels: "pd.Series[str]", sides: dict[int, str], csv_path: str | Path, how: Assignment) -> None:
    """Raise DataError, with a list, for labels that no train row has."""
    split = pd.Series(sides)
    seen = set(labels[split.index[split == "train"]])
    if unseen := sorted(set(labels[split.index]) - seen):
        names = ", ".join(repr(shorten(label, 40)) for label in unseen[:_NAMED]) + (", …" if unseen[_NAMED:] else "")
        column = how["column"]
        why = {"content": "few rows", "group": f"few values of {column}", "time": f"late {column} only"}[how["by"]]
        raise DataError(
            f"{csv_path}: no train row has the {labels.name} {names} ({why}): merge such labels with others, "
            "leave their rows out, or change the ratios."
        )


def split_shares(ratios: Ratios, has_test_csv: bool) -> dict[str, float]:
    """The share of each split in the CSV's rows, train first; with a test table, the share of test is 0."""
    test = 0.0 if has_test_csv else ratios["test_ratio"]
    shares = {"validation": ratios["validation_ratio"], "calibration": ratios["calibration_ratio"], "test": test}
    return {"train": 1.0 - sum(shares.values()), **shares}


def stratified(
    groups: "pd.Series[str]", labels: "pd.Series[str]", shares: dict[str, float], seed: int
) -> dict[int, str]:
    """The split of every row, label by label, rows of the same group kept together (with its most frequent label)."""
    label_of_group = labels.groupby(groups).agg(lambda group: group.value_counts().sort_index().idxmax())
    splits: dict[int, str] = {}
    for _, members in groups.groupby(groups.map(label_of_group)):
        splits.update(_cut(members, shares, seed))
    return {int(row): splits[row] for row in labels.index}


def _break_up(content: "pd.Series[str]") -> "pd.Series[str]":
    """Number the rows of a content that more than a twentieth of all rows share, so that they can be separated.

    In a table of few features with few values, keeping such rows together would leave whole splits empty.
    """
    sizes = content.groupby(content).transform("size").astype(int)
    numbered = content + ":" + content.groupby(content).cumcount().astype(str)
    return content.where(sizes.to_numpy() <= max(1, _LARGEST_GROUP * len(content)), numbered)


def _content(table: pd.DataFrame) -> "pd.Series[str]":
    """One hash a row, the same for rows of equal values, however they are written: of one of these rows' texts."""
    return row_content(table).groupby(row_content(_by_value(table))).transform("min")


def _by_value(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the same text for equal values: 35 and 35.0, Paris and PARIS."""
    return table.apply(lambda column: map_cells(column, value_key))


def _values(column: "pd.Series[str]") -> set[str]:
    return set(map_cells(column, value_key).dropna())


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


def _split_at(position: float, shares: dict[str, float]) -> str:
    end = 0.0
    for split, share in shares.items():
        end += share
        if position < end:
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


def read_all_splits(source: Source, splits: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The lines of splits.csv (row, source, split) and their rows as text, in the same order; the index is 0-based.

    ArtifactError for a line whose row is in neither table.
    """
    lines = read_splits(splits)
    return lines, _rows_of(lines, source, splits)


def read_split(source: Source, splits: str | Path, split: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The keys (row, source) of one split and its rows as text, in the same order; the index is 0-based."""
    lines = read_splits(splits)
    keys = lines.loc[lines["split"] == split, ["row", "source"]].reset_index(drop=True)
    return keys, _rows_of(keys, source, splits)


def _rows_of(lines: pd.DataFrame, source: Source, splits: str | Path) -> pd.DataFrame:
    """The rows of the tables that the lines (row, source) refer to, in their order."""
    tables, keys = source.read(), list(zip(lines["source"], lines["row"], strict=True))
    if find_missing(tables, keys) is not None:
        raise ArtifactError(
            f"{splits} refers to rows that are not in the tables: delete it and run the same command again."
        )
    return take_rows(tables, keys)

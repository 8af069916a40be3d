"""Which labels a column contains, and whether they can be learnt."""

import re
from collections.abc import Collection, Iterable
from pathlib import Path

import pandas as pd

from loramake.errors import DataError
from loramake.tables.numbers import find_number_style, to_numbers
from loramake.tables.readings import find_reading
from loramake.text import listed, shorten

MAX_LABELS_OF_NUMBERS = 20
"""A column of numbers with more values than this is a quantity, not a column of labels."""
ROWS_A_LABEL = 5
"""A table needs this many rows per label on average."""

_NEGATIVE_WORDS = re.compile(
    r"no|not|false|n|f|0|negative|absent|absence|healthy|benign|normal|never|none|low|bad|control", re.I
)
_NEGATION = re.compile(r"(no|not|non|un|without)[ _-].*", re.I)


def find_labels(csv: str | Path, target: "pd.Series[str]", rare_labels: str) -> "pd.Series[int]":
    """Rows by label, without the labels that `rare_labels: drop` leaves out.

    DataError, in one sentence, where the column has no labels, is a quantity or names rows, where a label occurs in
    only one row (unless those are dropped), and where there are too few rows for so many labels.
    """
    rows = target.dropna().value_counts().sort_index()
    if len(rows) < 2:
        values = f"only the value {shorten(rows.index[0], 40)!r}" if len(rows) else "no values"
        raise DataError(f"{csv}: the target {target.name} has {values}: choose another column with target.")
    _refuse_other_kinds(csv, target, len(rows))
    if rare_labels == "drop":
        rows = rows[rows > 1]
    elif (rows == 1).any():
        raise DataError(
            f"{csv}: {_quoted(rows[rows == 1].index)} of the target {target.name} occur in only one row each, so they "
            f"cannot be both learnt and tested: merge them, or set rare_labels: drop."
        )
    if rows.sum() < ROWS_A_LABEL * max(2, len(rows)):
        raise DataError(
            f"{csv}: {rows.sum():,} rows are too few for {len(rows):,} labels of the target {target.name}: at least "
            f"{ROWS_A_LABEL} per label are needed; add rows, or choose another column with target."
        )
    return rows


def _refuse_other_kinds(csv: str | Path, target: "pd.Series[str]", labels: int) -> None:
    if labels > MAX_LABELS_OF_NUMBERS and find_number_style(target.dropna()) is not None:
        raise DataError(
            f"{csv}: the target {target.name} is numeric with {labels:,} distinct values; regression is not "
            f"supported yet: bin it into classes, or choose another column with target."
        )
    kind = find_reading(target).kind
    if kind in ("id", "text", "date"):
        raise DataError(
            f"{csv}: the target {target.name} is a column of {kind}, not of labels: choose another with target."
        )


def check_test_labels(test_csv: str | Path, target: "pd.Series[str]", labels: Collection[str]) -> None:
    """Raise DataError for labels that training does not see, and for a test table without any label."""
    filled = target.dropna()
    if filled.empty:
        raise DataError(f"{test_csv}: no row has a value in the target {target.name}: nothing could be tested.")
    unseen = filled[~filled.isin(labels)]
    if len(unseen):
        raise DataError(
            f"{test_csv}: {len(unseen):,} rows have labels that the CSV does not have ({_quoted(unseen.unique())}; "
            f"first in data row {unseen.index[0]}): write them as in the CSV ({_quoted(labels)}), or leave out those "
            f"rows."
        )


def _quoted(labels: Collection[str]) -> str:
    return listed([repr(shorten(label, 40)) for label in sorted(labels)])


def order_labels(values: Iterable[str]) -> list[str]:
    """Numbers in ascending order, else alphabetical; of two labels, the negative one comes first."""
    labels = sorted(values)
    numbers = to_numbers(pd.Series(labels, dtype=str))
    if numbers.notna().all():
        return [label for _, label in sorted(zip(numbers, labels, strict=True))]
    if len(labels) == 2:
        return sorted(labels, key=lambda label: (not _is_negative(label), label))
    return labels


def _is_negative(label: str) -> bool:
    return bool(_NEGATIVE_WORDS.fullmatch(label) or _NEGATION.fullmatch(label))

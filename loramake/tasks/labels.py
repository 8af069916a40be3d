"""Which labels a column contains, and whether they can be learnt."""

import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import pandas as pd

from loramake.errors import DataError
from loramake.tables.numbers import find_number_style, to_numbers
from loramake.tables.readings import find_reading
from loramake.tables.source import row_number
from loramake.tables.spelling import NUMBER, normalise_text, value_key
from loramake.text import listed, shorten

MAX_LABELS_OF_NUMBERS = 20
"""A column of numbers with more values than this is a quantity, not a column of labels."""
ROWS_A_LABEL = 5
"""A table needs this many rows per label on average."""

_NEGATIVE_WORDS = re.compile(
    r"no|not|false|n|f|0|negative|absent|absence|healthy|benign|normal|never|none|low|bad|control", re.I
)
_NEGATION = re.compile(r"(no|not|non|un|without)[ _-].*", re.I)
_WHOLE = re.compile(r"[-+]?(?:0|[1-9]\d{0,17})")
"""A whole number that fits into 64 bits."""
_LABELS_NAMED = 5

_WORDS = ({"yes", "true", "on"}, {"no", "false", "off"})
_LETTERS_AND_DIGITS = ({"y", "t", "1"}, {"n", "f", "0"})
"""They may mean yes or no, too, but also much else."""

Spellings = dict[str, dict[str, int]]
"""Rows by spelling for each label, the most frequent spelling first."""

Label = str | int | float | bool
"""A label in the type that pandas reads it as."""


def label_key(merge_labels: bool) -> Callable[[str], str]:
    """What is equal for two cells of the same label: their value, or only their text without odd spaces."""
    return value_key if merge_labels else normalise_text


def match_label(name: str, labels: Iterable[str]) -> str | None:
    """The label that a person means: that text, else the only one of the same value; None if there is none."""
    same = [label for label in labels if value_key(label) == value_key(name)]
    return name if name in same else same[0] if len(same) == 1 else None


def find_spellings(target: "pd.Series[str]", merge_labels: bool) -> Spellings:
    """The labels of a column in alphabetical order, and how they are written.

    The label is its most frequent spelling; where all labels are whole numbers and some are written so, it is a whole
    number.
    """
    key = label_key(merge_labels)
    rows = target.dropna().value_counts().sort_index().sort_values(ascending=False, kind="stable")
    by_key: dict[str, dict[str, int]] = {}
    for cell, count in rows.items():
        by_key.setdefault(key(str(cell)), {})[str(cell)] = int(count)
    labels = {name: normalise_text(next(iter(cells))) for name, cells in by_key.items()}
    if merge_labels and _are_whole_but_mixed(labels.values(), rows.index):
        labels = {name: str(int(float(label))) for name, label in labels.items()}
    return {labels[name]: cells for name, cells in sorted(by_key.items(), key=lambda entry: labels[entry[0]])}


def _are_whole_but_mixed(labels: Collection[str], cells: Iterable[str]) -> bool:
    """Whether all labels are whole numbers, of which some cells have a decimal separator and some have none."""
    if not all(NUMBER.fullmatch(label) and abs(float(label)) < 1e15 and float(label) % 1 == 0 for label in labels):
        return False
    return len({_WHOLE.fullmatch(normalise_text(cell)) is None for cell in cells}) > 1


def describe_merged(target: str, spellings: Spellings) -> str | None:
    """One sentence about the labels that the CSV writes in several ways; None if there are none."""
    parts = []
    for label, cells in spellings.items():
        others = [f"{shorten(cell, 40)!r} ({rows:,} rows)" for cell, rows in cells.items() if cell != label]
        parts += [f"{shorten(label, 40)!r} from {listed(others)}"] if others else []
    if not parts:
        return None
    shown = "; ".join(parts[:_LABELS_NAMED]) + ("; …" if parts[_LABELS_NAMED:] else "")
    is_choice = any(len({normalise_text(cell) for cell in cells}) > 1 for cells in spellings.values())
    advice = "; merge_labels: false keeps them apart" if is_choice else ""
    return f"different spellings of a label in {target} are merged: {shown}{advice}."


def find_synonyms(values: Iterable[str]) -> list[list[str]]:
    """Values that probably mean the same, such as yes, Y and TRUE, grouped; of those with the same key, only one."""
    by_key = {value_key(value): value for value in values}
    groups = [by_key.keys() & (words | others) for words, others in zip(_WORDS, _LETTERS_AND_DIGITS, strict=True)]
    is_sure = by_key.keys() == groups[0] | groups[1]
    return [
        sorted(by_key[key] for key in group)
        for group, words in zip(groups, _WORDS, strict=True)
        if len(group) > 1 and (is_sure or group & words)
    ]


def typed_labels(labels: Sequence[str]) -> list[Label]:
    """The labels as pandas reads a column of them: truth values, whole numbers, numbers or text; 007 stays text."""
    typed: list[Label] = list(labels)
    if all(label in ("True", "TRUE", "true", "False", "FALSE", "false") for label in labels):
        typed = [label.lower() == "true" for label in labels]
    elif all(_WHOLE.fullmatch(label) for label in labels):
        typed = [int(label) for label in labels]
    elif all(NUMBER.fullmatch(label) and math.isfinite(float(label)) for label in labels):
        typed = [float(label) for label in labels]
    return typed if len(set(typed)) == len(labels) else list(labels)


def refuse_single_label(csv: str | Path, target: str, spellings: Spellings) -> None:
    """Raise DataError if all values of the target are spellings of one label."""
    for label, cells in spellings.items():
        if len(spellings) == 1 and len({normalise_text(cell) for cell in cells}) > 1:
            raise DataError(
                f"{csv}: the values of the target {target} are all spellings of {shorten(label, 40)!r} "
                f"({_quoted(cells)}): set merge_labels: false to keep them apart, or choose another column with target."
            )


def find_labels(csv: str | Path, target: "pd.Series[str]", rare_labels: str) -> "pd.Series[int]":
    """Rows by label, without the labels that `rare_labels: drop` leaves out; `target` has the label of each row.

    DataError, in one sentence, where the column has no labels, is a quantity or names rows, where a label occurs in
    only one row (unless those are dropped), and where there are too few rows for so many labels.
    """
    rows = target.dropna().value_counts().sort_index()
    if len(rows) < 2:
        values = f"only the value {shorten(rows.index[0], 40)!r}" if len(rows) else "no values"
        empty = int(target.isna().sum())
        missing = f" besides {empty:,} missing cells (of words such as '?', too: see missing_values)" if empty else ""
        raise DataError(f"{csv}: the target {target.name} has {values}{missing}: choose another column with target.")
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
            f"first in row {row_number(int(unseen.index[0]))}): write them as in the CSV ({_quoted(labels)}), or leave "
            f"out those rows."
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

"""Pairs of columns that together give the target away: screened on a sample of rows, confirmed on all."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from loramake.console import say
from loramake.explore.leaks.columns import FEW_VALUES, Column
from loramake.explore.leaks.evidence import (
    FILLED,
    MIN_RECALL,
    ROWS_A_LABEL,
    ROWS_A_VALUE,
    Labels,
    are_apart,
    are_near,
    is_chance,
    recalls_of,
    separate,
)
from loramake.explore.leaks.words import normal_codes

_ALONE_EXACT, _ALONE_OPERATION, _ALONE_NOISY = 0.95, 0.87, 0.7
"""A pair counts if neither column alone has this mean recall: strong features may separate the labels together."""

_MAX_PAIRED_COLUMNS, _MAX_PAIRED_VALUES, _MAX_CONFIRMED = 2000, 4000, 300

_ROWS_TO_SCREEN_VALUES, _ROWS_TO_SCREEN_OPERATIONS = 2000, 24
"""Pairs are screened on a sample with equally many rows of each label, and confirmed on all rows."""

_EQUAL = "whether they are equal"

_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "their difference": np.subtract,
    "their sum": np.add,
    "their product": np.multiply,
    "their ratio": np.divide,
    _EQUAL: lambda one, other: np.where(np.isnan(one - other), np.nan, one == other),
}

_Pairs = Iterator[tuple[Column, Column, str]]


def find_pairs(columns: list[Column], labels: Labels) -> dict[str, str]:
    """How each column that gives the target away together with another one does so."""
    numeric = [column for column in columns if column.numbers is not None]
    worded = [column for column in columns if column.numbers is None and len(labels.names) == 2]
    reasons: dict[str, str] = {}
    for one, other, how in itertools.chain(
        _pairs_of_values(columns, labels),
        _pairs_by_operation(numeric, _stack_numbers, labels, list(_OPERATIONS)),
        _pairs_by_operation(worded, _stack_words, labels, [_EQUAL]),
    ):
        reasons.setdefault(one.name, f"together with {other.name}: {how}")
        reasons.setdefault(other.name, f"together with {one.name}: {how}")
    return reasons


def _pairs_of_values(columns: list[Column], labels: Labels) -> _Pairs:
    """Pairs of columns of few values, each combination of which comes with one label, or nearly so."""
    few = [column for column in columns if 2 <= column.values <= FEW_VALUES and column.strength < _ALONE_EXACT]
    few.sort(key=lambda column: column.values)
    sizes = np.cumsum([column.values for column in few])
    tried = few[: np.count_nonzero(sizes <= _MAX_PAIRED_VALUES)]
    if len(tried) < len(few):
        say(f"only {len(tried):,} of {len(few):,} columns were checked for leaks in pairs of values.")
    if len(tried) < 2:
        return
    purity = np.triu(_purity_of_pairs(tried, labels), 1)
    likely = np.argwhere(purity >= MIN_RECALL)
    likely = likely[np.argsort(-purity[tuple(likely.T)], kind="stable")]
    for i, j in _limit(likely):
        one, other = tried[i], tried[j]
        together = np.where((one.tidy < 0) | (other.tidy < 0), -1, one.tidy * other.values + other.tidy)
        noisy = max(one.strength, other.strength) < _ALONE_NOISY
        if how := _combinations_give_label(together, labels, len(tried) ** 2, noisy):
            yield one, other, how


def _purity_of_pairs(columns: list[Column], labels: Labels) -> np.ndarray:
    """Of shape (columns, columns): the share of rows with their combination's main label, all labels weighted equally.

    Zero if a combination has too few rows.
    """
    sample = labels.sample(_ROWS_TO_SCREEN_VALUES)
    starts = np.cumsum([0, *(column.values for column in columns[:-1])])
    ones = np.hstack([column.tidy[sample, None] == np.arange(column.values) for column in columns]).astype(np.float32)
    best = total = np.zeros((ones.shape[1], ones.shape[1]), np.float32)
    for code in range(len(labels.names)):
        of_label = ones[labels.codes[sample] == code]
        cells = of_label.T @ of_label / len(of_label)
        best, total = np.maximum(best, cells), total + cells
    best, total, used = (
        np.add.reduceat(np.add.reduceat(cells, starts, axis=0), starts, axis=1)
        for cells in (best, total, (total > 0).astype(np.float32))
    )
    return np.where(used * ROWS_A_VALUE <= len(labels.codes), best / np.maximum(total, 1e-9), 0)


def _combinations_give_label(values: np.ndarray, labels: Labels, tries: int, noisy: bool) -> str | None:
    cells = labels.cross(values)
    cells = cells[cells.sum(axis=1) > 0]
    rows, k = cells.sum(axis=0), len(labels.names)
    if rows.sum() < max(FILLED * len(values), ROWS_A_VALUE * len(cells)) or rows.min() < ROWS_A_LABEL:
        return None
    if np.count_nonzero(cells) == len(cells) and not is_chance(rows, len(cells) * np.log(k), tries):
        return f"each of their {len(cells)} combinations comes with one label only, in all {rows.sum():,} rows"
    if not noisy or not are_near(recalls := recalls_of(cells, k * k)):
        return None
    return f"their {len(cells)} combinations give the label of {recalls.mean():.0%} of the rows"


def _pairs_by_operation(
    columns: list[Column], stack: Callable[..., np.ndarray], labels: Labels, operations: list[str]
) -> _Pairs:
    """Pairs of columns for which one of the operations separates the labels without an error."""
    tried = columns[:_MAX_PAIRED_COLUMNS]
    if len(tried) < len(columns):
        say(f"only the first {len(tried):,} of {len(columns):,} columns were checked for leaks in pairs.")
    if len(tried) < 2:
        return
    sample = labels.sample(_ROWS_TO_SCREEN_OPERATIONS, most=4)
    starts = np.unique(labels.codes[sample], return_index=True)[1]
    tries = len(operations) * len(tried) ** 2
    for i, j, operation in _limit(_screen(stack(tried, sample), starts, operations)):
        one, other = tried[i], tried[j]
        how = _operation_gives_label(stack([one, other], slice(None)), operation, labels, tries)
        if how and max(one.strength, other.strength) < _ALONE_OPERATION:
            yield one, other, how


def _limit(likely: Iterable[Any]) -> Iterator[Any]:
    """The first few pairs that passed the screen; reports if there are more."""
    pairs = iter(likely)
    yield from itertools.islice(pairs, _MAX_CONFIRMED)
    if next(pairs, None) is not None:
        say(f"more than {_MAX_CONFIRMED} pairs of columns may be leaks; the others were not checked.")


def _stack_numbers(columns: list[Column], rows: Any) -> np.ndarray:
    """Of shape (rows, columns)."""
    return np.column_stack([column.numbers[rows] for column in columns if column.numbers is not None])


def _stack_words(columns: list[Column], rows: Any) -> np.ndarray:
    """Of shape (rows, columns): a number for each normalised word, the same in all columns, NaN where missing."""
    cells = [np.append(column.words, [None])[column.codes[rows]] for column in columns]
    codes, words = pd.factorize(np.concatenate(cells))
    return np.append(normal_codes(words), np.nan)[codes].reshape(len(columns), -1).T


def _screen(matrix: np.ndarray, starts: np.ndarray, operations: list[str]) -> Iterator[tuple[int, int, str]]:
    """Two column indices and an operation, wherever it separates the labels of the sample."""
    for i, operation in itertools.product(range(matrix.shape[1] - 1), operations):
        results = _operate(operation, matrix[:, [i]], matrix[:, i + 1 :])
        for j in np.flatnonzero(are_apart(results, starts)):
            yield i, i + 1 + int(j), operation


def _operate(operation: str, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(_OPERATIONS[operation](one, other))


def _operation_gives_label(pair: np.ndarray, operation: str, labels: Labels, tries: int) -> str | None:
    results = _operate(operation, pair[:, 0], pair[:, 1])
    if not separate(results, labels, ROWS_A_LABEL, tries):
        return None
    cut = "" if operation == _EQUAL else ", cut at a few points,"
    return f"{operation}{cut} gives the label of all {np.count_nonzero(~np.isnan(results)):,} rows"

"""The target's labels, and when a rule that predicts them is accepted: never if chance could explain it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import gammaln
from scipy.stats import rankdata
from sklearn.tree import DecisionTreeClassifier

FILLED = 0.5
"""A column's values are judged if this share of its rows has one."""

ROWS_A_VALUE = 5
"""A value must occur this often on average before its column is called a leak rather than a near-id."""

ROWS_A_LABEL = 20
"""Labels with fewer rows are not judged by a noisy rule; a pair needs this many rows of every label."""

_CHANCE = 1e-4

_MEAN_RECALL, MIN_RECALL = 0.92, 0.85


@dataclass(frozen=True, eq=False)
class Labels:
    """The target: a code for each row, which are sorted by it; the label of each code; the number of columns tried."""

    codes: np.ndarray
    names: list[str]
    columns: int

    @cached_property
    def rows(self) -> np.ndarray:
        """Rows of each label."""
        return np.bincount(self.codes, minlength=len(self.names))

    def cross(self, values: np.ndarray) -> np.ndarray:
        """Row counts by value (below 0: missing) and label, of shape (values, labels)."""
        filled, k = values >= 0, len(self.names)
        cells = np.bincount(values[filled] * k + self.codes[filled], minlength=(values.max(initial=-1) + 1) * k)
        return cells.reshape(-1, k)

    def sample(self, rows: int, most: int | None = None) -> np.ndarray:
        """Indices of about `rows` rows, sorted by label, equally many of each of all labels or of the first `most`."""
        indices = np.split(np.arange(len(self.codes)), np.cumsum(self.rows)[:-1])[:most]
        rng = np.random.default_rng(0)
        return np.concatenate([rng.permutation(of_label)[: rows // len(indices)] for of_label in indices])


def is_chance(rows: np.ndarray, log_fits: float, tries: int) -> bool:
    """Whether random labels, `rows` of each, may well fit one of the rules tried, each fitted in exp(log_fits) ways."""
    return bool(log_fits + np.log(tries) - log_ways(rows) > np.log(_CHANCE))


def log_ways(rows: np.ndarray) -> float:
    """log of n! / (n₁! … n_k!)."""
    return float(gammaln(rows.sum() + 1) - gammaln(rows + 1).sum())


def recalls_of(cells: np.ndarray, values: int) -> np.ndarray:
    """From row counts by value and label: each label's recall, if each of the `values` most frequent predicts one.

    Only for labels with enough rows; a single zero if there are fewer than two.
    """
    judged = cells[:, cells.sum(axis=0) >= ROWS_A_LABEL]
    if judged.shape[1] < 2:
        return np.zeros(1)
    often = np.argsort(-cells.sum(axis=1), kind="stable")[:values]
    shares = (judged / judged.sum(axis=0))[often]
    return np.bincount(shares.argmax(axis=1), weights=shares.max(axis=1), minlength=judged.shape[1])


def are_near(recalls: np.ndarray) -> bool:
    return bool(recalls.mean() >= _MEAN_RECALL and recalls.min() >= MIN_RECALL)


def are_apart(numbers: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Of numbers of shape (rows, columns), whether no label's range, from each of `starts` on, overlaps another's."""
    low, high = np.fmin.reduceat(numbers, starts, axis=0), np.fmax.reduceat(numbers, starts, axis=0)
    order = np.argsort(low, axis=0)
    apart = np.take_along_axis(low, order, 0)[1:] > np.take_along_axis(high, order, 0)[:-1]
    return np.asarray(apart.all(axis=0))


def separate(numbers: np.ndarray, labels: Labels, rows_a_label: int, tries: int) -> bool:
    """Whether as many intervals as there are labels, and enough rows in each, tell them apart without an error."""
    filled = ~np.isnan(numbers)
    _, starts, rows = np.unique(labels.codes[filled], return_index=True, return_counts=True)
    if filled.mean() < FILLED or len(rows) < 2 or rows.min() < rows_a_label:
        return False
    chance = is_chance(rows, gammaln(len(rows) + 1), tries)
    return not chance and bool(are_apart(numbers[filled, None], starts)[0])


def cut_into_intervals(numbers: np.ndarray, labels: Labels) -> np.ndarray:
    """Rows by interval and label, of shape (intervals, labels): as many intervals as labels, as a tree cuts them."""
    filled = ~np.isnan(numbers)
    tree = DecisionTreeClassifier(max_leaf_nodes=len(labels.names), class_weight="balanced", random_state=0)
    ranks = rankdata(numbers[filled], method="dense")[:, None]  # trees accept no number beyond float32
    intervals = np.full(len(numbers), -1)
    intervals[filled] = pd.factorize(tree.fit(ranks, labels.codes[filled]).apply(ranks))[0]
    return labels.cross(intervals)

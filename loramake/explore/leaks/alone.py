"""Ways in which one column by itself gives the target away."""

import numpy as np
from scipy.special import gammaln

from loramake.explore.leaks.columns import Column
from loramake.explore.leaks.evidence import (
    ROWS_A_LABEL,
    ROWS_A_VALUE,
    are_near,
    cut_into_intervals,
    is_chance,
    log_ways,
    recalls_of,
    separate,
)
from loramake.text import shorten

_NEAR = 0.2
"""A number counts as a label's within this share of the gap from the label's median to the next label's."""


def is_filled_by_label(column: Column) -> str | None:
    labels, cells = column.labels, column.by_filled
    empty, filled = cells.sum(axis=1)
    if min(empty, filled) < ROWS_A_VALUE:
        return None
    if np.count_nonzero(cells) == 2 and not is_chance(labels.rows, np.log(2), labels.columns):
        return f"it is filled for one label only ({filled:,} rows) and empty for the other"
    if are_near(recalls := recalls_of(cells, 2)):
        return f"whether it is filled ({filled:,} rows) or empty ({empty:,}) gives {recalls.mean():.0%} of the labels"
    for rows, word in ((cells[1], "filled"), (cells[0], "empty")):
        label, total = int(rows.argmax()), rows.sum()
        rows_of_label = labels.rows[label]
        fits = log_ways(np.array([total, rows_of_label - total])) if rows[label] == total else np.inf
        if total >= 0.5 * rows_of_label and not is_chance(cells.sum(axis=1), fits, 2 * labels.columns):
            return f"it is {word} for {shorten(labels.names[label], 20)} only ({total:,} of its {rows_of_label:,} rows)"
    return None


def has_one_label_a_value(column: Column) -> str | None:
    labels = column.labels
    for codes, qualifier in ((column.codes, ""), (column.tidy, ", however written,")):
        values, total = codes.max() + 1, np.count_nonzero(codes >= 0)
        if total < ROWS_A_VALUE * values and values > len(labels.names):
            continue
        cells = labels.cross(codes)
        rows = cells.sum(axis=0)
        present = np.count_nonzero(rows)
        if np.count_nonzero(cells) > values or present < 2 or (total < ROWS_A_VALUE * values and present < values):
            continue
        if not is_chance(rows, values * np.log(present), labels.columns):
            return f"each of its {values} values{qualifier} comes with one label only, in all {total:,} rows"
    return None


def is_cut_into_labels(column: Column) -> str | None:
    if column.numbers is None or not separate(column.numbers, column.labels, ROWS_A_VALUE, column.labels.columns):
        return None
    rows, noun = np.count_nonzero(~np.isnan(column.numbers)), "dates" if column.kind == "date" else "numbers"
    return f"cutting its {noun} at a few points gives the label of all {rows:,} rows"


def has_one_number_a_label(column: Column) -> str | None:
    """Numbers close to one number a label, like an affine transform of the target, even rounded or noisy."""
    if column.numbers is None:
        return None
    filled = ~np.isnan(column.numbers)
    numbers, codes = column.numbers[filled], column.labels.codes[filled]
    rows = np.bincount(codes)
    often, present = np.flatnonzero(rows >= ROWS_A_LABEL), np.flatnonzero(rows)
    recalls = _shares_near_median(numbers, codes, often)
    if not are_near(recalls):
        if len(often) == len(present) or is_chance(rows, gammaln(len(present) + 1), column.labels.columns):
            return None
        recalls = _shares_near_median(numbers, codes, present)
        if recalls.min() < 1:
            return None
    return f"its numbers lie near one number for each label, in {recalls.mean():.0%} of {len(codes):,} rows"


def _shares_near_median(numbers: np.ndarray, codes: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """For each judged label, the share of its rows close to its median; a single zero for fewer than two labels."""
    if len(judged) < 2:
        return np.zeros(1)
    groups = [numbers[codes == code] for code in judged]
    medians = np.array([np.median(group) for group in groups])
    gaps = np.abs(medians[:, None] - medians) + np.diag(np.full(len(medians), np.inf))
    near = zip(groups, medians, _NEAR * gaps.min(axis=1), strict=True)
    return np.array([np.mean(np.abs(group - median) < limit) for group, median, limit in near])


def has_nearly_one_label_a_value(column: Column) -> str | None:
    if column.values * ROWS_A_VALUE > len(column.codes):
        return None
    recalls = recalls_of(column.labels.cross(column.tidy), 2 * len(column.labels.names))
    if not are_near(recalls):
        return None
    return (
        f"its values give the label of {recalls.mean():.0%} of the rows ({recalls.min():.0%} of a label's at the least)"
    )


def sorts_like_target(column: Column) -> str | None:
    """An id whose order separates the labels; some noise is allowed, since an order should not know them at all."""
    labels = column.labels
    if column.numbers is None:
        return None
    if separate(column.numbers, labels, ROWS_A_VALUE, labels.columns):
        return f"sorted by it, the {len(labels.codes):,} rows fall into one block for each label"
    if np.count_nonzero(labels.rows >= ROWS_A_LABEL) < 2:
        return None
    recalls = recalls_of(cut_into_intervals(column.numbers, labels), len(labels.names))
    if not are_near(recalls):
        return None
    return f"sorted by it, the rows fall into one block for each label but for {1 - recalls.mean():.0%} of them"

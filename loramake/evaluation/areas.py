"""Areas under the ROC and the precision-recall curve, of one set of rows and of many resamples at once.

Time and memory grow with labels times rows and with resamples times labels, never with the square of the labels.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sklearn_metrics

from loramake.prediction.predictions import Codes, Floats

_FEW = 30
"""Up to so many rows of a label it is quicker to compare each with every row than to sort and sum."""

_COMPARED = 2_000_000
"""Pairs of rows compared at once."""

MANY_LABELS = 20
"""Of more labels the areas are not scikit-learn's, which takes 7 ms a label, but those of one resample, the same."""


def mean_areas(truth: Codes, probabilities: Floats, ranked: list[int]) -> Floats:
    """Mean ROC-AUC and mean average precision over the labels in `ranked`, shape (2,)."""
    if len(ranked) > MANY_LABELS:
        areas = weighted_areas(truth, probabilities, np.ones((1, len(truth))), ranked)[:, 0]
    else:
        scorers = (sklearn_metrics.roc_auc_score, sklearn_metrics.average_precision_score)
        areas = np.array([[score(truth == label, probabilities[:, label]) for label in ranked] for score in scorers])
    mean: Floats = areas.mean(axis=1)
    return mean


def weighted_areas(truth: Codes, probabilities: Floats, counts: Floats, labels: list[int]) -> Floats:
    """One-vs-rest ROC-AUC (a tie is half a win) and average precision, shape (2, resamples, labels asked for).

    `counts` (resamples, rows) tells how often each resample holds a row; NaN where one has no row of a label, or only.
    """
    areas = np.empty((2, len(counts), len(labels)))
    sizes = np.bincount(truth, minlength=probabilities.shape[1])[labels]
    with np.errstate(divide="ignore", invalid="ignore"):
        for place in np.flatnonzero(sizes > _FEW):
            label = labels[place]
            areas[:, :, place] = _areas_by_order(truth == label, probabilities[:, label], counts)
        few = np.flatnonzero(sizes <= _FEW)
        part = np.cumsum(sizes[few]) // max(_FEW, _COMPARED // max(1, len(truth)))
        for places in np.split(few, np.flatnonzero(np.diff(part)) + 1):
            if len(places):
                areas[:, :, places] = _areas_by_pairs(truth, probabilities, counts, np.array(labels)[places])
    return areas


def _areas_by_pairs(truth: Codes, probabilities: Floats, counts: Floats, labels: Codes) -> Floats:
    """Areas of labels of few rows, (2, resamples, labels), `labels` rising: each such row compared with every row.

    In float32, which holds whole numbers exactly up to 16 million, more than there are rows.
    """
    rows = np.flatnonzero(np.isin(truth, labels))
    rows = rows[np.argsort(truth[rows], kind="stable")]
    own = truth[rows]
    scores, bars = probabilities[:, own], probabilities[rows, own]
    ranked = np.stack([scores > bars, scores >= bars]).astype(np.float32)
    same = own[:, None] == own
    weights = counts.astype(np.float32)
    found = counts[:, rows]
    rows_ranked = (weights @ ranked).astype(np.float64)
    found_ranked = (weights[:, rows] @ (ranked[:, rows] * same)).astype(np.float64)
    starts = np.flatnonzero(np.diff(own, prepend=-1))
    positives = np.add.reduceat(found, starts, axis=1)
    negatives = counts.sum(axis=1, keepdims=True) - positives
    won, precision = _won_and_precise(found, rows_ranked, found_ranked, negatives[:, np.searchsorted(labels, own)])
    wins, precisions = (np.add.reduceat(each, starts, axis=1) for each in (won, precision))
    return np.stack([wins / (positives * negatives), precisions / positives])


def _areas_by_order(positive: NDArray[np.bool_], scores: Floats, counts: Floats) -> Floats:
    """Areas of one label, shape (2, resamples): sums in the order of the scores.

    Rows of one score form a group, since nothing can rank them; only groups that hold a positive row are looked at.
    """
    order = np.argsort(-scores, kind="stable")
    hits = positive[order]
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    ends = np.append(starts[1:], len(order))
    found_until = np.append(0, np.cumsum(hits))
    held = found_until[ends] > found_until[starts]
    places = np.stack([starts[held], ends[held]])
    drawn = counts.take(order, axis=1)
    rows_ranked = _sums_until(drawn, places)
    found_ranked = _sums_until(drawn[:, hits], found_until[places])
    positives = found_ranked[1][:, -1]
    negatives = counts.sum(axis=1) - positives
    found = found_ranked[1] - found_ranked[0]
    won, precision = _won_and_precise(found, rows_ranked, found_ranked, negatives[:, None])
    return np.stack([won.sum(axis=1) / (positives * negatives), precision.sum(axis=1) / positives])


def _won_and_precise(
    found: Floats, rows_ranked: Floats, found_ranked: Floats, negatives: Floats
) -> tuple[Floats, Floats]:
    """Pairs won against negative rows, and precision, of positive rows or groups of them: each (resamples, groups).

    `found` (resamples, groups) counts a group's positive rows; `rows_ranked` and `found_ranked`, each
    (2, resamples, groups), count all rows and the positive ones that rank above it, and above or level.
    """
    above = (rows_ranked - found_ranked).sum(axis=0) / 2
    precision = np.divide(found_ranked[1], rows_ranked[1], out=np.zeros_like(found), where=rows_ranked[1] > 0)
    return found * (negatives - above), found * precision


def _sums_until(weights: Floats, places: Codes) -> Floats:
    """The sum of each line of `weights` up to each place: shapes (lines, columns), (k, places) → (k, lines, places)."""
    edges = np.unique(np.append(places, 0))
    inner = edges[edges < weights.shape[1]]
    sums = np.zeros((len(weights), len(inner) + 1))
    np.cumsum(np.add.reduceat(weights, inner, axis=1), axis=1, out=sums[:, 1:])
    return np.stack([sums.take(np.searchsorted(edges, line), axis=1) for line in places])

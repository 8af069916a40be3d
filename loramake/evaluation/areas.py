"""Areas under the ROC and the precision-recall curve, for one set of rows and for many resamples at once.

Time and memory grow with labels times rows and with resamples times labels, never with the square of the labels.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sklearn_metrics

from loramake.arrays import Codes, Floats

_FEW = 30
"""For labels with up to this many rows, comparing each with every row is faster than sorting and summing."""

_COMPARED = 2_000_000
"""Pairs of rows compared at once."""

MANY_LABELS = 20
"""With more labels, the areas are computed as those of one resample (the same values): scikit-learn takes 7 ms each."""


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
    """One-vs-rest ROC-AUC (a tie is half a win) and average precision, shape (2, resamples, len(labels)).

    `counts` (resamples, rows) is how often each resample contains a row; NaN where a label has no row in it, or all.
    """
    areas = np.empty((2, len(counts), len(labels)))
    sizes = np.bincount(truth, minlength=probabilities.shape[1])[labels]
    with np.errstate(divide="ignore", invalid="ignore"):
        for index in np.flatnonzero(sizes > _FEW):
            label = labels[index]
            areas[:, :, index] = _areas_by_order(truth == label, probabilities[:, label], counts)
        few = np.flatnonzero(sizes <= _FEW)
        part = np.cumsum(sizes[few]) // max(_FEW, _COMPARED // max(1, len(truth)))
        for indices in np.split(few, np.flatnonzero(np.diff(part)) + 1):
            if len(indices):
                areas[:, :, indices] = _areas_by_pairs(truth, probabilities, counts, np.array(labels)[indices])
    return areas


def _areas_by_pairs(truth: Codes, probabilities: Floats, counts: Floats, labels: Codes) -> Floats:
    """Areas of labels with few rows, (2, resamples, labels), `labels` ascending: compares each row with every row.

    In float32, which represents integers exactly up to 16 million, more than there are rows.
    """
    rows = np.flatnonzero(np.isin(truth, labels))
    rows = rows[np.argsort(truth[rows], kind="stable")]
    codes = truth[rows]
    scores, bars = probabilities[:, codes], probabilities[rows, codes]
    ranked = np.stack([scores > bars, scores >= bars]).astype(np.float32)
    same = codes[:, None] == codes
    weights = counts.astype(np.float32)
    positive_counts = counts[:, rows]
    rows_ranked = (weights @ ranked).astype(np.float64)
    positives_ranked = (weights[:, rows] @ (ranked[:, rows] * same)).astype(np.float64)
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    positives = np.add.reduceat(positive_counts, starts, axis=1)
    negatives = counts.sum(axis=1, keepdims=True) - positives
    won, precision = _won_and_precise(
        positive_counts, rows_ranked, positives_ranked, negatives[:, np.searchsorted(labels, codes)]
    )
    wins, precisions = (np.add.reduceat(values, starts, axis=1) for values in (won, precision))
    return np.stack([wins / (positives * negatives), precisions / positives])


def _areas_by_order(positive: NDArray[np.bool_], scores: Floats, counts: Floats) -> Floats:
    """Areas of one label, shape (2, resamples): sums in the order of the scores.

    Rows of equal score form a group, since they cannot be ranked; only groups with a positive row are used.
    """
    order = np.argsort(-scores, kind="stable")
    hits = positive[order]
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    ends = np.append(starts[1:], len(order))
    positives_until = np.append(0, np.cumsum(hits))
    relevant = positives_until[ends] > positives_until[starts]
    edges = np.stack([starts[relevant], ends[relevant]])
    drawn = counts.take(order, axis=1)
    rows_ranked = _sums_until(drawn, edges)
    positives_ranked = _sums_until(drawn[:, hits], positives_until[edges])
    positives = positives_ranked[1][:, -1]
    negatives = counts.sum(axis=1) - positives
    positive_counts = positives_ranked[1] - positives_ranked[0]
    won, precision = _won_and_precise(positive_counts, rows_ranked, positives_ranked, negatives[:, None])
    return np.stack([won.sum(axis=1) / (positives * negatives), precision.sum(axis=1) / positives])


def _won_and_precise(
    positives: Floats, rows_ranked: Floats, positives_ranked: Floats, negatives: Floats
) -> tuple[Floats, Floats]:
    """Pairs won against negative rows, and precision, for positive rows or groups of them: each (resamples, groups).

    `positives` (resamples, groups) counts a group's positive rows; `rows_ranked` and `positives_ranked`, each
    (2, resamples, groups), count all rows and the positive ones that rank above it, and above or tied.
    """
    above = (rows_ranked - positives_ranked).sum(axis=0) / 2
    precision = np.divide(positives_ranked[1], rows_ranked[1], out=np.zeros_like(positives), where=rows_ranked[1] > 0)
    return positives * (negatives - above), positives * precision


def _sums_until(weights: Floats, positions: Codes) -> Floats:
    """Sums of each row of `weights` up to each position: (rows, columns), (k, positions) → (k, rows, positions)."""
    edges = np.unique(np.append(positions, 0))
    inner = edges[edges < weights.shape[1]]
    sums = np.zeros((len(weights), len(inner) + 1))
    np.cumsum(np.add.reduceat(weights, inner, axis=1), axis=1, out=sums[:, 1:])
    return np.stack([sums.take(np.searchsorted(edges, line), axis=1) for line in positions])

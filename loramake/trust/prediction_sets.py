"""Prediction sets from arrays, which contain the true label as often as configured (split conformal prediction).

from loramake.trust import ConformalPredictor
sets = ConformalPredictor("aps", 0.9).fit(probabilities, truth).predict(new_probabilities)

A label is in a row's set where its nonconformity score is at most the ⌈(n+1)·confidence⌉-th smallest score of the true
labels of n calibration rows (Vovk, Gammerman and Shafer 2005; Papadopoulos et al. 2002). Where new rows are
exchangeable with those, the true label is in the set with a probability of at least confidence, and of
⌈(n+1)·confidence⌉/(n+1) where no two scores are equal. With too few rows, that rank exceeds n: the set contains all
labels.

- lac: 1 - P(label) (Sadinle, Lei and Wasserman 2019): the smallest sets on average.
- aps: the probability of all labels that are more probable, and a random share of the label's own (Romano, Sesia and
  Candès 2020): sets that grow with the uncertainty about a row.
- raps: aps, and a penalty on labels far down the row's ranking (Angelopoulos, Bates, Malik and Jordan 2021).
- class_conditional: lac, with a quantile for each label from its own calibration rows (Vovk 2012, Mondrian): the
  guarantee holds for every label, rare ones included.

The formulas are implemented here because MAPIE draws APS's random share by a row's position in the batch and refuses
two labels and fewer than 1/(1 - confidence) rows, and crepes compares cell by cell in Python; tests compare with both.
"""

import math
from collections.abc import Iterator
from typing import Self, get_args

import numpy as np
from numpy.typing import ArrayLike

from loramake.arrays import Codes, Floats, Mask, check_probabilities, check_share, check_truth
from loramake.artifact_types.trust import ConformalMethod
from loramake.errors import ConfigError, DataError

METHODS: tuple[ConformalMethod, ...] = get_args(ConformalMethod)
PENALTY = 0.1
FREE_LABELS = 1
"""RAPS's λ and k, fixed beforehand: rows used to choose them could not be used for the quantile."""

_CELLS = 200_000
"""Scores computed at once: few enough to stay in the processor's cache."""

Sets = Mask
"""Whether a label is in a row's set, shape (rows, labels)."""


class ConformalPredictor:
    """Sets of labels that contain the true one of new rows as often as configured, in scikit-learn's manner.

    The guarantee: the true label of a new row is in its set with a probability of at least `conformal_confidence`, on
    average over the rows it is fitted on. It needs rows that neither the model nor its calibrator was fitted on, and
    new rows that are exchangeable with those; with class_conditional, it holds for each label by itself.
    """

    labels_: int
    """The number of labels."""
    scores_: tuple[Floats, ...]
    """Scores of the true labels of the calibration rows, ascending: of all rows, or by label if class-conditional."""

    def __init__(self, method: ConformalMethod = "lac", conformal_confidence: float = 0.9) -> None:
        """ConfigError unless the method is one of METHODS."""
        if method not in METHODS:
            raise ConfigError(f"{method!r} is not a conformal method: choose {', '.join(METHODS)}.")
        self.method, self.conformal_confidence = method, conformal_confidence

    def fit(self, probabilities: ArrayLike, truth: ArrayLike) -> Self:
        """Keep the scores of rows whose label is known.

        `probabilities` have shape (rows, labels), and `truth` (rows,) are indices of columns; DataError for anything
        else.
        """
        checked = check_probabilities(probabilities)
        codes = check_truth(truth, checked)
        self.labels_ = checked.shape[1]
        scores = score_labels(self.method, checked)[np.arange(len(codes)), codes]
        self.scores_ = (
            (np.sort(scores),) if self.method != "class_conditional" else _by_label(scores, codes, self.labels_)
        )
        return self

    def predict(self, probabilities: ArrayLike, conformal_confidence: float | None = None) -> Sets:
        """The set of each row of `probabilities` (rows, labels); it depends on nothing but that row's probabilities.

        `conformal_confidence` defaults to the fitted one; ConfigError where it is not between 0 and 1, DataError where
        the labels are not as many as in `fit`.
        """
        limits = self.quantiles(self.conformal_confidence if conformal_confidence is None else conformal_confidence)
        checked = check_probabilities(probabilities)
        if checked.shape[1] != self.labels_:
            raise DataError(f"the probabilities have {checked.shape[1]} columns but {self.labels_} labels were fitted.")
        return is_inside(score_labels(self.method, checked), limits)

    def quantiles(self, conformal_confidence: float) -> Floats:
        """The highest score in a set, by label, shape (labels,); infinite with too few calibration rows."""
        if not hasattr(self, "scores_"):
            raise ConfigError("this ConformalPredictor has no calibration rows yet: call fit first.")
        confidence = check_share(conformal_confidence, "conformal_confidence")
        quantiles = np.array([_quantile(scores, confidence) for scores in self.scores_])
        return np.broadcast_to(quantiles, self.labels_)


def _by_label(scores: Floats, codes: Codes, labels: int) -> tuple[Floats, ...]:
    """The scores of the rows of each label, ascending."""
    order = np.lexsort((scores, codes))
    return tuple(np.split(scores[order], np.cumsum(np.bincount(codes, minlength=labels))[:-1]))


def score_labels(method: str, probabilities: Floats) -> Floats:
    """The nonconformity score of each label for each row, by one of METHODS: shape (rows, labels)."""
    if method in ("lac", "class_conditional"):
        return 1 - probabilities
    penalty = PENALTY if method == "raps" else 0.0
    scores = np.empty_like(probabilities)
    for block in blocks_of(probabilities):
        scores[block] = _cumulated(probabilities[block], row_shares(probabilities[block]), penalty, FREE_LABELS)
    return scores


def is_inside(scores: Floats, limits: Floats) -> Sets:
    """Which labels a set contains: those whose score (rows, labels) is at most their label's limit (labels,)."""
    return scores <= limits


def row_shares(probabilities: Floats) -> Floats:
    """A number from 0 to 1 for each row, shape (rows,), in place of the random one of APS and RAPS.

    It is a hash (SplitMix64, Steele, Lea and Flood 2014) of how much more probable the row's first label is than its
    second, in steps of 0.1%: the same row gets the same set in every batch, whatever the order of the labels, and
    mostly also where another batch size or machine changes the last digits of its probabilities.

    The coverage guarantee still holds, since it only requires a score to be the same function of every row. The price
    is that rows of the same step share their number; with few distinct rows, scores can be equal, and the true label
    is then in the set more often than guaranteed.
    """
    first, second = -np.partition(-probabilities, 1, axis=1)[:, :2].T
    with np.errstate(divide="ignore"):
        odds = np.ascontiguousarray(first / second)
    state = (odds.view(np.uint64) >> np.uint64(42)) + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _cumulated(probabilities: Floats, shares: Floats, penalty: float, free: int) -> Floats:
    """Scores of APS and RAPS. Labels of equal probability cannot be ranked: they are summed and share a score."""
    order = np.argsort(-probabilities, axis=1)
    ranked = np.take_along_axis(probabilities, order, axis=1)
    until = np.cumsum(ranked, axis=1)
    labels = probabilities.shape[1]
    ranks = np.arange(labels)
    steps = ranked[:, 1:] != ranked[:, :-1]
    edge = np.ones((len(ranked), 1), dtype=np.bool_)
    last = np.where(np.hstack([steps, edge]), ranks, labels - 1)
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    first = np.maximum.accumulate(np.where(np.hstack([edge, steps]), ranks, 0), axis=1)
    above = np.where(first > 0, np.take_along_axis(until, np.maximum(first - 1, 0), axis=1), 0.0)
    below = np.take_along_axis(until, last, axis=1)
    scores = np.empty_like(probabilities)
    values = above + shares[:, None] * (below - above) + penalty * np.maximum(last + 1 - free, 0)
    np.put_along_axis(scores, order, values, axis=1)
    return scores


def rank_of(rows: int, confidence: float) -> int:
    """⌈(rows+1)·confidence⌉, without one too many where floats overshoot a whole number (100 · 0.55)."""
    return math.ceil(round((rows + 1) * confidence, 9))


def guarantee_of(rows: int, confidence: float) -> float:
    """The probability that the true label of a new row is in its set; exact where no two scores are equal."""
    return rank_of(rows, confidence) / (rows + 1)


def rows_needed(confidence: float) -> int:
    """The fewest calibration rows with which a set need not contain all labels."""
    return math.ceil(round(confidence / (1 - confidence), 9))


def _quantile(scores: Floats, confidence: float) -> float:
    rank = rank_of(len(scores), confidence)
    return float(scores[rank - 1]) if rank <= len(scores) else math.inf


def blocks_of(matrix: Floats) -> Iterator[slice]:
    """The rows of a matrix in blocks of at most _CELLS numbers."""
    size = max(1, _CELLS // max(1, matrix.shape[1]))
    return (slice(start, start + size) for start in range(0, len(matrix), size))

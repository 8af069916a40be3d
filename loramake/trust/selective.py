"""When to abstain, from arrays: a threshold that bounds the share of answers that are incorrect.

from loramake.trust import RiskController
controller = RiskController(max_selective_error=0.05).fit(probabilities, truth)
controller.predict(new_probabilities)  # -1: leave it to a person

A row is answered where the probability of its label reaches the threshold, which is found by
Learn-then-Test (Angelopoulos et al. 2021, "Learn then Test", section 3): thresholds are tested one by one, the
strictest first, until one fails, each against "more than r of these answers are incorrect" with an exact binomial
p-value at level δ. Fixed-sequence testing spends δ once, not once per threshold.

Why that is valid in finite samples, although the thresholds are the calibration rows' own probabilities:
- How many rows a fixed threshold answers is random, but given that number their errors are binomial.
- The sequence begins with the fewest rows that can pass, which r and δ fix (`rows_needed`); nothing is searched for.
- Suppose that the share incorrect among the answers does not rise with the threshold. Let U be the rows above the fixed
  threshold at which it reaches r, and N the calibration rows in U. Where N is at least `rows_needed`, the first test
  that should not pass is that of exactly U, whose errors are binomial given N. Where N is less, the very first test
  should not pass; given N, its rows in U are incorrect with probability r and its other rows with more. Either way it
  passes with probability at most δ, and a sequence that stops there is valid.
- Where more confident answers are incorrect more often than others, this argument has a gap. benchmarks/risk.py
  searches for populations that exploit it, and finds none that exceeds δ.
A fixed sequence of thresholds, as in MAPIE's controllers, needs no such assumption, but it needs a first threshold:
often too few rows reach it, or, with overconfident probabilities, nearly all.
"""

import math
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, betaincinv

from loramake.arrays import Codes, Floats, Mask, check_codes, check_probabilities, check_share, check_truth
from loramake.errors import ConfigError

ABSTAIN = -1
"""The code of asking a person."""

_ROUNDING = 1e-12
"""Tolerance for a p-value that equals δ."""


class RiskController:
    """Answers rows so that at most `max_selective_error` of the answers are incorrect, in scikit-learn's manner.

    The guarantee: with a probability of at least `selective_error_confidence` over the draw of the n rows it is fitted
    on, at most a share `max_selective_error` of the answers on new rows is incorrect. It needs rows that neither the
    model nor its calibrator was fitted on, that new rows are exchangeable with those, and that more confident answers
    are not incorrect more often. Where these rows cannot show it, every row is abstained from.
    """

    threshold_: float | None
    """The least probability of an answered label; 0 where every row is answered, None where none is."""

    def __init__(self, max_selective_error: float = 0.1, selective_error_confidence: float = 0.9) -> None:
        """ConfigError unless both lie between 0 and 1."""
        for name, share in (
            ("max_selective_error", max_selective_error),
            ("selective_error_confidence", selective_error_confidence),
        ):
            check_share(share, name)
        self.max_selective_error, self.selective_error_confidence = max_selective_error, selective_error_confidence

    def fit(self, probabilities: ArrayLike, truth: ArrayLike, decisions: ArrayLike | None = None) -> Self:
        """Find the threshold on rows whose label is known.

        `probabilities` have shape (rows, labels), `truth` (rows,) are indices of columns, and so are `decisions`
        (rows,), or ABSTAIN; by default, the most probable labels are decided. DataError for other shapes or values.
        """
        checked = check_probabilities(probabilities)
        ranked = rank_answers(checked, check_truth(truth, checked), _decided(decisions, checked))
        self.threshold_ = find_threshold(ranked, self.max_selective_error, self.selective_error_confidence)
        return self

    def predict(self, probabilities: ArrayLike, decisions: ArrayLike | None = None) -> Codes:
        """The decision about each row, or ABSTAIN, shape (rows,); `decisions` as for `fit`."""
        if not hasattr(self, "threshold_"):
            raise ConfigError("this RiskController has no threshold yet: call fit first.")
        checked = check_probabilities(probabilities)
        codes = _decided(decisions, checked)
        return np.where(is_below(self.threshold_, certainty_of(checked, codes)), ABSTAIN, codes)


def _decided(decisions: ArrayLike | None, probabilities: Floats) -> Codes:
    if decisions is None:
        return np.asarray(probabilities.argmax(axis=1), dtype=np.int64)
    return check_codes(decisions, probabilities, "decisions", least=ABSTAIN)


class Ranked(NamedTuple):
    """Rows with a decided label, by descending probability of that label; rows of equal probability form a group."""

    rows: int
    """All rows, including those for which no label is decided."""

    thresholds: Floats
    """Probability of each group, descending, shape (groups,)."""
    answered: Codes
    """Rows with at least this probability, shape (groups,)."""
    wrong: Codes
    """Of these, those whose decided label is not the true one, shape (groups,)."""

    @property
    def decided(self) -> int:
        return int(self.answered[-1]) if len(self.answered) else 0


def certainty_of(probabilities: Floats, codes: Codes) -> Floats:
    """P(label) of each row's decided label, shape (rows,); 0 where none is decided. `probabilities`: (rows, labels)."""
    probability: Floats = probabilities[np.arange(len(codes)), codes]
    return np.where(codes == ABSTAIN, 0.0, probability)


def is_below(threshold: float | None, top_probability: Floats) -> Mask:
    """Whether rows are left unanswered at a threshold, shape (rows,); all are without one."""
    if threshold is None:
        return np.ones(len(top_probability), dtype=np.bool_)
    return np.asarray(top_probability < threshold)


def rank_answers(probabilities: Floats, truth: Codes, codes: Codes) -> Ranked:
    """The rows that each threshold answers, and how many of them are wrong; `codes` (rows,) are the decisions."""
    decided = np.flatnonzero(codes != ABSTAIN)
    top_probability = certainty_of(probabilities, codes)[decided]
    wrong = (codes != truth)[decided]
    order, ends = order_by_probability(top_probability)
    return Ranked(len(codes), top_probability[order][ends], (ends + 1).astype(np.int64), np.cumsum(wrong[order])[ends])


def order_by_probability(top_probability: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows by descending top_probability (rows,), and where in this order each group of ties ends."""
    order = np.argsort(-top_probability, kind="stable")
    return order, np.flatnonzero(np.diff(top_probability[order], append=-np.inf))


def rows_needed(max_selective_error: float, confidence: float) -> int:
    """The fewest calibration rows that suffice if none is wrong: (1 - max_selective_error)^rows <= δ."""
    return max(1, math.ceil(math.log(1 - confidence) / math.log1p(-max_selective_error) - _ROUNDING))


def find_threshold(ranked: Ranked, max_selective_error: float, confidence: float) -> float | None:
    """The loosest threshold whose answers are wrong in at most `max_selective_error` of cases, with this confidence.

    None where there is none. Midway between the last answered probability and the next, since no calibration row lies
    between them; 0 where every row is answered.
    """
    start = int(np.searchsorted(ranked.answered, rows_needed(max_selective_error, confidence)))
    p_values = bdtr(ranked.wrong[start:], ranked.answered[start:], max_selective_error)
    failed = np.flatnonzero(p_values > 1 - confidence + _ROUNDING)
    last = start + (failed[0] if len(failed) else len(p_values)) - 1
    if last < start:
        return None
    if last == len(ranked.answered) - 1:
        return 0.0
    answered, next_one = ranked.thresholds[last : last + 2].tolist()
    middle: float = (answered + next_one) / 2
    return middle if middle > next_one else float(answered)


def count_answers(ranked: Ranked, threshold: float | None) -> tuple[int, int]:
    """How many rows are answered at a threshold, and how many of these are wrong."""
    groups = 0 if threshold is None else int(np.searchsorted(-ranked.thresholds, -threshold, side="right"))
    return (int(ranked.answered[groups - 1]), int(ranked.wrong[groups - 1])) if groups else (0, 0)


def bound_wrong(answered: int, wrong: int, confidence: float) -> float | None:
    """The share of such answers that is incorrect, at most, with this confidence; None without any.

    One-sided and exact (Clopper and Pearson 1934), so a threshold passes the test where this is at most
    `max_selective_error`.
    """
    if not answered:
        return None
    return 1.0 if wrong == answered else float(betaincinv(wrong + 1, answered - wrong, confidence))

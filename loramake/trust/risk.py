"""When to abstain, so that no larger share of the answers is incorrect than configured.

A row is answered where the probability of its label reaches a threshold: of the label that costs decide where costs
are set, else of the most probable one. Rows that costs leave to a person are not answers. selective.py finds the
threshold.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from loramake import artifacts, schemas
from loramake.arrays import Codes, Floats
from loramake.artifact_types.shared import Estimate
from loramake.artifact_types.trust import CurvePoint, MeasuredLevel, RankingMeasures, Risk, RiskLevel
from loramake.console import Advance, progress, say
from loramake.evaluation.intervals import CONFIDENCE, RESAMPLES, UNDEFINED, draw_counts, estimate
from loramake.prediction.predictions import Scored, read_scored
from loramake.tasks import read_task
from loramake.trust.cost_matrix import decide, read_costs
from loramake.trust.selective import (
    Ranked,
    bound_wrong,
    count_answers,
    find_threshold,
    is_below,
    order_by_probability,
    rank_answers,
    rows_needed,
)
from loramake.trust.sentences.risk import summarize_chosen, summarize_level, summarize_without_level

LEVELS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Values of max_selective_error that are always evaluated."""
COVERAGES = (0.7, 0.8, 0.9)
"""Shares of rows for which accuracy is reported."""
MAX_POINTS = 200
"""Of a curve."""


def control_risk(
    task: str | Path,
    held_out: str | Path,
    test: str | Path,
    max_selective_error: float | None,
    selective_error_confidence: float,
    costs: Mapping[Any, Any] | None,
    abstain_cost: float | None,
    seed: int,
    out: str | Path,
) -> None:
    """Write risk.json: the threshold for `max_selective_error`, those for others, and the risk–coverage curve on test.

    `held_out` are calibrated predictions of rows that the calibrator was not fitted on; `costs` and `abstain_cost` are
    the settings, which determine what an answer is.
    """
    labels = read_task(task).labels
    calibration, tested = read_scored(held_out, labels), read_scored(test, labels)
    matrix = read_costs(costs, abstain_cost, labels, "config.yaml")
    ranked, ranked_test = (rank(scored, decide(matrix, scored.probabilities).codes) for scored in (calibration, tested))
    confidence = selective_error_confidence
    chosen = None if max_selective_error is None else find_level(ranked, ranked_test, max_selective_error, confidence)
    with progress("risk and coverage, resamples") as advance:
        measured = measure_ranking(tested, seed, advance)
    sentence = _without_level(ranked_test) if chosen is None else summarize_chosen(chosen)
    risk: Risk = {
        "rows": {"calibration": len(calibration.truth), "test": len(tested.truth)},
        "selective_error_confidence": confidence,
        "interval_confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        "decided_by": "cost" if matrix["configured"] else "probability",
        "chosen": chosen,
        "levels": [find_level(ranked, ranked_test, level, confidence) for level in LEVELS],
        "levels_sentence": "Each threshold's guarantee holds on its own, not for all thresholds together.",
        "test": {**measured, "curve": find_curve(rank(tested))},
        "sentence": sentence,
    }
    artifacts.write(out, risk, schemas.RISK)
    say(sentence)


def abstains(risk: Risk, top_probability: Floats) -> NDArray[np.bool_]:
    """Whether rows are left unanswered, shape (rows,), given the calibrated probability of their decided label.

    None is where max_selective_error is not set; all are where it is not achievable.
    """
    chosen = risk["chosen"]
    if chosen is None:
        return np.zeros(len(top_probability), dtype=np.bool_)
    return is_below(chosen["threshold"], top_probability)


def rank(scored: Scored, codes: Codes | None = None) -> Ranked:
    """`rank_answers` of rows; `codes` (rows,) are the decisions, by default the most probable labels."""
    decided = scored.probabilities.argmax(axis=1) if codes is None else codes
    return rank_answers(scored.probabilities, scored.truth, decided)


def find_level(ranked: Ranked, ranked_test: Ranked, max_selective_error: float, confidence: float) -> RiskLevel:
    """The result of one value of max_selective_error, as in risk.json."""
    threshold = find_threshold(ranked, max_selective_error, confidence)
    needed = rows_needed(max_selective_error, confidence)
    answered, wrong = count_answers(ranked_test, threshold)
    fitted_answered, fitted_wrong = _tested(ranked, threshold, needed)
    rows = ranked_test.rows
    level: MeasuredLevel = {
        "max_selective_error": max_selective_error,
        "selective_error_confidence": confidence,
        "achievable": threshold is not None,
        "threshold": threshold,
        "rows_needed": needed,
        "calibration": {
            "answered": fitted_answered,
            "wrong": fitted_wrong,
            "wrong_at_most": bound_wrong(fitted_answered, fitted_wrong, confidence),
        },
        "test": {
            "answered": answered,
            "wrong": wrong,
            "coverage": answered / rows if rows else None,
            "selective_error": share_wrong(answered, wrong),
        },
    }
    return {**level, "sentence": summarize_level(level, ranked.rows, ranked.decided, rows)}


def _without_level(ranked_test: Ranked) -> str:
    answered = ranked_test.decided
    wrong = int(ranked_test.wrong[-1]) if answered else 0
    return summarize_without_level(ranked_test.rows, answered, share_wrong(answered, wrong))


def _tested(ranked: Ranked, threshold: float | None, needed: int) -> tuple[int, int]:
    """Answered and wrong calibration rows at the threshold; without one, those of the first set that was tested."""
    if threshold is not None or not len(ranked.answered):
        return count_answers(ranked, threshold)
    first = min(int(np.searchsorted(ranked.answered, needed)), len(ranked.answered) - 1)
    return int(ranked.answered[first]), int(ranked.wrong[first])


def share_wrong(answered: int, wrong: int) -> Estimate:
    """The share with its Clopper–Pearson interval, which, unlike a bootstrap's, has a width where nothing is wrong."""
    if not answered:
        return UNDEFINED
    low, high = _clopper_pearson(np.array([answered]), np.array([wrong]))
    return {"value": wrong / answered, "low": float(low[0]), "high": float(high[0])}


def _clopper_pearson(answered: Codes, wrong: Codes) -> tuple[Floats, Floats]:
    """Exact interval of a share (Clopper and Pearson 1934), from quantiles of beta distributions; each (shares,)."""
    tail, correct = (1 - CONFIDENCE) / 2, answered - wrong
    low = np.where(wrong > 0, betaincinv(np.maximum(wrong, 1), correct + 1, tail), 0.0)
    high = np.where(correct > 0, betaincinv(wrong + 1, np.maximum(correct, 1), 1 - tail), 1.0)
    return low, high


def find_curve(ranked: Ranked) -> list[CurvePoint]:
    """Share of rows answered and share of these wrong, by descending threshold; at most MAX_POINTS of them."""
    rows = ranked.rows
    targets = np.linspace(0, rows, MAX_POINTS) if rows > MAX_POINTS else ranked.answered
    groups = np.unique(np.searchsorted(ranked.answered, targets))
    answered, wrong = ranked.answered[groups], ranked.wrong[groups]
    columns = (ranked.thresholds[groups], answered / max(1, rows), wrong / answered, *_clopper_pearson(answered, wrong))
    return [
        {"threshold": threshold, "coverage": coverage, "error": error, "low": low, "high": high}
        for threshold, coverage, error, low, high in np.column_stack(columns).tolist()
    ]


def measure_ranking(scored: Scored, seed: int, advance: Advance | None = None) -> RankingMeasures:
    """Error, AURC, excess AURC and accuracy at COVERAGES, with percentile-bootstrap intervals."""
    order, ends = order_by_probability(scored.probabilities.max(axis=1))
    rows = len(order)
    wrong = (scored.probabilities.argmax(axis=1) != scored.truth)[order]
    parts = [_measures(np.ones((1, rows)), wrong, ends)]
    parts += [_measures(counts[:, order], wrong, ends) for counts in draw_counts(rows, seed, advance=advance)]
    measures = np.concatenate(parts)
    error, aurc, excess, *accuracies = (estimate(float(column[0]), column[1:]) for column in measures.T)
    return {
        "error": error,
        "aurc": aurc,
        "excess_aurc": excess,
        "accuracy_at_coverage": [
            {"coverage": coverage, "accuracy": accuracy}
            for coverage, accuracy in zip(COVERAGES, accuracies, strict=True)
        ],
    }


def _measures(counts: Floats, wrong: NDArray[np.bool_], ends: NDArray[np.intp]) -> Floats:
    """Shape (resamples, measures): error, AURC, excess AURC, accuracies; NaN without rows.

    `counts` (resamples, rows) is how often each resample contains a row; its rows, and those of `wrong` (rows,), are in
    the order of `order_by_probability`. `ends` (groups,) are the indices of each group's last row.

    AURC is the mean over rows of the share wrong among rows of at least the same probability (Geifman, Uziel and
    El-Yaniv 2019, "Bias-reduced uncertainty estimation for deep neural classifiers", section 3).
    """
    rows = counts.shape[1]
    if not rows:
        return np.full((len(counts), 3 + len(COVERAGES)), np.nan)
    answered = np.cumsum(counts, axis=1)[:, ends]
    errors = np.cumsum(counts * wrong, axis=1)[:, ends]
    risks = np.divide(errors, answered, out=np.zeros_like(errors), where=answered > 0)
    aurc = (np.diff(answered, axis=1, prepend=0) * risks).sum(axis=1) / rows
    excess = aurc - ideal_aurc(rows)[errors[:, -1].astype(np.int64)]
    return np.column_stack([errors[:, -1] / rows, aurc, excess, _accuracies(answered, errors, rows)])


def ideal_aurc(rows: int) -> Floats:
    """AURC where every correct row ranks before every wrong one, by the number of wrong rows: shape (rows + 1,).

    The j-th of k wrong rows adds j / (rows - k + j), so the sum is k minus rows - k times a sum of reciprocals.
    """
    reciprocals = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, rows + 1))])
    correct = np.arange(rows, -1, -1)
    aurc: Floats = (np.arange(rows + 1) - correct * (reciprocals[-1] - reciprocals[correct])) / rows
    return aurc


def _accuracies(answered: Floats, errors: Floats, rows: int) -> Floats:
    """Accuracy at COVERAGES, shape (resamples, coverages); a group answered only in part counts with its mean."""
    targets = np.array(COVERAGES) * rows
    curves = zip(answered, errors, strict=True)
    wrong = [np.interp(targets, np.append(0.0, counts), np.append(0.0, summed)) for counts, summed in curves]
    accuracies: Floats = 1 - np.array(wrong) / targets
    return accuracies

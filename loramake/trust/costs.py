"""What decisions of least expected cost cost on the test split, compared with simpler policies."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from loramake import artifacts, schemas
from loramake.arrays import Codes, Floats
from loramake.artifact_types.shared import Estimate
from loramake.artifact_types.trust import CalibrationMethod, CostMatrix, Costs, CostsOnTest, Policy, Risk
from loramake.console import say
from loramake.evaluation.intervals import CONFIDENCE, RESAMPLES, draw_counts, estimate
from loramake.evaluation.scores import LORAMAKE, Scores, read_scores
from loramake.evaluation.verdict import outcome_of
from loramake.prediction.predictions import Scored, read_scored
from loramake.tasks import read_task
from loramake.trust.calibration import apply_calibrator, fit_on_half
from loramake.trust.cost_matrix import decide, read_costs
from loramake.trust.decisions import decide_rows
from loramake.trust.selective import ABSTAIN
from loramake.trust.sentences.costs import summarize_costs

MIN_ROWS = 20
"""With fewer test rows no policy is called cheaper: their resamples hardly differ."""


class Policies(NamedTuple):
    """What each policy decides for the test rows: codes of shape (rows,)."""

    loramake: Codes
    """As `loramake predict` decides."""
    without_max_selective_error: Codes | None
    """The same by costs alone; None where max_selective_error is not set."""
    most_probable: Codes
    constant: Codes | None
    perfect: Codes
    baselines: dict[str, Codes]


def decide_by_cost(
    task: str | Path,
    train: str | Path,
    calibration: str | Path,
    test: str | Path,
    baselines: str | Path,
    calibrator: str | Path,
    risk: str | Path,
    costs: Mapping[Any, Any] | None,
    abstain_cost: float | None,
    seed: int,
    out: str | Path,
) -> None:
    """Write costs.json: decisions on the test rows, which have calibrated probabilities, and what they cost.

    `train` are the train split's predictions, of which only the true labels are used; `calibration` are those of the
    calibration split, uncalibrated, on which the baselines are calibrated like loramake.
    """
    labels = read_task(task).labels
    content: Costs = {
        **read_costs(costs, abstain_cost, labels, "config.yaml"),
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        "test": None,
        "sentence": "Each row gets its most probable label: costs is not set.",
    }
    if content["configured"]:
        truth, scores = read_scores(test, baselines, labels, "test")
        method = artifacts.read(calibrator, schemas.CALIBRATOR)["requested"]
        scores = calibrate_baselines(scores, calibration, baselines, labels, method, seed)
        controlled = artifacts.read(risk, schemas.RISK)
        policies = find_policies(content, controlled, scores, read_scored(train, labels).truth, truth)
        measured = compare_costs(content, truth, policies, seed)
        content |= {"test": measured, "sentence": summarize_costs(content, measured, MIN_ROWS)}
    artifacts.write(out, content, schemas.COSTS)
    say(content["sentence"])


def calibrate_baselines(
    test: Scores,
    calibration: str | Path,
    baselines: str | Path,
    labels: list[str],
    requested: CalibrationMethod,
    seed: int,
) -> Scores:
    """Scores of the test rows; the baselines' are calibrated on the same half of the calibration rows as loramake's."""
    keys = read_scored(calibration, labels).keys
    truth, scores = read_scores(calibration, baselines, labels, "calibration")
    calibrated = dict(test)
    for name, probabilities in scores.items():
        if name != LORAMAKE:
            calibrator, _ = fit_on_half(Scored(keys, truth, probabilities), labels, requested, seed)
            calibrated[name] = apply_calibrator(calibrator, test[name])
    return calibrated


def find_policies(costs: CostMatrix, risk: Risk, scores: Scores, train: Codes, truth: Codes) -> Policies:
    """What each policy decides for the test rows, whose labels are `truth`; `train` are the labels of train rows."""
    count = len(costs["labels"])
    constant = None
    if len(train):
        frequencies = np.bincount(train, minlength=count)[None, :] / len(train)
        constant = np.repeat(decide(costs, frequencies).codes, len(truth))
    return Policies(
        loramake=decide_rows(costs, risk, scores[LORAMAKE]).codes,
        without_max_selective_error=None if risk["chosen"] is None else decide(costs, scores[LORAMAKE]).codes,
        most_probable=scores[LORAMAKE].argmax(axis=1),
        constant=constant,
        perfect=decide(costs, np.eye(count)).codes[truth],
        baselines={name: decide(costs, probs).codes for name, probs in scores.items() if name != LORAMAKE},
    )


def compare_costs(costs: CostMatrix, truth: Codes, policies: Policies, seed: int) -> CostsOnTest:
    """`test` of costs.json: what every policy costs, with bootstrap intervals from the same resamples."""
    ours = {name: codes for name, codes in policies._asdict().items() if name != "baselines" and codes is not None}
    decisions = [*ours.values(), *policies.baselines.values()]
    paid = np.column_stack([pay(costs, truth, codes) for codes in decisions])
    means, resampled = _means(paid, seed)
    measured = [
        _describe(codes, costs["labels"], estimate(float(mean), column), float(total))
        for codes, mean, column, total in zip(decisions, means, resampled.T, paid.sum(axis=0), strict=True)
    ]
    names = list(policies.baselines)
    our_means, baseline_means = means[: len(ours)], means[len(ours) :]
    best = int(np.argmin(baseline_means))
    # Where max_selective_error is set, loramake is compared without it, since it does not apply to baselines.
    alone = list(ours).index("without_max_selective_error" if "without_max_selective_error" in ours else "loramake")
    paired = resampled[:, alone] - resampled[:, len(ours) + best]
    difference = estimate(float(our_means[alone] - baseline_means[best]), paired)
    described = dict(zip(ours, measured, strict=False))
    return {
        "rows": len(truth),
        "without_max_selective_error": described.get("without_max_selective_error"),
        "constant": described.get("constant"),
        "loramake": described["loramake"],
        "most_probable": described["most_probable"],
        "perfect": described["perfect"],
        "baselines": dict(zip(names, measured[len(ours) :], strict=True)),
        "difference": {
            "baseline": names[best] if len(truth) else None,
            **difference,
            "outcome": outcome_of(difference, sign=-1) if len(truth) >= MIN_ROWS else None,
        },
    }


def pay(costs: CostMatrix, truth: Codes, codes: Codes) -> Floats:
    """What decisions cost given the true labels, shape (rows,)."""
    # ABSTAIN is -1, the last column.
    abstaining = np.full((len(costs["labels"]), 1), np.nan if costs["abstain_cost"] is None else costs["abstain_cost"])
    paid: Floats = np.hstack([np.array(costs["matrix"]), abstaining])[truth, codes]
    return paid


def _means(paid: Floats, seed: int) -> tuple[Floats, Floats]:
    """Mean of each column, shape (policies,), and of each resample, (resamples, policies); NaN without rows."""
    if not len(paid):
        return np.full(paid.shape[1], np.nan), np.full((RESAMPLES, paid.shape[1]), np.nan)
    resampled = np.concatenate([counts @ paid for counts in draw_counts(len(paid), seed)]) / len(paid)
    return paid.mean(axis=0), resampled


def _describe(codes: Codes, labels: list[str], per_row: Estimate, total: float) -> Policy:
    rows = np.bincount(codes[codes != ABSTAIN], minlength=len(labels)).tolist()
    return {
        "per_row": per_row,
        "total": total,
        "decisions": dict(zip(labels, rows, strict=True)),
        "abstentions": int((codes == ABSTAIN).sum()),
    }

"""What decisions of least expected cost cost on the test split, beside simpler ways to decide."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from loramake import artifacts, schemas
from loramake.artifact_types.shared import Estimate
from loramake.artifact_types.trust import CalibrationMethod, CostMatrix, Costs, CostsOnTest, Policy, Risk
from loramake.console import say
from loramake.evaluation.intervals import CONFIDENCE, RESAMPLES, draw_counts, estimate
from loramake.evaluation.scores import LORAMAKE, Scores, read_scores
from loramake.evaluation.verdict import outcome_of
from loramake.prediction.predictions import Codes, Floats, Scored, read_scored
from loramake.tasks import read_task
from loramake.trust.calibration import apply_calibrator, fit_on_half
from loramake.trust.cost_matrix import ABSTAIN, decide, read_costs
from loramake.trust.decisions import decide_rows
from loramake.trust.sentences.costs import summarize_costs

MIN_ROWS = 20
"""Of fewer test rows it is not said which way is cheaper: their resamples hardly differ."""


class Policies(NamedTuple):
    """What each way to decide decides for the test rows: codes of shape (rows,)."""

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

    `train` holds the train split's predictions, of which only the true labels are looked at; `calibration` those of
    the calibration split as they were predicted, on which the baselines are calibrated like loramake.
    """
    labels = read_task(task).labels
    found: Costs = {
        **read_costs(costs, abstain_cost, labels, "config.yaml"),
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        "test": None,
        "sentence": "No costs are set (costs), so each row is decided for its most probable label.",
    }
    if found["configured"]:
        truth, scores = read_scores(test, baselines, labels, "test")
        method = artifacts.read(calibrator, schemas.CALIBRATOR)["asked"]
        scores = calibrate_baselines(scores, calibration, baselines, labels, method, seed)
        controlled = artifacts.read(risk, schemas.RISK)
        policies = find_policies(found, controlled, scores, read_scored(train, labels).truth, truth)
        measured = compare_costs(found, truth, policies, seed)
        found |= {"test": measured, "sentence": summarize_costs(found, measured, MIN_ROWS)}
    artifacts.write(out, found, schemas.COSTS)
    say(found["sentence"])


def calibrate_baselines(
    test: Scores, calibration: str | Path, baselines: str | Path, labels: list[str], asked: CalibrationMethod, seed: int
) -> Scores:
    """Scores of the test rows, the baselines' calibrated on the same half of the calibration rows as loramake's."""
    keys = read_scored(calibration, labels).keys
    truth, scores = read_scores(calibration, baselines, labels, "calibration")
    calibrated = dict(test)
    for name, probabilities in scores.items():
        if name != LORAMAKE:
            calibrator, _ = fit_on_half(Scored(keys, truth, probabilities), labels, asked, seed)
            calibrated[name] = apply_calibrator(calibrator, test[name])
    return calibrated


def find_policies(costs: CostMatrix, risk: Risk, scores: Scores, train: Codes, truth: Codes) -> Policies:
    """What each way to decide decides for the test rows, whose labels are `truth`; `train` are those of train rows."""
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
        baselines={name: decide(costs, found).codes for name, found in scores.items() if name != LORAMAKE},
    )


def compare_costs(costs: CostMatrix, truth: Codes, policies: Policies, seed: int) -> CostsOnTest:
    """`test` of costs.json: what every way to decide costs, with bootstrap intervals of the same resamples."""
    own = {name: codes for name, codes in policies._asdict().items() if name != "baselines" and codes is not None}
    ways = [*own.values(), *policies.baselines.values()]
    paid = np.column_stack([pay(costs, truth, codes) for codes in ways])
    means, resampled = _means(paid, seed)
    told = [
        _describe(codes, costs["labels"], estimate(float(mean), column), float(total))
        for codes, mean, column, total in zip(ways, means, resampled.T, paid.sum(axis=0), strict=True)
    ]
    names = list(policies.baselines)
    first, last = means[: len(own)], means[len(own) :]
    best = int(np.argmin(last))
    # Without max_selective_error where it is set, which no baseline is held to.
    alone = list(own).index("without_max_selective_error" if "without_max_selective_error" in own else "loramake")
    paired = resampled[:, alone] - resampled[:, len(own) + best]
    difference = estimate(float(first[alone] - last[best]), paired)
    described = dict(zip(own, told, strict=False))
    return {
        "rows": len(truth),
        "without_max_selective_error": described.get("without_max_selective_error"),
        "constant": described.get("constant"),
        "loramake": described["loramake"],
        "most_probable": described["most_probable"],
        "perfect": described["perfect"],
        "baselines": dict(zip(names, told[len(own) :], strict=True)),
        "difference": {
            "baseline": names[best] if len(truth) else None,
            **difference,
            "outcome": outcome_of(difference, sign=-1) if len(truth) >= MIN_ROWS else None,
        },
    }


def pay(costs: CostMatrix, truth: Codes, codes: Codes) -> Floats:
    """What decisions cost when the truth is known, shape (rows,)."""
    # ABSTAIN is -1, the last column.
    asked = np.full((len(costs["labels"]), 1), np.nan if costs["abstain_cost"] is None else costs["abstain_cost"])
    paid: Floats = np.hstack([np.array(costs["matrix"]), asked])[truth, codes]
    return paid


def _means(paid: Floats, seed: int) -> tuple[Floats, Floats]:
    """Means of each column, shape (ways,), and of each resample's rows, (resamples, ways); NaN of no rows."""
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

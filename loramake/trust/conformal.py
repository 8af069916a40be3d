"""Prediction sets on the test split: their guarantee, coverage and size, and those of other methods.

prediction_sets.py makes the sets.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loramake import artifacts, layout, schemas
from loramake.arrays import Codes
from loramake.artifact_types.trust import (
    ClassCoverage,
    ClassQuantile,
    ComparedMethod,
    Conformal,
    ConformalLevel,
    ConformalMethod,
    ExpectedCoverage,
    FittedSets,
    MeasuredSets,
    SetsOnTest,
)
from loramake.console import say
from loramake.errors import ArtifactError
from loramake.evaluation.intervals import CONFIDENCE, defined, proportion
from loramake.prediction.predictions import Scored, read_scored
from loramake.tasks import read_task
from loramake.trust.prediction_sets import (
    FREE_LABELS,
    METHODS,
    PENALTY,
    ConformalPredictor,
    Sets,
    blocks_of,
    guarantee_of,
    is_inside,
    rank_of,
    rows_needed,
    score_labels,
)
from loramake.trust.sentences.conformal import notes_on_sets, summarize_sets

LEVELS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99)
"""Confidences at which the sets are measured on the test split, besides the configured one."""

_DRAWS = 1000


class Trial(NamedTuple):
    """Sets of rows whose label is known, each (confidences, rows): size, and whether it contains the true label."""

    sizes: NDArray[np.int64]
    hits: NDArray[np.bool_]


def fit_conformal(
    task: str | Path,
    held_out: str | Path,
    test: str | Path,
    method: ConformalMethod,
    conformal_confidence: float,
    seed: int,
    out: str | Path,
) -> None:
    """Write conformal.json from the calibrated predictions (JSON lines) of the held-out rows and of the test split."""
    labels = read_task(task).labels
    calibration, tested = read_scored(held_out, labels), read_scored(test, labels)
    conformal = evaluate(calibration, tested, labels, method, conformal_confidence, seed)
    artifacts.write(out, conformal, schemas.CONFORMAL)
    say(conformal["sentence"])


def load_sets(conformal: FittedSets, calibration: Scored) -> ConformalPredictor:
    """The sets of conformal.json; `calibration` are the rows of trust/held_out.jsonl, on which they were fitted.

    ArtifactError where those are different rows.
    """
    rows, labels = calibration.probabilities.shape
    if (rows, labels) != (conformal["rows"], len(conformal["labels"])):
        raise ArtifactError(
            f"{layout.CONFORMAL.path} was fitted on {conformal['rows']:,} rows of {len(conformal['labels']):,} labels "
            f"but {layout.HELD_OUT.path} has {rows:,} rows of {labels:,}: delete the former and run the experiment "
            f"again."
        )
    return fit_sets(calibration, conformal["method"], conformal["conformal_confidence"])


def fit_sets(calibration: Scored, method: ConformalMethod, confidence: float) -> ConformalPredictor:
    """Sets by one of METHODS, from calibration rows that nothing else was fitted on."""
    return ConformalPredictor(method, confidence).fit(calibration.probabilities, calibration.truth)


def try_sets(sets: ConformalPredictor, scored: Scored, confidences: list[float]) -> Trial:
    """The sets at each confidence, on rows whose label is known."""
    limits = [sets.quantiles(confidence) for confidence in confidences]
    shape = (len(limits), len(scored.truth))
    trial = Trial(np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.bool_))
    for block in blocks_of(scored.probabilities):
        scores, truth = score_labels(sets.method, scored.probabilities[block]), scored.truth[block]
        for index, limit in enumerate(limits):
            inside = is_inside(scores, limit)
            trial.sizes[index, block] = inside.sum(axis=1)
            trial.hits[index, block] = inside[np.arange(len(truth)), truth]
    return trial


def evaluate(
    calibration: Scored, test: Scored, labels: list[str], method: ConformalMethod, confidence: float, seed: int
) -> Conformal:
    """The content of conformal.json: quantiles and guarantee, the sets on test, and the other methods."""
    sets = fit_sets(calibration, method, confidence)
    confidences = [confidence, *sorted({*LEVELS, confidence})]
    trial = try_sets(sets, test, confidences)
    configured, *levels = _levels(sets, trial, test.truth, confidences, seed)
    measured: MeasuredSets = {
        "labels": labels,
        "method": method,
        "conformal_confidence": confidence,
        "raps": {"penalty": PENALTY, "free_labels": FREE_LABELS} if method == "raps" else None,
        "rows": len(calibration.truth),
        "rows_needed": rows_needed(confidence),
        "quantile": None if method == "class_conditional" else _finite(sets.quantiles(confidence)[0]),
        "guarantee": configured["guarantee"],
        "by_class": _by_class(sets, calibration.truth, labels),
        "test": _describe_test(trial, test.truth, labels, configured),
        "levels": levels,
        "methods": [_compare(calibration, test, labels, name, confidence) for name in METHODS],
    }
    return {**measured, "notes": notes_on_sets(measured), "sentence": summarize_sets(measured)}


def _by_class(sets: ConformalPredictor, truth: Codes, labels: list[str]) -> list[ClassQuantile]:
    """Of each label: its calibration rows, the highest score in a set, and the guarantee for its rows."""
    rows = np.bincount(truth, minlength=len(labels)).tolist()
    quantiles = sets.quantiles(sets.conformal_confidence).tolist()
    conditional = sets.method == "class_conditional"
    return [
        {
            "label": label,
            "rows": rows[code],
            "quantile": _finite(quantiles[code]),
            "guarantee": guarantee_of(rows[code], sets.conformal_confidence) if conditional else None,
        }
        for code, label in enumerate(labels)
    ]


def _levels(
    sets: ConformalPredictor, trial: Trial, truth: Codes, confidences: list[float], seed: int
) -> list[ConformalLevel]:
    return [
        {
            "conformal_confidence": confidence,
            "guarantee": min(guarantee_of(len(scores), confidence) for scores in sets.scores_),
            "coverage": proportion(int(hits.sum()), len(hits)),
            "expected": _expected(sets, truth, confidence, seed),
            "mean_set_size": _mean(sizes),
        }
        for confidence, sizes, hits in zip(confidences, trial.sizes, trial.hits, strict=True)
    ]


def _expected(sets: ConformalPredictor, truth: Codes, confidence: float, seed: int) -> ExpectedCoverage:
    """The interval that contains the test coverage 19 times in 20 if test rows are like calibration rows.

    Given n calibration rows, the coverage is not a fixed number but follows Beta(k, n+1-k), with k the rank of the
    quantile (Vovk 2012, proposition 2a), and the test rows are a sample: both are simulated here.
    """
    if len(truth) == 0:
        return {"low": None, "high": None}
    tested = _rows_compared(sets, truth)
    rows = np.array([len(scores) for scores in sets.scores_])[tested > 0]
    ranks = np.array([rank_of(count, confidence) for count in rows.tolist()])
    generator = np.random.default_rng(seed)
    drawn = generator.beta(ranks, np.maximum(rows + 1 - ranks, 1), size=(_DRAWS, len(rows)))
    hits = generator.binomial(tested[tested > 0], np.where(ranks > rows, 1.0, drawn)).sum(axis=1)
    low, high = np.quantile(hits / len(truth), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {"low": float(low), "high": float(high)}


def _rows_compared(sets: ConformalPredictor, truth: Codes) -> Codes:
    """How many of these rows are compared with each entry of `scores_`."""
    return np.array([len(truth)]) if len(sets.scores_) == 1 else np.bincount(truth, minlength=sets.labels_)


def _describe_test(trial: Trial, truth: Codes, labels: list[str], level: ConformalLevel) -> SetsOnTest:
    sizes, hits = trial.sizes[0], trial.hits[0]
    counts = np.bincount(sizes)
    return {
        "rows": len(truth),
        "coverage": level["coverage"],
        "expected": level["expected"],
        "mean_set_size": level["mean_set_size"],
        "empty_sets": _mean(sizes == 0),
        "full_sets": _mean(sizes == len(labels)),
        "sizes": [{"size": size, "rows": int(counts[size])} for size in np.flatnonzero(counts).tolist()],
        "by_class": _test_by_class(sizes, hits, truth, labels),
    }


def _test_by_class(sizes: Codes, hits: Sets, truth: Codes, labels: list[str]) -> list[ClassCoverage]:
    rows, covered, summed = (
        np.bincount(truth, weights=weights, minlength=len(labels)).tolist() for weights in (None, hits, sizes)
    )
    return [
        {
            "label": label,
            "rows": rows[code],
            "coverage": proportion(int(covered[code]), rows[code]),
            "mean_set_size": summed[code] / rows[code] if rows[code] else None,
        }
        for code, label in enumerate(labels)
    ]


def _compare(
    calibration: Scored, test: Scored, labels: list[str], method: ConformalMethod, confidence: float
) -> ComparedMethod:
    """One method on test at the configured confidence, with the label of the lowest coverage."""
    trial = try_sets(fit_sets(calibration, method, confidence), test, [confidence])
    sizes, hits = trial.sizes[0], trial.hits[0]
    by_class = [label for label in _test_by_class(sizes, hits, test.truth, labels) if label["rows"]]
    worst = min(by_class, key=lambda label: defined(label["coverage"]["value"]), default=None)
    return {
        "method": method,
        "coverage": proportion(int(hits.sum()), len(hits)),
        "mean_set_size": _mean(sizes),
        "worst_class": worst and {"label": worst["label"], "rows": worst["rows"], "coverage": worst["coverage"]},
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None

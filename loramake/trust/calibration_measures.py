"""How well calibrated the test rows' probabilities are, before and after calibration, with bootstrap intervals."""

import math
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from loramake import artifacts, schemas
from loramake.arrays import Codes, Floats
from loramake.artifact_types.shared import Estimate
from loramake.artifact_types.trust import CalibrationMeasure, CalibrationMeasures, MeasuredCalibration
from loramake.console import progress, say
from loramake.errors import ArtifactError
from loramake.evaluation.intervals import (
    CONFIDENCE,
    RESAMPLES,
    draw_counts,
    estimate,
    estimate_biased,
    estimate_error,
)
from loramake.prediction.predictions import Scored, name_of, read_scored
from loramake.tasks import read_task
from loramake.trust.calibration_errors import (
    BINS,
    CELLS,
    MEASURES,
    compute_measures,
    errors_if_calibrated,
    reliability_bins,
)
from loramake.trust.sentences.calibration_measures import summarize_calibration

Measured = dict[CalibrationMeasure, Floats]
"""A measure in many resamples, each of shape (resamples,)."""


def evaluate_calibration(
    task: str | Path, before: str | Path, after: str | Path, calibrator: str | Path, seed: int, out: str | Path
) -> None:
    """Write calibration_measures.json from the test rows' predictions (JSON lines) before and after calibration."""
    labels = read_task(task).labels
    scored = [read_scored(path, labels).in_order() for path in (before, after)]
    _check_same_rows(scored[0], scored[1], before, after)
    fitted = artifacts.read(calibrator, schemas.CALIBRATOR)
    truth = scored[0].truth
    measured_before, measured_after = evaluate(truth, [split.probabilities for split in scored], seed)
    measures: CalibrationMeasures = {
        "rows": len(truth),
        "method": fitted["method"],
        "bins": BINS,
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        "before": measured_before,
        "after": measured_after,
        "sentence": summarize_calibration(measured_before, measured_after, len(truth), fitted),
    }
    artifacts.write(out, measures, schemas.CALIBRATION_MEASURES)
    say(measures["sentence"])


def _check_same_rows(ours: Scored, theirs: Scored, before: str | Path, after: str | Path) -> None:
    if extra := sorted(set(zip(ours.keys, ours.truth, strict=True)) ^ set(zip(theirs.keys, theirs.truth, strict=True))):
        raise ArtifactError(
            f"{before} and {after} do not agree on {name_of(extra[0][0])}: "
            f"delete {after} and run the same command again."
        )


def evaluate(truth: Codes, several: list[Floats], seed: int) -> list[MeasuredCalibration]:
    """Measures with intervals and reliability bins of each (rows, labels) in `several`, all on the same resamples."""
    parts: list[list[Measured]] = [[] for _ in several]
    # One thread: on a busy machine, several wait for each other.
    with threadpool_limits(limits=1), progress("evaluating calibration, resamples") as advance:
        for counts in draw_counts(len(truth), seed, CELLS, advance):
            for blocks, probabilities in zip(parts, several, strict=True):
                blocks.append(compute_measures(truth, probabilities, counts))
        return [
            _describe(
                truth,
                probabilities,
                {name: np.concatenate([block[name] for block in blocks]) for name in MEASURES},
                errors_if_calibrated(probabilities, seed),
            )
            for blocks, probabilities in zip(parts, several, strict=True)
        ]


def _describe(truth: Codes, probabilities: Floats, resampled: Measured, if_calibrated: Measured) -> MeasuredCalibration:
    values = compute_measures(truth, probabilities, np.ones((1, len(truth))))
    ece, labels = if_calibrated["ece"], probabilities.shape[1]
    return {
        "measures": {
            name: _estimate(name, float(values[name][0]), resampled[name], if_calibrated.get(name), labels)
            for name in MEASURES
        },
        "ece_if_calibrated": estimate(float(ece.mean()), ece),
        "reliability": reliability_bins(truth, probabilities),
    }


def _estimate(
    name: CalibrationMeasure, value: float, resampled: Floats, if_calibrated: Floats | None, labels: int
) -> Estimate:
    """A measure with the interval of its kind; `if_calibrated` are draws of what chance alone makes of an error."""
    if name == "brier_uncertainty":
        return estimate_biased(value, resampled, most=1 - 1 / labels)
    if name == "brier_resolution":
        return estimate_biased(value, resampled)
    if if_calibrated is None:
        return estimate(value, resampled)
    if name != "brier_reliability":
        return estimate_error(value, resampled, if_calibrated)
    # A sum of squares is the square of a distance.
    root = estimate_error(math.sqrt(value), np.sqrt(resampled), np.sqrt(if_calibrated))
    if root["low"] is None or root["high"] is None:
        return root
    return {"value": value, "low": min(root["low"] ** 2, value), "high": max(root["high"] ** 2, value)}

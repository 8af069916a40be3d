"""How well calibrated probabilities are: calibration errors and proper scores, with bootstrap intervals.

Bins are of equal width and open below, as in Guo et al. 2017; only those of the adaptive error have equal numbers of
rows. Calibration errors are biased upwards: on few rows, even perfect probabilities show some.

Time and memory grow with resamples times rows times bins in use.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
from threadpoolctl import threadpool_limits

from loramake import artifacts, schemas
from loramake.artifact_types.shared import Estimate
from loramake.artifact_types.trust import CalibrationMeasure, CalibrationMeasures, MeasuredCalibration, ReliabilityBin
from loramake.console import progress, say
from loramake.errors import ArtifactError
from loramake.evaluation.intervals import CONFIDENCE, RESAMPLES, draw_counts, estimate
from loramake.evaluation.metrics import row_losses
from loramake.prediction.predictions import Codes, Floats, Scored, name_of, read_scored
from loramake.tasks import read_task
from loramake.trust.sentences.calibration_measures import summarize_calibration

BINS = 15
MEASURES: tuple[CalibrationMeasure, ...] = get_args(CalibrationMeasure)

_CELLS = 5_000_000
"""Numbers in the largest arrays: 40 MB each."""


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
    parts: list[list[dict[CalibrationMeasure, Floats]]] = [[] for _ in several]
    # One thread: on a busy machine, several wait for each other.
    with threadpool_limits(limits=1), progress("evaluating calibration, resamples") as advance:
        for counts in draw_counts(len(truth), seed, _CELLS, advance):
            for blocks, probabilities in zip(parts, several, strict=True):
                blocks.append(compute_measures(truth, probabilities, counts))
        values = [compute_measures(truth, probabilities, np.ones((1, len(truth)))) for probabilities in several]
    return [
        {
            "measures": {
                name: estimate(value[name][0], np.concatenate([block[name] for block in blocks])) for name in MEASURES
            },
            "ece_if_calibrated": error_if_calibrated(probabilities, seed),
            "reliability": reliability_bins(truth, probabilities),
        }
        for value, blocks, probabilities in zip(values, parts, several, strict=True)
    ]


def compute_measures(truth: Codes, probabilities: Floats, counts: Floats) -> dict[CalibrationMeasure, Floats]:
    """Every measure of each resample, each of shape (resamples,); `counts` (resamples, rows) counts its rows.

    - ece, mce: top-label, bins of equal width (Naeini et al. 2015; Guo et al. 2017, equations 3 and 5).
    - adaptive_ece: top-label, bins of equal mass (Nguyen and O'Connor 2015), `equal_mass_error`.
    - classwise_ece: mean over the labels of the error of each one's probability (Kull et al. 2019).
    - brier: summed over the labels (Brier 1950); and its parts, summed over the labels, such that
      brier = reliability - resolution + uncertainty exactly: the resolution is Stephenson et al.'s generalised one
      (2008), which includes the spread within bins and may therefore fall below 0.
    - log_loss: probabilities clipped away from 0 and 1 as in scikit-learn's log_loss.

    All are NaN where there is no row.
    """
    rows, labels = probabilities.shape
    if rows == 0:
        return dict.fromkeys(MEASURES, np.full(len(counts), np.nan))
    confidence, correct = _top_label(truth, probabilities)
    gaps, sizes = _sum_by_bin(confidence[:, None], (correct - confidence)[:, None], counts)
    reliability, uncertainty, classwise = _label_parts(truth, probabilities, counts)
    brier = counts @ ((probabilities**2).sum(axis=1) - 2 * _true_label(truth, probabilities) + 1) / rows
    return {
        "ece": np.abs(gaps).sum(axis=1) / rows,
        "adaptive_ece": equal_mass_error(confidence, correct, counts),
        "mce": (np.abs(gaps) / np.maximum(sizes, 1)).max(axis=1),
        "classwise_ece": classwise / labels,
        "brier": brier,
        "brier_reliability": reliability,
        "brier_resolution": reliability + uncertainty - brier,
        "brier_uncertainty": uncertainty,
        "log_loss": counts @ row_losses(truth, probabilities) / rows,
    }


def error_if_calibrated(probabilities: Floats, seed: int) -> Estimate:
    """The ECE that rows of these confidences would show if they were perfectly calibrated, with its interval.

    Truth is drawn repeatedly from the confidences (consistency resampling: Bröcker and Smith 2007; Vaicenavicius et
    al. 2019). An ECE below the upper end is no evidence against the probabilities.
    """
    rows = len(probabilities)
    if rows == 0:
        return estimate(np.nan, np.zeros(0))
    confidence = probabilities.max(axis=1)
    generator = np.random.default_rng(seed)
    errors = []
    for size in np.diff([*range(0, RESAMPLES, max(1, _CELLS // rows)), RESAMPLES]):
        gaps = (generator.random((size, rows)) < confidence) - confidence
        errors.append(np.abs(_sum_by_bin(confidence[:, None], np.ones((rows, 1)), gaps)[0]).sum(axis=1) / rows)
    drawn = np.concatenate(errors)
    return estimate(float(drawn.mean()), drawn)


def _true_label(truth: Codes, probabilities: Floats) -> Floats:
    """The probability of each row's true label, shape (rows,)."""
    probability: Floats = probabilities[np.arange(len(truth)), truth]
    return probability


def _top_label(truth: Codes, probabilities: Floats) -> tuple[Floats, Floats]:
    """The probability of the predicted label, and 1 where that is the true label, each (rows,)."""
    return probabilities.max(axis=1), (probabilities.argmax(axis=1) == truth).astype(np.float64)


def find_bins(probabilities: Floats) -> Codes:
    """The bin of equal width, 0 to BINS - 1, of each probability; an edge is in the bin below it, 0 in the first."""
    return np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], probabilities, side="left").astype(np.int64)


def _sum_by_bin(probabilities: Floats, gaps: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Sum of `gaps` and number of rows in each non-empty bin of every column, both (resamples, such bins).

    `probabilities` and `gaps` have shape (rows, columns). Two matrix products cover all resamples at once.
    """
    rows, columns = probabilities.shape
    bins = find_bins(probabilities) + BINS * np.arange(columns)
    used = np.flatnonzero(np.bincount(bins.ravel(), minlength=BINS * columns))
    positions = np.zeros(BINS * columns, dtype=np.int64)
    positions[used] = np.arange(len(used))
    indices = (np.arange(rows)[:, None], positions[bins])
    spread = np.zeros((rows, len(used)))
    spread[indices] = gaps
    sums = counts @ spread
    spread[indices] = 1
    return sums, counts @ spread


def _label_parts(truth: Codes, probabilities: Floats, counts: Floats) -> tuple[Floats, Floats, Floats]:
    """Reliability, uncertainty and calibration error of each label against the rest, summed, each (resamples,)."""
    rows = len(truth)
    reliability, uncertainty, error = np.zeros((3, len(counts)))
    for codes in _label_blocks(rows, probabilities.shape[1]):
        true = (truth[:, None] == codes).astype(np.float64)
        gaps, sizes = _sum_by_bin(probabilities[:, codes], true - probabilities[:, codes], counts)
        shares = counts @ true / rows
        reliability += (gaps**2 / np.maximum(sizes, 1)).sum(axis=1) / rows
        uncertainty += (shares * (1 - shares)).sum(axis=1)
        error += np.abs(gaps).sum(axis=1) / rows
    return reliability, uncertainty, error


def _label_blocks(rows: int, labels: int) -> Iterator[Codes]:
    """Label codes, as many at once as fit into _CELLS with all their bins."""
    size = max(1, _CELLS // (rows * BINS))
    for start in range(0, labels, size):
        yield np.arange(start, min(start + size, labels))


def equal_mass_error(confidence: Floats, correct: Floats, counts: Floats) -> Floats:
    """Mean gap between confidence and accuracy over BINS bins of equal numbers of rows, shape (resamples,).

    The bins split the rows of a resample, sorted by confidence, into runs whose lengths differ by at most 1. Rows of
    equal confidence all go to the bin of the first of them, so that the order of the rows does not matter.
    """
    rows = len(confidence)
    order = np.argsort(confidence, kind="stable")
    gaps = (correct - confidence)[order]
    starts = np.flatnonzero(np.diff(confidence[order], prepend=-np.inf))
    ends = np.cumsum([len(run) for run in np.array_split(order, BINS)])[:-1]
    errors = np.empty(len(counts))
    for index, count in enumerate(counts):  # the data of one resample stays in the processor's cache
        drawn = count[order]
        before = (np.cumsum(drawn) - drawn)[starts]
        edges = np.append(starts, rows)[np.searchsorted(before, ends)]
        sums = np.diff(np.append(0, np.cumsum(drawn * gaps))[[0, *edges, rows]])
        errors[index] = np.abs(sums).sum() / rows
    return errors


def reliability_bins(truth: Codes, probabilities: Floats) -> list[ReliabilityBin]:
    """The bins of a reliability diagram: edges, rows, mean confidence and accuracy (None of a bin without rows)."""
    confidence, correct = _top_label(truth, probabilities) if len(truth) else (np.zeros(0), np.zeros(0))
    bins = find_bins(confidence)
    rows = np.bincount(bins, minlength=BINS).tolist()
    sums = zip(
        *(np.bincount(bins, weights=values, minlength=BINS).tolist() for values in (confidence, correct)), strict=True
    )
    edges = np.linspace(0, 1, BINS + 1).tolist()
    return [
        {
            "low": edges[index],
            "high": edges[index + 1],
            "rows": count,
            "mean_confidence": confident / count if count else None,
            "accuracy": hits / count if count else None,
        }
        for index, (count, (confident, hits)) in enumerate(zip(rows, sums, strict=True))
    ]

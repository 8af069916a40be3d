"""How well calibrated probabilities are, from arrays: calibration errors and proper scores.

from loramake.trust import expected_calibration_error
expected_calibration_error(truth, probabilities)

`truth` are the true labels as indices of columns, shape (rows,), and `probabilities` P(label | row), shape
(rows, labels), of at least two labels; anything else is a DataError. Without rows, every value is NaN.

Bins are of equal width and open below, as in Guo et al. 2017; only those of the adaptive error have equal numbers of
rows. Calibration errors are biased upwards: on few rows, even perfect probabilities show some.

Time and memory grow with resamples times rows times bins in use.
"""

from collections.abc import Iterator
from numbers import Integral
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike

from loramake.arrays import Codes, Floats, check_probabilities, check_truth
from loramake.artifact_types.trust import CalibrationMeasure, ReliabilityBin
from loramake.errors import ConfigError
from loramake.evaluation.intervals import RESAMPLES
from loramake.evaluation.losses import row_losses

BINS = 15
MEASURES: tuple[CalibrationMeasure, ...] = get_args(CalibrationMeasure)

CELLS = 5_000_000
"""Numbers in the largest arrays: 40 MB each."""


def expected_calibration_error(truth: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> float:
    """ECE: the mean gap between the predicted label's probability and its accuracy, bins weighted by their rows.

    Over bins of equal width (Naeini et al. 2015; Guo et al. 2017, equations 3 and 5).
    """
    return _measure("ece", truth, probabilities, bins)


def adaptive_calibration_error(truth: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> float:
    """The same over bins of equal numbers of rows (Nguyen and O'Connor 2015)."""
    return _measure("adaptive_ece", truth, probabilities, bins)


def maximum_calibration_error(truth: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> float:
    """MCE: the widest such gap of a non-empty bin of equal width (Naeini et al. 2015); a bin of one row may decide."""
    return _measure("mce", truth, probabilities, bins)


def classwise_calibration_error(truth: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> float:
    """The mean over the labels of the error of each one's probability, by its share of the rows (Kull et al. 2019)."""
    return _measure("classwise_ece", truth, probabilities, bins)


def brier_score(truth: ArrayLike, probabilities: ArrayLike, scale_by_half: bool = False) -> float:
    """The mean squared error of the probabilities, summed over the labels, from 0 to 2 (Brier 1950).

    With `scale_by_half`, half of it, from 0 to 1: with two labels, the usual binary score.
    """
    return _measure("brier", truth, probabilities) * (0.5 if scale_by_half else 1.0)


def _measure(name: CalibrationMeasure, truth: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> float:
    checked = check_probabilities(probabilities)
    if isinstance(bins, bool) or not isinstance(bins, Integral) or bins < 1:
        raise ConfigError(f"bins is {bins!r}: set it to a whole number from 1 up, such as {BINS}.")
    values = compute_measures(check_truth(truth, checked), checked, np.ones((1, len(checked))), bins)
    return float(values[name][0])


def compute_measures(
    truth: Codes, probabilities: Floats, counts: Floats, bins: int = BINS
) -> dict[CalibrationMeasure, Floats]:
    """Every measure of each resample, each of shape (resamples,); `counts` (resamples, rows) counts its rows.

    - ece, adaptive_ece, mce, classwise_ece and brier: those of the functions above.
    - The parts of brier, summed over the labels, such that
      brier = reliability - resolution + uncertainty exactly: the resolution is Stephenson et al.'s generalised one
      (2008), which includes the spread within bins and may therefore fall below 0.
    - log_loss: probabilities clipped away from 0 and 1 as in scikit-learn's log_loss.

    All are NaN where there is no row.
    """
    rows, labels = probabilities.shape
    if rows == 0:
        return dict.fromkeys(MEASURES, np.full(len(counts), np.nan))
    confidence, correct = _top_label(truth, probabilities)
    gaps, sizes = _sum_by_bin(confidence[:, None], (correct - confidence)[:, None], counts, bins)
    reliability, uncertainty, classwise = _label_parts(truth, probabilities, counts, bins)
    brier = counts @ ((probabilities**2).sum(axis=1) - 2 * _true_label(truth, probabilities) + 1) / rows
    return {
        "ece": np.abs(gaps).sum(axis=1) / rows,
        "adaptive_ece": equal_mass_error(confidence, correct, counts, bins),
        "mce": (np.abs(gaps) / np.maximum(sizes, 1)).max(axis=1),
        "classwise_ece": classwise / labels,
        "brier": brier,
        "brier_reliability": reliability,
        "brier_resolution": reliability + uncertainty - brier,
        "brier_uncertainty": uncertainty,
        "log_loss": counts @ row_losses(truth, probabilities) / rows,
    }


def errors_if_calibrated(probabilities: Floats, seed: int, bins: int = BINS) -> dict[CalibrationMeasure, Floats]:
    """The errors that rows of these probabilities would show if perfectly calibrated, each of shape (RESAMPLES,).

    Truth is drawn repeatedly from the probabilities (consistency resampling: Bröcker and Smith 2007; Vaicenavicius et
    al. 2019). An error that is not in the upper tail of these is no evidence against the probabilities.
    """
    return {
        **top_errors_if_calibrated(probabilities.max(axis=1, initial=0), seed, bins),
        **_label_errors_if_calibrated(probabilities, seed, bins),
    }


def top_errors_if_calibrated(confidence: Floats, seed: int, bins: int = BINS) -> dict[CalibrationMeasure, Floats]:
    """Those of them that depend on the probabilities of the predicted labels alone, `confidence` (rows,)."""
    rows = len(confidence)
    if rows == 0:
        return dict.fromkeys(("ece", "adaptive_ece", "mce"), np.full(RESAMPLES, np.nan))
    generator = np.random.default_rng(seed)
    width, mass = _indicators(find_bins(confidence, bins)), _indicators(_mass_bins(confidence, bins))
    parts = []
    for size in _block_sizes(rows):
        gaps = (generator.random((size, rows)) < confidence) - confidence
        by_width, by_mass = np.abs(gaps @ width), np.abs(gaps @ mass)
        parts.append(
            (by_width.sum(axis=1) / rows, by_mass.sum(axis=1) / rows, (by_width / width.sum(axis=0)).max(axis=1))
        )
    ece, adaptive, maximum = (np.concatenate(part) for part in zip(*parts, strict=True))
    return {"ece": ece, "adaptive_ece": adaptive, "mce": maximum}


def _label_errors_if_calibrated(probabilities: Floats, seed: int, bins: int) -> dict[CalibrationMeasure, Floats]:
    """The other ones, of every label's probability."""
    rows, labels = probabilities.shape
    if rows == 0:
        return dict.fromkeys(("classwise_ece", "brier_reliability"), np.full(RESAMPLES, np.nan))
    generator = np.random.default_rng(seed)
    cells = find_bins(probabilities, bins) + bins * np.arange(labels)
    count = bins * labels
    sizes = np.maximum(np.bincount(cells.ravel(), minlength=count), 1)
    expected = np.bincount(cells.ravel(), weights=probabilities.ravel(), minlength=count)
    errors, squares = [], []
    for size in _block_sizes(max(rows, count)):
        hit = cells[np.arange(rows), _draw_labels(probabilities, size, generator)] + count * np.arange(size)[:, None]
        gaps = np.bincount(hit.ravel(), minlength=size * count).reshape(size, count) - expected
        errors.append(np.abs(gaps).sum(axis=1) / rows / labels)
        squares.append((gaps**2 / sizes).sum(axis=1) / rows)
    return {"classwise_ece": np.concatenate(errors), "brier_reliability": np.concatenate(squares)}


def _draw_labels(probabilities: Floats, times: int, generator: np.random.Generator) -> Codes:
    """Labels drawn from each row's probabilities, shape (times, rows)."""
    rows, labels = probabilities.shape
    # One search for all rows: the cumulated probabilities of row r lie between r and r + 1.
    cumulated = np.minimum(probabilities.cumsum(axis=1), 1.0)
    cumulated[:, -1] = 1.0
    first = np.arange(rows)
    drawn = np.searchsorted((cumulated + first[:, None]).ravel(), generator.random((times, rows)) + first, side="right")
    codes: Codes = np.clip(drawn - labels * first, 0, labels - 1)
    return codes


def _block_sizes(cells: int) -> list[int]:
    """RESAMPLES, split so that no block has more than CELLS numbers, of `cells` in each resample."""
    return [int(size) for size in np.diff([*range(0, RESAMPLES, max(1, CELLS // cells)), RESAMPLES])]


def _indicators(bins: Codes) -> Floats:
    """1 where a row is in a bin, shape (rows, bins in use)."""
    indicators: Floats = (bins[:, None] == np.unique(bins)).astype(np.float64)
    return indicators


def _true_label(truth: Codes, probabilities: Floats) -> Floats:
    """The probability of each row's true label, shape (rows,)."""
    probability: Floats = probabilities[np.arange(len(truth)), truth]
    return probability


def _top_label(truth: Codes, probabilities: Floats) -> tuple[Floats, Floats]:
    """The probability of the predicted label, and 1 where that is the true label, each (rows,)."""
    return probabilities.max(axis=1), (probabilities.argmax(axis=1) == truth).astype(np.float64)


def find_bins(probabilities: Floats, bins: int = BINS) -> Codes:
    """The bin of equal width, 0 to bins - 1, of each probability; an edge is in the bin below it, 0 in the first."""
    return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], probabilities, side="left").astype(np.int64)


def _sum_by_bin(probabilities: Floats, gaps: Floats, counts: Floats, bins: int) -> tuple[Floats, Floats]:
    """Sum of `gaps` and number of rows in each non-empty bin of every column, both (resamples, such bins).

    `probabilities` and `gaps` have shape (rows, columns). Two matrix products cover all resamples at once.
    """
    rows, columns = probabilities.shape
    cells = find_bins(probabilities, bins) + bins * np.arange(columns)
    used = np.flatnonzero(np.bincount(cells.ravel(), minlength=bins * columns))
    positions = np.zeros(bins * columns, dtype=np.int64)
    positions[used] = np.arange(len(used))
    indices = (np.arange(rows)[:, None], positions[cells])
    spread = np.zeros((rows, len(used)))
    spread[indices] = gaps
    sums = counts @ spread
    spread[indices] = 1
    return sums, counts @ spread


def _label_parts(truth: Codes, probabilities: Floats, counts: Floats, bins: int) -> tuple[Floats, Floats, Floats]:
    """Reliability, uncertainty and calibration error of each label against the rest, summed, each (resamples,)."""
    rows = len(truth)
    reliability, uncertainty, error = np.zeros((3, len(counts)))
    for codes in _label_blocks(rows * bins, probabilities.shape[1]):
        true = (truth[:, None] == codes).astype(np.float64)
        gaps, sizes = _sum_by_bin(probabilities[:, codes], true - probabilities[:, codes], counts, bins)
        shares = counts @ true / rows
        reliability += (gaps**2 / np.maximum(sizes, 1)).sum(axis=1) / rows
        uncertainty += (shares * (1 - shares)).sum(axis=1)
        error += np.abs(gaps).sum(axis=1) / rows
    return reliability, uncertainty, error


def _label_blocks(cells: int, labels: int) -> Iterator[Codes]:
    """Label codes, as many at once as fit into CELLS, of `cells` for each label."""
    size = max(1, CELLS // cells)
    for start in range(0, labels, size):
        yield np.arange(start, min(start + size, labels))


def equal_mass_error(confidence: Floats, correct: Floats, counts: Floats, bins: int = BINS) -> Floats:
    """Mean gap between confidence and accuracy over `bins` bins of equal numbers of rows, shape (resamples,).

    The bins split the rows of a resample, sorted by confidence, into runs whose lengths differ by at most 1. Rows of
    equal confidence all go to the bin of the first of them, so that the order of the rows does not matter.
    """
    rows = len(confidence)
    order, starts, ends = _mass_runs(confidence, bins)
    gaps = (correct - confidence)[order]
    errors = np.empty(len(counts))
    for index, count in enumerate(counts):  # the data of one resample stays in the processor's cache
        drawn = count[order]
        before = (np.cumsum(drawn) - drawn)[starts]
        edges = np.append(starts, rows)[np.searchsorted(before, ends)]
        sums = np.diff(np.append(0, np.cumsum(drawn * gaps))[[0, *edges, rows]])
        errors[index] = np.abs(sums).sum() / rows
    return errors


def _mass_bins(confidence: Floats, bins: int) -> Codes:
    """The bin of `equal_mass_error` of each row, shape (rows,), where every row counts once."""
    order, starts, ends = _mass_runs(confidence, bins)
    edges = np.append(starts, len(order))[np.searchsorted(starts, ends)]
    found = np.empty(len(order), dtype=np.int64)
    found[order] = np.searchsorted(edges, np.arange(len(order)), side="right")
    return found


def _mass_runs(confidence: Floats, bins: int) -> tuple[Codes, Codes, Codes]:
    """The rows by confidence (rows,), where each group of equal ones starts, and where each bin but the last ends."""
    order = np.argsort(confidence, kind="stable")
    starts = np.flatnonzero(np.diff(confidence[order], prepend=-np.inf))
    return order, starts, np.cumsum([len(run) for run in np.array_split(order, bins)])[:-1]


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

"""Calibrated probabilities: temperature scaling or isotonic regression, fitted on one half of the calibration split.

The other half is held out, so that conformal sets and risk control can be fitted on it. The true labels of test rows
are never used.
"""

from hashlib import sha256
from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax
from sklearn.isotonic import IsotonicRegression

from loramake import artifacts, layout, schemas
from loramake.arrays import Codes, Floats
from loramake.artifact_types.trust import CalibrationMethod, Calibrator, IsotonicLine
from loramake.console import say
from loramake.errors import ArtifactError
from loramake.prediction.predictions import Scored, read_scored, scored_lines
from loramake.tables.source import Key
from loramake.tasks import read_task
from loramake.trust.sentences.calibration import METHOD_NAMES, note_on_calibrator, summarize_calibrator

METHODS: tuple[CalibrationMethod, ...] = ("isotonic", "temperature", "none")
"""Ordered by the rows they need, most first; where one cannot be fitted, the next is used instead."""

MIN_ROWS = {"isotonic": 200, "temperature": 20}
"""Rows to fit on. Isotonic regression overfits below 200 to 1,000 (Niculescu-Mizil and Caruana 2005).
`benchmarks/calibration.py` prints what either costs a model that is already calibrated, and gains for one that is not.
"""
MIN_PREDICTIONS = 3
"""Correct and incorrect predictions each that a temperature needs. Without an incorrect one it goes to 0, and with one
or two it depends on those alone.
"""
MIN_LABEL_ROWS = 10
"""Rows of each label that isotonic regression needs, since it fits a line for each label."""

TEMPERATURES = (0.01, 100.0)
"""The lowest and the highest; at 100 the probabilities are all but uniform."""

_LEAST = np.finfo(np.float64).smallest_subnormal
"""Replaces a probability of 0: anything larger would equal other probabilities that are above 0."""
_SAME_LOSS = 1e-9
"""Log losses that differ by less than this many nats per row count as equal."""


def calibrate_probabilities(
    task: str | Path,
    calibration: str | Path,
    test: str | Path,
    method: CalibrationMethod,
    seed: int,
    out: str | Path,
    held_out_out: str | Path,
    test_out: str | Path,
) -> None:
    """Write calibrator.json, and the calibrated predictions of the test rows and of the held-out calibration rows."""
    labels = read_task(task).labels
    calibrator, held_out = fit_on_half(read_scored(calibration, labels), labels, method, seed)
    artifacts.write(out, calibrator, schemas.CALIBRATOR)
    for path, scored in ((held_out_out, held_out), (test_out, read_scored(test, labels))):
        calibrated = scored._replace(probabilities=apply_calibrator(calibrator, scored.probabilities))
        artifacts.write(path, scored_lines(calibrated, labels), schemas.PREDICTIONS)
    say(calibrator["sentence"])


def fit_on_half(
    scored: Scored, labels: list[str], requested: CalibrationMethod, seed: int
) -> tuple[Calibrator, Scored]:
    """A calibrator fitted on one half of the rows, and the held-out rows for sets and thresholds: the other half.

    All rows are held out where no calibration is requested, and where there are too few rows for any method. They are
    not where a method was rejected because of what its rows contain: rows selected for having few errors are biased.
    """
    fitting, unseen = halve(scored, labels, seed)
    calibrator = fit_calibrator(fitting, labels, requested)
    held_out = scored if requested == "none" or len(fitting.keys) < min(MIN_ROWS.values()) else unseen
    calibrator["rows"]["held_out"] = len(held_out.keys)
    return calibrator, held_out


def halve(scored: Scored, labels: list[str], seed: int) -> tuple[Scored, Scored]:
    """The rows split in two, stratified by label; of an odd number, the first half has one more.

    The split depends on the key of a row, the name of its label and the seed, not on the order of rows or labels. The
    first half has an order of its own, so that its sums do not depend on the file's; the second has the file's order.
    """
    order = sorted(
        range(len(scored.keys)), key=lambda row: (labels[scored.truth[row]], _hash_key(scored.keys[row], seed))
    )
    return scored.take(order[::2]), scored.take(sorted(order[1::2]))


def _hash_key(key: Key, seed: int) -> bytes:
    source, row = key
    return sha256(f"{seed} {source} {row}".encode()).digest()


def fit_calibrator(scored: Scored, labels: list[str], requested: CalibrationMethod) -> Calibrator:
    """calibrator.json, fitted on all of `scored`, by the requested method or the next one that these rows allow.

    A method that raises their log loss is skipped too: isotonic regression does where the model is always correct and
    more confident than the line's bounds allow.
    """
    reasons: list[str] = []
    for method in METHODS[METHODS.index(requested) :]:
        reason = _obstacle(method, scored, labels)
        if reason is None:
            calibrator = _fit(scored, labels, requested, method)
            reason = _harm(calibrator, scored)
        if reason is None:
            break
        reasons.append(reason)
    calibrator["note"] = note_on_calibrator(calibrator, reasons, TEMPERATURES)
    calibrator["sentence"] = summarize_calibrator(calibrator)
    return calibrator


def _fit(scored: Scored, labels: list[str], requested: CalibrationMethod, method: CalibrationMethod) -> Calibrator:
    _, truth, probabilities = scored
    return {
        "requested": requested,
        "method": method,
        "note": None,
        "temperature": fit_temperature(truth, probabilities) if method == "temperature" else None,
        "isotonic": fit_isotonic(truth, probabilities, labels) if method == "isotonic" else None,
        "labels": labels,
        "rows": {"fitted": 0 if method == "none" else len(truth), "held_out": 0},
        "sentence": "",
    }


def _obstacle(method: str, scored: Scored, labels: list[str]) -> str | None:
    """Why the method cannot be fitted on these rows."""
    if method == "none":
        return None
    rows, name = len(scored.keys), METHOD_NAMES[method]
    if rows < MIN_ROWS[method]:
        return f"{name} needs {MIN_ROWS[method]} rows to fit and has {rows} (half of the calibration rows)"
    if method == "temperature":
        correct = int((scored.probabilities.argmax(axis=1) == scored.truth).sum())
        if min(correct, rows - correct) < MIN_PREDICTIONS:
            return (
                f"{name} needs at least {MIN_PREDICTIONS} correct and {MIN_PREDICTIONS} incorrect predictions and has "
                f"{correct} and {rows - correct}"
            )
        return None
    counts = np.bincount(scored.truth, minlength=len(labels))
    rarest = int(counts.argmin())
    if counts[rarest] < MIN_LABEL_ROWS:
        return f"{name} needs {MIN_LABEL_ROWS} rows of each label and has {counts[rarest]} of {labels[rarest]!r}"
    return None


def _harm(calibrator: Calibrator, scored: Scored) -> str | None:
    """Why a fitted calibrator should not be used: on the rows it was fitted on, it is worse than none."""
    if calibrator["method"] == "none":
        return None
    before = _log_loss(scored.truth, scored.probabilities)
    after = _log_loss(scored.truth, apply_calibrator(calibrator, scored.probabilities))
    if after <= before + _SAME_LOSS:
        return None
    name = METHOD_NAMES[calibrator["method"]]
    return f"{name} raised the log loss on the rows it was fitted on from {before:.3f} to {after:.3f}"


def _log_loss(truth: Codes, probabilities: Floats) -> float:
    return -float(_log_probs(probabilities)[np.arange(len(truth)), truth].mean())


def _log_probs(probabilities: Floats) -> Floats:
    log_probs: Floats = np.log(np.maximum(probabilities, _LEAST))
    return log_probs


def fit_temperature(truth: Codes, probabilities: Floats) -> float:
    """The temperature of the lowest log loss (Guo et al. 2017, section 4.2), within TEMPERATURES.

    The log loss is convex in b = 1/T, so its slope (the mean of log p expected under the scaled probabilities, less
    that of the true label) has at most one root. scikit-learn's CalibratedClassifierCV(method="temperature") gives the
    same, but adds 1e-12 to every probability, and is newer than the scikit-learn that loramake requires.
    """
    log_probs = _log_probs(probabilities)
    true = log_probs[np.arange(len(truth)), truth].mean()

    def slope(log_inverse: float) -> float:
        return float((softmax(np.exp(log_inverse) * log_probs, axis=1) * log_probs).sum(axis=1).mean() - true)

    highest, lowest = (-np.log(temperature) for temperature in TEMPERATURES)
    if slope(lowest) >= 0:
        return TEMPERATURES[1]
    if slope(highest) <= 0:
        return TEMPERATURES[0]
    return float(np.exp(-brentq(slope, lowest, highest, xtol=1e-12)))


def fit_isotonic(truth: Codes, probabilities: Floats, labels: list[str]) -> list[IsotonicLine]:
    """Isotonic regression of each label against the rest (Zadrozny and Elkan 2002); of two labels, of the positive one.

    No line reaches 0 or 1, since no number of rows proves that something never happens: what occurs in none of n rows
    counts as 1/labels of a row in n + 1 (Perks 1947; of two labels, Krichevsky and Trofimov 1981).
    """
    count = len(labels)
    least = 1 / (count * (len(truth) + 1))
    lines: list[IsotonicLine] = []
    for code in [1] if count == 2 else range(count):
        line = IsotonicRegression(y_min=least, y_max=1 - least).fit(probabilities[:, code], truth == code)
        lines.append({"label": labels[code], "x": line.X_thresholds_.tolist(), "y": line.y_thresholds_.tolist()})
    return lines


def apply_calibrator(calibrator: Calibrator, probabilities: Floats) -> Floats:
    """Calibrated probabilities, shape (rows, labels) as given, each row adding up to 1.

    A temperature keeps the order of a row's labels. ArtifactError where the calibrator is for other labels.
    """
    if probabilities.shape[1] != len(calibrator["labels"]):
        raise ArtifactError(
            f"{layout.CALIBRATOR.path} is for {len(calibrator['labels'])} labels, but the predictions have "
            f"{probabilities.shape[1]}: delete it and run the experiment again."
        )
    calibrated: Floats = probabilities
    if calibrator["temperature"] is not None:
        calibrated = softmax(_log_probs(probabilities) / calibrator["temperature"], axis=1)
    elif calibrator["isotonic"] is not None:
        calibrated = _interpolate(calibrator["isotonic"], probabilities)
    return calibrated


def _interpolate(lines: list[IsotonicLine], probabilities: Floats) -> Floats:
    """Each label's probabilities interpolated on its line, then normalised to add up to 1."""
    if len(lines) == 1:
        positive = np.interp(probabilities[:, 1], lines[0]["x"], lines[0]["y"])
        return np.stack([1 - positive, positive], axis=1)
    columns = [np.interp(column, line["x"], line["y"]) for line, column in zip(lines, probabilities.T, strict=True)]
    scores: Floats = np.stack(columns, axis=1)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores

"""Calibrated probabilities: temperature scaling or isotonic regression, fitted on one half of the calibration split.

The other half stays unseen, so that the scores of conformal sets and of risk control may be fitted on it. Never looks
at the true labels of test rows.
"""

from hashlib import sha256
from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax
from sklearn.isotonic import IsotonicRegression

from loramake import artifacts, layout, schemas
from loramake.artifact_types.trust import CalibrationMethod, Calibrator, IsotonicLine
from loramake.console import say
from loramake.errors import ArtifactError
from loramake.prediction.predictions import Codes, Floats, Scored, read_scored, scored_lines
from loramake.tables.source import Key
from loramake.tasks import read_task
from loramake.trust.sentences.calibration import METHOD_NAMES, note_on_calibrator, summarize_calibrator

METHODS: tuple[CalibrationMethod, ...] = ("isotonic", "temperature", "none")
"""From the one that needs most rows; where one can't be fitted, the next takes its place."""

MIN_ROWS = {"isotonic": 200, "temperature": 20}
"""Rows to fit on. Isotonic regression overfits below 200 to 1,000 (Niculescu-Mizil and Caruana 2005). What either costs
a model that is calibrated already, and saves one that is not, is what `benchmarks/calibration.py` prints.
"""
MIN_ANSWERS = 3
"""Right and wrong answers each that a temperature needs. Without a wrong one it goes to 0, and with one or two it
follows those.
"""
MIN_LABEL_ROWS = 10
"""Rows of each label that isotonic regression needs, since each label has a line of its own."""

TEMPERATURES = (0.01, 100.0)
"""The lowest and the highest; at 100 a model is as good as asked to say nothing."""

_LEAST = np.finfo(np.float64).smallest_subnormal
"""What a probability of 0 counts as: any more would make it equal to others that are above 0."""
_SAME_LOSS = 1e-9
"""Nats a row by which two log losses may differ and count as equal."""


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


def fit_on_half(scored: Scored, labels: list[str], asked: CalibrationMethod, seed: int) -> tuple[Calibrator, Scored]:
    """A calibrator fitted on one half of the rows, and those that are left for sets and thresholds: the other half.

    All rows are left where nothing is asked for, and where they are too few for any method. They are not where a
    method gave way for what its rows hold: rows that were looked at and found to have few errors promise too much.
    """
    seen, unseen = halve(scored, labels, seed)
    calibrator = fit_calibrator(seen, labels, asked)
    left = scored if asked == "none" or len(seen.keys) < min(MIN_ROWS.values()) else unseen
    calibrator["rows"]["held_out"] = len(left.keys)
    return calibrator, left


def halve(scored: Scored, labels: list[str], seed: int) -> tuple[Scored, Scored]:
    """The rows parted in two, each label's as evenly as can be; of an odd number the first half has one more.

    What decides is the name of a row and of its label, and the seed: neither the order of the rows nor that of the
    labels. The first half comes in an order of its own, so that its sums don't depend on the file's; the second in
    the file's.
    """
    order = sorted(range(len(scored.keys)), key=lambda row: (labels[scored.truth[row]], _lot(scored.keys[row], seed)))
    return scored.take(order[::2]), scored.take(sorted(order[1::2]))


def _lot(key: Key, seed: int) -> bytes:
    source, row = key
    return sha256(f"{seed} {source} {row}".encode()).digest()


def fit_calibrator(scored: Scored, labels: list[str], asked: CalibrationMethod) -> Calibrator:
    """calibrator.json, fitted on all of `scored`, by the method asked for or the next one that these rows allow.

    A method that raises their log loss is passed over too: isotonic regression does where the model is always right
    and surer than that allows.
    """
    reasons: list[str] = []
    for method in METHODS[METHODS.index(asked) :]:
        reason = _obstacle(method, scored, labels)
        if reason is None:
            calibrator = _fit(scored, labels, asked, method)
            reason = _harm(calibrator, scored)
        if reason is None:
            break
        reasons.append(reason)
    calibrator["note"] = note_on_calibrator(calibrator, reasons, TEMPERATURES)
    calibrator["sentence"] = summarize_calibrator(calibrator)
    return calibrator


def _fit(scored: Scored, labels: list[str], asked: CalibrationMethod, method: CalibrationMethod) -> Calibrator:
    _, truth, probabilities = scored
    return {
        "asked": asked,
        "method": method,
        "note": None,
        "temperature": fit_temperature(truth, probabilities) if method == "temperature" else None,
        "isotonic": fit_isotonic(truth, probabilities, labels) if method == "isotonic" else None,
        "labels": labels,
        "rows": {"fitted": 0 if method == "none" else len(truth), "held_out": 0},
        "sentence": "",
    }


def _obstacle(method: str, scored: Scored, labels: list[str]) -> str | None:
    """Why these rows don't do for the method."""
    if method == "none":
        return None
    rows, name = len(scored.keys), METHOD_NAMES[method]
    if rows < MIN_ROWS[method]:
        return f"{name} needs {MIN_ROWS[method]} rows to be fitted on and has {rows} (half of the calibration rows)"
    if method == "temperature":
        right = int((scored.probabilities.argmax(axis=1) == scored.truth).sum())
        if min(right, rows - right) < MIN_ANSWERS:
            return f"{name} needs {MIN_ANSWERS} right and as many wrong answers and has {right} and {rows - right}"
        return None
    counts = np.bincount(scored.truth, minlength=len(labels))
    rarest = int(counts.argmin())
    if counts[rarest] < MIN_LABEL_ROWS:
        return f"{name} needs {MIN_LABEL_ROWS} rows of each label and has {counts[rarest]} of {labels[rarest]!r}"
    return None


def _harm(calibrator: Calibrator, scored: Scored) -> str | None:
    """Why a fitted calibrator should not be used: on its own rows it is worse than doing nothing."""
    if calibrator["method"] == "none":
        return None
    before = _log_loss(scored.truth, scored.probabilities)
    after = _log_loss(scored.truth, apply_calibrator(calibrator, scored.probabilities))
    if after <= before + _SAME_LOSS:
        return None
    return f"{METHOD_NAMES[calibrator['method']]} raised the log loss of its own rows from {before:.3f} to {after:.3f}"


def _log_loss(truth: Codes, probabilities: Floats) -> float:
    return -float(_log_probs(probabilities)[np.arange(len(truth)), truth].mean())


def _log_probs(probabilities: Floats) -> Floats:
    found: Floats = np.log(np.maximum(probabilities, _LEAST))
    return found


def fit_temperature(truth: Codes, probabilities: Floats) -> float:
    """The temperature of the lowest log loss (Guo et al. 2017, section 4.2), within TEMPERATURES.

    Of b = 1/T the log loss is convex, so that its slope, the mean of log p as the softened probabilities expect it
    less that of the true label, has one root at most. scikit-learn's CalibratedClassifierCV(method="temperature")
    finds the same, but adds 1e-12 to every probability, and is newer than the scikit-learn that loramake asks for.
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
    """Isotonic regression of each label against the rest (Zadrozny and Elkan 2002), of two labels of the positive one.

    No line touches 0 or 1, as no number of rows proves that something never happens: what was seen in none of n rows
    counts as 1/labels of a row in n + 1 (Perks 1947; of two labels, Krichevsky and Trofimov 1981).
    """
    count = len(labels)
    least = 1 / (count * (len(truth) + 1))
    lines: list[IsotonicLine] = []
    for place in [1] if count == 2 else range(count):
        line = IsotonicRegression(y_min=least, y_max=1 - least).fit(probabilities[:, place], truth == place)
        lines.append({"label": labels[place], "x": line.X_thresholds_.tolist(), "y": line.y_thresholds_.tolist()})
    return lines


def apply_calibrator(calibrator: Calibrator, probabilities: Floats) -> Floats:
    """Calibrated probabilities, shape (rows, labels) as given, each row adding up to 1.

    A temperature keeps the order of a row's labels. ArtifactError where the calibrator is for other labels.
    """
    if probabilities.shape[1] != len(calibrator["labels"]):
        raise ArtifactError(
            f"{layout.CALIBRATOR.path} is for {len(calibrator['labels'])} labels and the predictions have "
            f"{probabilities.shape[1]}: delete it and run the experiment again."
        )
    calibrated: Floats = probabilities
    if calibrator["temperature"] is not None:
        calibrated = softmax(_log_probs(probabilities) / calibrator["temperature"], axis=1)
    elif calibrator["isotonic"] is not None:
        calibrated = _along(calibrator["isotonic"], probabilities)
    return calibrated


def _along(lines: list[IsotonicLine], probabilities: Floats) -> Floats:
    """Each label's probabilities read off its line, then made to add up to 1."""
    if len(lines) == 1:
        positive = np.interp(probabilities[:, 1], lines[0]["x"], lines[0]["y"])
        return np.stack([1 - positive, positive], axis=1)
    columns = [np.interp(column, line["x"], line["y"]) for line, column in zip(lines, probabilities.T, strict=True)]
    scores: Floats = np.stack(columns, axis=1)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores

"""Calibration errors: before, after, and how much of them may be chance."""

from loramake.artifact_types.trust import Calibrator, MeasuredCalibration
from loramake.evaluation.intervals import CONFIDENCE
from loramake.text import as_percent


def summarize_calibration(
    before: MeasuredCalibration, after: MeasuredCalibration, rows: int, calibrator: Calibrator
) -> str:
    """The calibration error before and after, and how much of it may be chance."""
    ece, perfect = after["measures"]["ece"], after["ece_if_calibrated"]
    if ece["value"] is None:
        return "Calibration is not measured: the test split has no rows."
    interval = f"{as_percent(CONFIDENCE)} interval {ece['low']:.3f} to {ece['high']:.3f}"
    text = f"Calibration: ECE {ece['value']:.3f} ({interval})"
    method, temperature = calibrator["method"], calibrator["temperature"]
    if method == "none":
        text += " without any calibration"
    else:
        name = "isotonic regression" if temperature is None else f"temperature {temperature:.2f}"
        text += f" after {name}, {before['measures']['ece']['value']:.3f} before"
    on = f"on {rows:,} row{'s' if rows > 1 else ''}"
    return f"{text}. Perfectly calibrated probabilities would show up to {perfect['high']:.3f} {on}."

"""Calibration errors: before, after, and what of them is chance."""

from loramake.artifact_types.trust import Calibrator, MeasuredCalibration
from loramake.evaluation.intervals import CONFIDENCE
from loramake.text import as_percent


def summarize_calibration(
    before: MeasuredCalibration, after: MeasuredCalibration, rows: int, calibrator: Calibrator
) -> str:
    """The calibration error before and after, and what of it is chance."""
    ece, perfect = after["measures"]["ece"], after["ece_if_calibrated"]
    if ece["value"] is None:
        return "Calibration is not measured: the test split has no rows."
    interval = f"{as_percent(CONFIDENCE)} interval {ece['low']:.3f} to {ece['high']:.3f}"
    found = f"Calibration: ECE {ece['value']:.3f} ({interval})"
    method, temperature = calibrator["method"], calibrator["temperature"]
    if method == "none":
        found += ", the probabilities being as the model gives them"
    else:
        name = "isotonic regression" if temperature is None else f"temperature {temperature:.2f}"
        found += f" after {name}, {before['measures']['ece']['value']:.3f} before"
    on = f"on {rows:,} row{'s' if rows > 1 else ''}"
    return f"{found}; {on}, perfect probabilities would show up to {perfect['high']:.3f}."

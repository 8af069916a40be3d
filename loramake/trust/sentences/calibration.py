"""The calibrator: how the probabilities were calibrated, and why no other way."""

from loramake.artifact_types.trust import Calibrator

METHOD_NAMES = {"isotonic": "isotonic regression", "temperature": "temperature scaling"}

_UNCALIBRATED = "The model's probabilities are used as they are"


def note_on_calibrator(calibrator: Calibrator, reasons: list[str], temperatures: tuple[float, float]) -> str | None:
    method, temperature = calibrator["method"], calibrator["temperature"]
    notes = []
    if reasons:
        why = "; ".join(reasons)
        used = METHOD_NAMES[method].capitalize() + " is used" if method != "none" else _UNCALIBRATED
        notes.append(f"{used}: {why}.")
    if temperature == temperatures[0]:
        notes.append("The temperature is at its lower limit: the calibration rows say too little to trust it.")
    if temperature == temperatures[1]:
        notes.append("The temperature is at its upper limit: the model's confidence does not predict its accuracy.")
    return " ".join(notes) or None


def summarize_calibrator(calibrator: Calibrator) -> str:
    return " ".join(part for part in (calibrator["note"], _outcome(calibrator)) if part)


def _outcome(calibrator: Calibrator) -> str | None:
    """What was done, in plain words; None where the note says it."""
    rows, temperature = calibrator["rows"]["fitted"], calibrator["temperature"]
    if calibrator["method"] == "none":
        return None if calibrator["note"] else f"{_UNCALIBRATED} (calibration: none)."
    if calibrator["method"] == "isotonic":
        return f"The probabilities are calibrated by isotonic regression, fitted on {rows:,} calibration rows."
    fitted = f"(temperature {temperature:.2f}, fitted on {rows:,} calibration rows)"
    if temperature is not None and temperature > 1.05:
        return f"The model is overconfident: its probabilities are scaled down {fitted}."
    if temperature is not None and temperature < 0.95:
        return f"The model is underconfident: its probabilities are sharpened {fitted}."
    return f"The model is already close to calibrated: its probabilities hardly change {fitted}."

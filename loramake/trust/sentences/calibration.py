"""The calibrator: what was done to the probabilities, and why nothing else."""

from loramake.artifact_types.trust import Calibrator

METHOD_NAMES = {"isotonic": "isotonic regression", "temperature": "temperature scaling"}


def note_on_calibrator(calibrator: Calibrator, reasons: list[str], temperatures: tuple[float, float]) -> str | None:
    method, temperature = calibrator["method"], calibrator["temperature"]
    notes = []
    if reasons:
        why = "; ".join(reasons)
        instead = (
            "the probabilities stay as the model gives them" if method == "none" else f"{METHOD_NAMES[method]} is used"
        )
        notes.append(f"{why[0].upper()}{why[1:]}; so {instead}.")
    if temperature == temperatures[0]:
        notes.append("The temperature is the lowest there is: the rows to fit on tell too little to trust it.")
    if temperature == temperatures[1]:
        notes.append("The temperature is the highest there is: how sure the model is tells nothing of how right it is.")
    return " ".join(notes) or None


def summarize_calibrator(calibrator: Calibrator) -> str:
    return " ".join(part for part in (calibrator["note"], _outcome(calibrator)) if part)


def _outcome(calibrator: Calibrator) -> str | None:
    """What was done, in plain words; nothing where the note says it."""
    rows, temperature = calibrator["rows"]["fitted"], calibrator["temperature"]
    if calibrator["method"] == "none":
        return None if calibrator["note"] else "The probabilities stay as the model gives them (calibration: none)."
    if calibrator["method"] == "isotonic":
        return f"The probabilities are mended by isotonic regression, fitted on {rows:,} calibration rows."
    fitted = f"(temperature {temperature:.2f}, fitted on {rows:,} calibration rows)"
    if temperature is not None and temperature > 1.05:
        return f"The model is too sure of itself: its probabilities are softened {fitted}."
    if temperature is not None and temperature < 0.95:
        return f"The model is less sure than it could be: its probabilities are sharpened {fitted}."
    return f"The model is about as sure as it should be: its probabilities hardly change {fitted}."

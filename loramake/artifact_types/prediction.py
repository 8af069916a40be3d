"""The predictions of a split."""

from typing import TypedDict

from loramake.artifact_types.shared import Source


class Prediction(TypedDict):
    """A line of predictions/*.jsonl and of the calibrated predictions under trust/."""

    row: int
    source: Source
    label: str | None
    predicted: str
    probabilities: dict[str, float]

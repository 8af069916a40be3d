"""The predictions of a split."""

from typing import TypedDict

from loramake.artifact_types.shared import SourceName


class Prediction(TypedDict):
    """A line of predictions/*.jsonl and of the calibrated predictions under trust/."""

    row: int
    source: SourceName
    label: str | None
    predicted: str
    probabilities: dict[str, float]

"""data/label_shift.json."""

from typing import TypedDict


class LabelShift(TypedDict):
    """How often each answer of the model occurs in the training split."""

    train: dict[str, int]
    balanced: dict[str, int]

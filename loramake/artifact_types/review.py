"""The decisions of the reviews."""

from typing import Literal, NotRequired, TypedDict

from loramake.artifact_types.shared import Strategy

ReviewName = Literal["data", "balance", "config"]


Decider = Literal["person", "setting", "file"]


class Decided(TypedDict):
    """What an approval decides."""

    balance: NotRequired[Strategy]
    """Of the data review."""


class Review(Decided):
    """review/data.json, review/balance.json and review/config.json."""

    review: ReviewName
    decision: Literal["approve"]
    by: Decider
    reviewed: dict[str, str]

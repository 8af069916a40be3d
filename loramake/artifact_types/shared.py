"""Parts shared by artifacts of several stages."""

from typing import Literal, TypedDict


class MadeBy(TypedDict):
    """Which agent made an artifact; `model` is None where no LLM was used."""

    provider: str
    model: str | None


class Estimate(TypedDict):
    """A measure and its interval, each None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None


class ExcludedColumn(TypedDict):
    """A column that no prediction may use, and why."""

    name: str
    reason: str


SourceName = Literal["csv", "test_csv"]
"""The table that a row is from."""

Strategy = Literal["none", "oversample", "undersample"]
"""How the labels of the training split are balanced."""

BalanceSetting = Strategy | Literal["auto"]
"""auto follows the plan's proposal."""

Outcome = Literal["better", "level", "worse"]
"""The outcome of a comparison, by its interval."""

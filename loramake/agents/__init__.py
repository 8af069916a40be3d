"""Agents: who decides what to predict and how, and writes the preparation code. One protocol, one method per step."""

from typing import Any, Protocol, TypedDict

import pandas as pd

from loramake.errors import ConfigError


class MadeBy(TypedDict):
    """Which agent made an artifact; `model` is None where no LLM was asked."""

    provider: str
    model: str | None


class Exploration(TypedDict):
    """The target column, its labels in order (of two, the last is the positive one), and why this column."""

    target: str
    labels: list[str]
    reason: str


class Finding(TypedDict):
    """One point of an agent's critique of prepared records."""

    issue: str
    severity: str
    rows: list[int]
    suggestion: str


class Agent(Protocol):
    """What every provider can do. Artifacts go in and come out as the dicts that their schemas describe."""

    by: MadeBy
    reads_notes: bool
    """Whether free-text feedback is understood."""

    def explore(self, profile: dict[str, Any], table: pd.DataFrame, target: str | None) -> Exploration:
        """Find the target (or take the given one) and order its labels."""

    def plan(
        self,
        profile: dict[str, Any],
        task: dict[str, Any],
        selected: dict[str, Any],
        card: dict[str, Any],
        notes: list[str],
    ) -> dict[str, Any]:
        """Decide how rows become prompts: plan.yaml."""

    def write_prep_code(self, plan: dict[str, Any]) -> str:
        """Python source that defines `fit(train) -> dict` and `transform(rows, state) -> list`."""

    def verify(self, plan: dict[str, Any], samples: dict[str, list[dict[str, Any]]]) -> list[Finding]:
        """Look at samples of each split and say what is wrong with them."""

    def write_balance_code(self, strategy: str) -> str:
        """Python source that defines `balance(records, seed) -> records`."""


def get_agent(provider: str) -> Agent:
    """The agent of that name; ConfigError where there is none."""
    from loramake.agents.builtin import BuiltinAgent

    if provider != "builtin":
        raise ConfigError(f"agent: {provider} is not known: set agent: builtin.")
    return BuiltinAgent()

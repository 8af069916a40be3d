"""Agents decide what to predict and how, and write the preparation code. One protocol, one method per step."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired, Protocol, TypedDict

import pandas as pd

from loramake.artifact_types.agents import Exploration
from loramake.artifact_types.explore import Profile, TaskDescription
from loramake.artifact_types.llm import Card
from loramake.artifact_types.prepare import ChosenFeatures, Finding, Plan, Record
from loramake.artifact_types.shared import MadeBy


class Failure(TypedDict):
    """A failed attempt at generated code."""

    code: str
    above: NotRequired[int]
    """Lines of the script above the code."""
    complaint: str
    check: str | None
    """The check that failed; None where the code did not finish."""
    output: str
    """What it printed."""
    rows: list[str]
    """Prompts that show the failure."""


class Sample(TypedDict):
    """A prepared record, and the cells of the row that it was made from."""

    record: Record
    cells: "pd.Series[Any]"


class Agent(Protocol):
    """What every provider can do. Artifacts go in and come out as the dicts that their schemas describe."""

    by: MadeBy
    reads_notes: bool
    """Whether free-text feedback is understood."""
    tries: int
    """How often the agent may write code until it works; with 1, its code is known to work and is not run."""

    def explore(self, profile: Profile, table: pd.DataFrame, target: str | None, notes: list[str]) -> Exploration:
        """Find the target (or take the given one) and order its labels; no labels stand for their usual order."""

    def plan(
        self,
        profile: Profile,
        task: TaskDescription,
        selected: ChosenFeatures,
        card: Card,
        notes: list[str],
    ) -> Plan:
        """Decide how rows become prompts: plan.yaml."""

    def write_prep_code(self, plan: Plan, profile: Profile, failures: list[Failure]) -> str:
        """Python source that defines `fit(train) -> dict` and `transform(rows, state) -> list`, after failures."""

    def verify(
        self, plan: Plan, profile: Profile, checks: list[str], samples: dict[str, list[Sample]]
    ) -> list[Finding]:
        """Say what is wrong with samples of each split."""

    def forget(self) -> None:
        """Drop this step's answers, which led to failure, so that the next run gets new ones."""

    def judged(self) -> str:
        """What `verify` based its findings on."""

    def write_balance_code(self, strategy: str, failures: list[Failure]) -> str:
        """Python source that defines `balance(records, seed) -> records`, given earlier failures."""


AGENT_KEYS = (
    "agent",
    "agent_model",
    "coder_model",
    "agent_api_base",
    "agent_sees",
    "agent_cache",
    "agent_timeout",
    "agent_max_tokens",
    "agent_temperature",
    "agent_prices",
)
"""The settings that select and configure the agent."""


def get_agent(settings: Mapping[str, Any], step: str, results: str | Path) -> Agent:
    """The agent that AGENT_KEYS describe, for one step of the experiment in the folder `results`.

    ConfigError if a model or a key is missing.
    """
    if settings["agent"] == "openai":
        from loramake.agents.openai import OpenAIAgent

        return OpenAIAgent(settings, step, Path(results))
    from loramake.agents.builtin import BuiltinAgent

    (Path(results) / "agent" / f"{step}.jsonl").unlink(missing_ok=True)
    return BuiltinAgent()

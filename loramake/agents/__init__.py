"""Agents: who decides what to predict and how, and writes the preparation code. One protocol, one method per step."""

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
    """What came of a try of generated code."""

    code: str
    above: NotRequired[int]
    """Lines of the script that stand above the code."""
    complaint: str
    check: str | None
    """The check that failed; None where the code did not run to its end."""
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
    """How often code may be written until it does what it has to; code of 1 try is not tried, but known to work."""

    def explore(self, profile: Profile, table: pd.DataFrame, target: str | None, notes: list[str]) -> Exploration:
        """Find the target (or take the given one) and order its labels."""

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
        """Python source that defines `fit(train) -> dict` and `transform(rows, state) -> list`, after earlier tries."""

    def verify(
        self, plan: Plan, profile: Profile, checks: list[str], samples: dict[str, list[Sample]]
    ) -> list[Finding]:
        """Look at samples of each split and say what is wrong with them."""

    def forget(self) -> None:
        """Answer this step's questions anew when they are asked again: what came of them was no good."""

    def judged(self) -> str:
        """What `verify` looked at."""

    def write_balance_code(self, strategy: str, failures: list[Failure]) -> str:
        """Python source that defines `balance(records, seed) -> records`, after earlier tries."""


AGENT_KEYS = (
    "agent",
    "agent_model",
    "coder_model",
    "agent_api_base",
    "agent_sees",
    "agent_cache",
    "agent_timeout",
    "agent_max_tokens",
    "agent_prices",
)
"""The settings that say which agent works, and how."""


def get_agent(settings: Mapping[str, Any], step: str, results: str | Path) -> Agent:
    """The agent that AGENT_KEYS describe, for one step of the experiment in the folder `results`.

    ConfigError where it lacks a model or a key.
    """
    if settings["agent"] == "openai":
        from loramake.agents.openai import OpenAIAgent

        return OpenAIAgent(settings, step, Path(results))
    from loramake.agents.builtin import BuiltinAgent

    (Path(results) / "agent" / f"{step}.jsonl").unlink(missing_ok=True)
    return BuiltinAgent()

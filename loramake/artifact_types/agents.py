"""Requests to agents, their answers, and what is cached of them."""

from typing import Literal, NotRequired, TypedDict

from loramake.artifact_types.prepare import BalanceProposal, Finding
from loramake.artifact_types.shared import ExcludedColumn


class Exploration(TypedDict):
    """The target column, its labels in order (of two, the last is the positive one), and why this column."""

    target: str
    labels: list[str]
    reason: str


class PlanAnswer(TypedDict):
    """The parts of a plan that a model decides."""

    instruction: str
    drop: list[ExcludedColumn]
    balance: BalanceProposal
    advice: str


class Critique(TypedDict):
    """What is wrong with prepared records."""

    findings: list[Finding]


class Message(TypedDict):
    """One message of a conversation with a model."""

    role: Literal["system", "user", "assistant"]
    content: str


class Call(TypedDict):
    """A line of agent/<step>.jsonl: a request to a model and its answer."""

    model: str
    messages: list[Message]
    answer: str
    tokens_in: int
    tokens_out: int
    seconds: float
    cost: float | None
    cached: bool


class Refusal(TypedDict):
    """A line of agent/<step>.jsonl: what was wrong with the answer above."""

    refused: str


class Reply(TypedDict):
    """An answer of a model, as it is cached."""

    text: str
    model: str
    tokens_in: int
    tokens_out: int
    seconds: float
    is_whole: bool
    """Whether it ended by itself, not at the token limit."""


Rung = Literal["json_schema", "json_object", "text"]
"""The strictest way to request JSON that a server accepts."""
TokenLimit = Literal["max_tokens", "max_completion_tokens"]
"""A server's name for the limit of an answer's length."""


class Way(TypedDict):
    """How requests to a server differ from the default."""

    rung: NotRequired[Rung]
    limit: NotRequired[TokenLimit]

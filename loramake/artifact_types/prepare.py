"""selected_features.json, plan.yaml, the prepared records, and verification.json."""

from typing import Any, Literal, NotRequired, TypedDict

from loramake.artifact_types.explore import ColumnType, DateOrder, NumberSigns
from loramake.artifact_types.shared import ExcludedColumn, MadeBy, SourceName, Strategy


class SelectedFeatures(TypedDict):
    """feature_selection/selected_features.json."""

    kept: list[str]
    dropped: list[ExcludedColumn]
    ranked: bool
    note: str


class ChosenFeatures(SelectedFeatures):
    """The selection after feedback on the plan."""

    wanted: NotRequired[list[str]]
    """Columns that feedback requests."""


class PlainNumbers(TypedDict):
    """Numbers as they are, rounded."""

    kind: Literal["plain"]
    significant_digits: int


class BinnedNumbers(TypedDict):
    """Numbers as the token of their quantile bin."""

    kind: Literal["bins"]
    bins: int
    token: str


NumberFormat = PlainNumbers | BinnedNumbers


class CellTokens(TypedDict):
    """Tokens that represent a column and its cell together."""

    columns: int
    number: str
    missing: str
    categories: int
    category: str


class MissingToken(TypedDict):
    """The token for a missing cell, and why it was chosen."""

    token: str
    reason: str


class Feature(TypedDict):
    """A column that reaches the prompt."""

    name: str
    type: ColumnType
    number_style: NumberSigns | None
    date_style: DateOrder | None
    missing_words: list[str]


class Answer(TypedDict):
    """A label and the answer that represents it."""

    value: str
    text: str


class BalanceProposal(TypedDict):
    """How the training split should be balanced, and why."""

    proposal: Strategy
    reason: str


class Plan(TypedDict):
    """plan.yaml."""

    target: str
    instruction: str
    feature_format: str
    feature_separator: str
    number_format: NumberFormat
    cell_tokens: CellTokens | None
    longest_cell: int
    missing: MissingToken
    features: list[Feature]
    dropped: list[ExcludedColumn]
    labels: list[Answer]
    balance: BalanceProposal
    advice: str
    unread_notes: int
    by: MadeBy


PrepState = dict[str, Any]
"""data/prep_state.json: the result of the generated `fit`; the generated code defines its keys."""


class Prompt(TypedDict):
    """The prompt of a row."""

    instruction: str
    input: str
    row: int


class Record(Prompt):
    """A row in LlamaFactory's alpaca format; a new row has neither an answer nor a source."""

    output: NotRequired[str]
    source: NotRequired[SourceName]


class Transformed(TypedDict):
    """The record of a new row, or why it has none."""

    record: Prompt | None
    failure: str | None


class CheckResult(TypedDict):
    """The outcome of one check."""

    name: str
    passed: bool
    detail: str


class TokenCounts(TypedDict):
    """Tokens of prompt and longest answer, over all records."""

    longest: int
    mean: float
    cutoff_len: int
    estimated: bool


Severity = Literal["low", "medium", "high"]


class Finding(TypedDict):
    """One point of an agent's critique of prepared records."""

    issue: str
    severity: Severity
    rows: list[int]
    suggestion: str


SandboxSetting = Literal["auto", "bubblewrap", "none"]


class SandboxUse(TypedDict):
    """The sandbox configured for generated code, and the one it ran in."""

    setting: SandboxSetting
    used: str


class Verification(TypedDict):
    """data/verification.json."""

    checks: list[CheckResult]
    tokens: TokenCounts
    classes: dict[str, dict[str, int]]
    critique: list[Finding]
    judged: str
    sandbox: SandboxUse
    by: MadeBy

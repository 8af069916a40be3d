"""The agent that needs no network and no key: deterministic rules. It reads no free-text feedback."""

import re
from dataclasses import dataclass

import pandas as pd

from loramake.agents import Failure, Sample
from loramake.agents.disclosure import LONGEST_CELL
from loramake.artifact_types.agents import Exploration
from loramake.artifact_types.explore import Profile, ProfileColumn, TaskDescription
from loramake.artifact_types.llm import Card
from loramake.artifact_types.prepare import BalanceProposal, ChosenFeatures, Feature, Finding, Plan
from loramake.artifact_types.shared import MadeBy
from loramake.errors import DataError
from loramake.rendering import render
from loramake.settings import Settings
from loramake.tasks import rows_by_label, task_of
from loramake.tasks.labels import MAX_LABELS_OF_NUMBERS
from loramake.text import listed

_TARGET_NAMES = re.compile(
    r"target|label|class|outcome|y|diagnosis|survived|species|churn(ed)?|default(ed)?|fraud|response|result|income|variety|quality",
    re.I,
)
_TARGET_WORDS = re.compile(
    r"target|label|outcome|diagnos|disease|churn|fraud|default|surviv|cancel|approved|is_|_class", re.I
)
SURE = 2.0
"""Score from which a column is a likely target."""
_MORE_THAN_POSITION = 1.0
"""Score, without that of its position, from which a column's own name and values support it."""

_CARD_DEFAULTS: Settings = {
    "number_format": {"kind": "plain", "significant_digits": 4},
    "cell_tokens": None,
    "missing_token": "unknown",
    "feature_format": "{name}: {value}",
    "feature_separator": "\n",
    "instruction": "Predict {target} from the values below. Answer with exactly one of: {labels}.",
    "label_format": {"kind": "plain"},
}
_RARE_LABEL = 0.2
_LABELS_NAMED = 50
_MAX_OVERSAMPLED_ROWS = 20_000


class BuiltinAgent:
    """Deterministic rules in place of an LLM."""

    by = MadeBy(provider="builtin", model=None)
    reads_notes = False
    tries = 1

    def explore(
        self,
        profile: Profile,
        table: pd.DataFrame,  # noqa: ARG002
        target: str | None,
        notes: list[str],  # noqa: ARG002
    ) -> Exploration:
        name, reason = (target, "set in the configuration or by feedback") if target else find_target(profile)
        return {"target": name, "labels": [], "reason": reason}

    def plan(
        self,
        profile: Profile,
        task: TaskDescription,
        selected: ChosenFeatures,
        card: Card,
        notes: list[str],
    ) -> Plan:
        style: Settings = {**_CARD_DEFAULTS, **{key: value for key, value in card.items() if key in _CARD_DEFAULTS}}
        columns = {column["name"]: column for column in profile["columns"]}
        target = task_of(task)
        return {
            "target": target.target,
            "instruction": style["instruction"].format(
                target=target.target, labels=listed(target.labels, _LABELS_NAMED)
            ),
            "feature_format": style["feature_format"],
            "feature_separator": style["feature_separator"],
            "number_format": style["number_format"],
            "cell_tokens": style["cell_tokens"],
            "longest_cell": LONGEST_CELL,
            "missing": {"token": style["missing_token"], "reason": "a missing cell is named, never guessed"},
            "features": [describe_feature(columns[name]) for name in selected["kept"]],
            "dropped": selected["dropped"],
            "labels": target.answers(style["label_format"]),
            "balance": propose_balance(list(rows_by_label(task).values())),
            "advice": "",
            "unread_notes": len(notes),
            "by": self.by,
        }

    def write_prep_code(self, plan: Plan, profile: Profile, failures: list[Failure]) -> str:  # noqa: ARG002
        return write_usual_code(plan)

    def verify(
        self,
        plan: Plan,  # noqa: ARG002
        profile: Profile,  # noqa: ARG002
        checks: list[str],  # noqa: ARG002
        samples: dict[str, list[Sample]],  # noqa: ARG002
    ) -> list[Finding]:
        """Rules cannot judge prose, so nothing is added to the deterministic checks."""
        return []

    def forget(self) -> None:
        """Rules have nothing to forget."""

    def judged(self) -> str:
        return "nothing beyond the checks: rules cannot judge prose"

    def write_balance_code(self, strategy: str, failures: list[Failure]) -> str:  # noqa: ARG002
        return render("builtin/write_balance_code.j2", strategy=strategy)


def describe_feature(column: ProfileColumn) -> Feature:
    """A column as the plan describes it: its type and how its cells are read."""
    return {
        "name": column["name"],
        "type": column["type"],
        "number_style": column["number_style"],
        "date_style": column["date_style"],
        "missing_words": [entry["value"] for entry in column["missing_words"]],
    }


def write_usual_code(plan: Plan) -> str:
    """The standard preparation code for a plan."""
    numbers = [feature["name"] for feature in plan["features"] if feature["type"] == "numeric"]
    return render("builtin/write_prep_code.j2", plan=plan, numbers=numbers)


@dataclass(frozen=True)
class Candidate:
    """A column as a candidate for the target."""

    name: str
    score: float
    reasons: list[str]
    is_by_position: bool
    """Whether little but the column's position supports it."""


def rank_targets(profile: Profile) -> list[Candidate]:
    """Every column, the likeliest target first; equally likely ones in the order of the table."""
    columns = profile["columns"]
    candidates = [_score_as_target(column, index, len(columns)) for index, column in enumerate(columns)]
    return sorted(candidates, key=lambda candidate: -candidate.score)


def find_target(profile: Profile) -> tuple[str, str]:
    """The column most likely meant as the target, and why; DataError if none stands out."""
    first = rank_targets(profile)[0]
    if first.score < SURE:
        raise DataError(f"{profile['csv']}: no column stands out as the target: set target in config.yaml.")
    return first.name, ", ".join(first.reasons)


def _score_as_target(column: ProfileColumn, index: int, width: int) -> Candidate:
    """The evidence for a column as the target: its name, position and number of values."""
    if column["type"] in ("id", "constant", "text", "date"):
        return Candidate(column["name"], 0.0, [], is_by_position=True)
    content = [
        (3.0, "its name says so", _TARGET_NAMES.fullmatch(column["name"]) is not None),
        (1.5, "a word in its name says so", _TARGET_WORDS.search(column["name"]) is not None),
        (1.0, "it has two values", column["distinct"] == 2),
        (0.5, "it has few values", 3 <= column["distinct"] <= MAX_LABELS_OF_NUMBERS),
        (-1.5, "", column["type"] == "numeric" and column["distinct"] > MAX_LABELS_OF_NUMBERS),
    ]
    position = [(2.0, "it is the last column", index == width - 1), (1.0, "it is the first column", index == 0)]
    evidence = [*content[:2], *position, *content[2:]]
    return Candidate(
        column["name"],
        sum(weight for weight, _, is_true in evidence if is_true),
        [why for _, why, is_true in evidence if is_true and why],
        is_by_position=sum(weight for weight, _, is_true in content if is_true) < _MORE_THAN_POSITION,
    )


def propose_balance(rows: list[int]) -> BalanceProposal:
    """Oversample a small table where a label has under a fifth of an even share (of two labels, under 10%).

    `rows` counts those of each label.
    """
    rarest, even = min(rows) / sum(rows), 1 / len(rows)
    if rarest < _RARE_LABEL * even and max(rows) * len(rows) <= _MAX_OVERSAMPLED_ROWS:
        reason = f"the rarest label has {rarest:.1%} of the rows; an even share would be {even:.1%}"
        return {"proposal": "oversample", "reason": reason}
    return {
        "proposal": "none",
        "reason": f"the rarest label has {rarest:.1%} of the rows; unbalanced, probabilities keep their meaning",
    }

"""The model's answer for each label, as in plan.yaml."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from loramake import artifacts, schemas
from loramake.artifact_types.prepare import Answer, Plan


class Answers(NamedTuple):
    """Labels and the answer of each, in the task's order."""

    labels: list[str]
    texts: list[str]

    @classmethod
    def of(cls, plan: Plan) -> "Answers":
        """The answers of a plan."""
        entries = plan["labels"]
        return cls([entry["value"] for entry in entries], [entry["text"] for entry in entries])

    @property
    def by_label(self) -> dict[str, str]:
        return dict(zip(self.labels, self.texts, strict=True))

    def entries(self) -> list[Answer]:
        """`labels` of plan.yaml."""
        return [{"value": label, "text": text} for label, text in self.by_label.items()]

    def count_outputs(self, outputs: Iterable[str]) -> dict[str, int]:
        """How many outputs of records there are for each label, zeros included."""
        counts = Counter(outputs)
        return {label: counts.get(text, 0) for label, text in self.by_label.items()}


def read_answers(plan: str | Path) -> Answers:
    """The answers of plan.yaml."""
    return Answers.of(artifacts.read(plan, schemas.PLAN))

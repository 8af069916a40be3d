"""What a target can be, and what that means for every stage.

A new kind of task is a module with a subclass of `Task` and a line in KINDS.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from loramake import artifacts, schemas
from loramake.artifact_types.explore import TaskDescription
from loramake.tasks.classification import Classification
from loramake.tasks.contract import CountedTask, Metric, Task
from loramake.tasks.labels import Spellings

__all__ = [
    "KINDS",
    "Classification",
    "CountedTask",
    "Metric",
    "Task",
    "find_task",
    "make_task",
    "read_task",
    "rows_by_label",
    "spellings_of",
    "task_of",
]

KINDS: Mapping[str, type[Task]] = {"binary": Classification, "multiclass": Classification}
"""By `task_type` of task.json."""


def make_task(kind: str, target: str, labels: Sequence[str], merge_labels: bool = True) -> Task:
    """A task by its `task_type`, its target and its labels in their order."""
    return KINDS[kind](target, list(labels), merge_labels)


def task_of(described: TaskDescription) -> Task:
    """The task that task.json describes."""
    labels = [label["value"] for label in described["labels"]]
    return make_task(described["task_type"], described["target"], labels, described["merge_labels"])


def rows_by_label(described: TaskDescription) -> dict[str, int]:
    """The CSV's rows of each label by task.json, in the task's order."""
    return {label["value"]: label["rows"] for label in described["labels"]}


def spellings_of(described: TaskDescription) -> Spellings:
    """How the CSV writes each label by task.json, in the task's order."""
    spellings: Spellings = {}
    for label in described["labels"]:
        others = {spelling["value"]: spelling["rows"] for spelling in label["spellings"]}
        spellings[label["value"]] = {label["value"]: label["rows"] - sum(others.values()), **others}
    return spellings


def read_task(path: str | Path) -> Task:
    """The task of task.json."""
    return task_of(artifacts.read(path, schemas.TASK))


def find_task(
    csv: str | Path, target: "pd.Series[str]", order: Sequence[str], rare_labels: str, merge_labels: bool
) -> CountedTask:
    """The task of a column of the CSV; DataError where the column cannot be a target."""
    return Classification.find(csv, target, order, rare_labels, merge_labels)

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

__all__ = [
    "KINDS",
    "Classification",
    "Metric",
    "Task",
    "find_task",
    "make_task",
    "read_task",
    "rows_by_label",
    "task_of",
]

KINDS: Mapping[str, type[Task]] = {"binary": Classification, "multiclass": Classification}
"""By `task_type` of task.json."""


def make_task(kind: str, target: str, labels: Sequence[str]) -> Task:
    """A task by its `task_type`, its target and its labels in their order."""
    return KINDS[kind](target, list(labels))


def task_of(described: TaskDescription) -> Task:
    """The task that task.json describes."""
    labels = [label["value"] for label in described["labels"]]
    return make_task(described["task_type"], described["target"], labels)


def rows_by_label(described: TaskDescription) -> dict[str, int]:
    """The CSV's rows of each label by task.json, in the task's order."""
    return {label["value"]: label["rows"] for label in described["labels"]}


def read_task(path: str | Path) -> Task:
    """The task of task.json."""
    return task_of(artifacts.read(path, schemas.TASK))


def find_task(csv: str | Path, target: "pd.Series[str]", order: Sequence[str], rare_labels: str) -> CountedTask:
    """The task of a column of the CSV; DataError where the column cannot be a target."""
    return Classification.find(csv, target, order, rare_labels)

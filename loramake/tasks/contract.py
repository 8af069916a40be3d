"""The interface of a task, used by every stage. A kind of task is a module beside this one, listed in tasks.KINDS."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd

from loramake import layout
from loramake.arrays import Codes
from loramake.artifact_types.evaluation import MetricName
from loramake.artifact_types.explore import DescribedTarget, TaskType
from loramake.artifact_types.llm import LabelFormat
from loramake.artifact_types.prepare import Answer
from loramake.errors import DataError
from loramake.tables.spelling import map_cells
from loramake.tasks.labels import Label, Spellings, label_key, typed_labels


class Metric(NamedTuple):
    """A measure of predicted probabilities; `evaluation.metrics` computes it."""

    name: MetricName
    """As in metrics.json."""
    title: str
    """As sentences name it."""
    sign: int = 1
    """1 where more is better, -1 where less is."""


@dataclass(frozen=True)
class Task(ABC):
    """A target whose values are scored as `labels`: a row's prediction is a probability for each of them."""

    target: str
    labels: list[str]
    """In the order of codes and of columns of probabilities."""
    merge_labels: bool = True
    """Whether cells that differ from a label only in case, or in how a number is written, have that label."""

    verdict_metric: ClassVar[Metric]
    """The metric by which loramake is compared with the baselines."""
    compared_metrics: ClassVar[tuple[Metric, ...]]
    """The metrics that `loramake compare` shows."""
    shown_metrics: ClassVar[tuple[MetricName, ...]]
    """The metrics in the report's main table."""
    baselines: ClassVar[tuple[str, ...]]
    """The models of `evaluation.baselines` that are fitted beside the LLM."""

    @property
    @abstractmethod
    def kind(self) -> TaskType:
        """`task_type` of task.json."""

    @property
    @abstractmethod
    def metric_names(self) -> list[MetricName]:
        """All metrics of metrics.json, in its order."""

    @property
    @abstractmethod
    def positive(self) -> int | None:
        """The code of the positive label; None where there is none."""

    @property
    def positive_label(self) -> str | None:
        return None if self.positive is None else self.labels[self.positive]

    @property
    def free_codes(self) -> list[int]:
        """The labels whose probabilities determine the others: with two labels, one suffices."""
        return list(range(len(self.labels))) if self.positive is None else [self.positive]

    @abstractmethod
    def ranked_codes(self, truth: Codes) -> list[int]:
        """The labels whose scores can be ranked against the rest, given these true labels; [] if none can."""

    @cached_property
    def typed_labels(self) -> list[Label]:
        """The labels in the type that pandas reads the target as."""
        return typed_labels(self.labels)

    def labels_of(self, cells: "pd.Series[str]") -> "pd.Series[str]":
        """The label of each cell; a cell without any of the task's stays as it is."""
        key = label_key(self.merge_labels)
        labels = {key(label): label for label in self.labels}
        return map_cells(cells, lambda cell: labels.get(key(cell), cell))

    def codes_of(self, cells: "pd.Series[str]", where: str | Path) -> Codes:
        """The code of each cell's label, shape (rows,); DataError where a cell is not a label of the task."""
        codes = {label: code for code, label in enumerate(self.labels)}
        unknown = sorted({str(cell) for cell in cells if cell not in codes})
        if unknown:
            raise DataError(
                f"{where}: the label {unknown[0]!r} is not one of the task's: delete {layout.TASK.path} and run again."
            )
        return np.array([codes[cell] for cell in cells], dtype=np.int64)

    def rows_with_label(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows that have a label of the task, which is now their target cell; the index is still the CSV's."""
        labelled = self.with_labels(table)
        return labelled[labelled[self.target].isin(self.labels)]

    def with_labels(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with each row's label, as `labels_of` gives it, as its target cell."""
        return table.assign(**{self.target: self.labels_of(table[self.target])})

    def describe(self, rows: "pd.Series[int]", spellings: Spellings) -> DescribedTarget:
        """The target as described in task.json; `rows` counts the CSV's rows by label."""
        return {
            "target": self.target,
            "task_type": self.kind,
            "merge_labels": self.merge_labels,
            "labels": [
                {
                    "value": label,
                    "rows": int(rows[label]),
                    "spellings": [
                        {"value": cell, "rows": count} for cell, count in spellings[label].items() if cell != label
                    ],
                }
                for label in self.labels
            ],
            "positive_label": self.positive_label,
        }

    @abstractmethod
    def answers(self, label_format: LabelFormat) -> list[Answer]:
        """What the model answers for each label: `labels` of plan.yaml, in the card's format."""

    @classmethod
    @abstractmethod
    def find(
        cls, csv: str | Path, target: "pd.Series[str]", order: Sequence[str], rare_labels: str, merge_labels: bool
    ) -> "CountedTask":
        """The task of a column of the CSV; DataError where the column cannot be a target.

        `order` names the column's values in the order of the labels; if it names fewer, the labels have their usual
        order.
        """

    @abstractmethod
    def check_test(self, test_csv: str | Path, target: "pd.Series[str]") -> None:
        """Raise DataError where the test table's target cannot be used for testing."""


class CountedTask(NamedTuple):
    """A task, and the rows of the CSV by label and by spelling."""

    task: Task
    rows: "pd.Series[int]"
    spellings: Spellings

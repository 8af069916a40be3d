"""The rows of an experiment with their labels: what every step that needs labels reads."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from loramake.tables.source import Source, describe_source
from loramake.tasks import Task, read_task


@dataclass(frozen=True)
class LabelledSource(Source):
    """The tables with each row's label as its target cell; a cell without any of the task's stays as it is."""

    task: Task = field(kw_only=True)

    def read(self) -> dict[str, pd.DataFrame]:
        return {name: self.task.with_labels(table) for name, table in self._tables().items()}

    def _tables(self) -> dict[str, pd.DataFrame]:
        return Source(self.csv, self.test_csv).with_target(self.task.target).read()


def describe_labelled(
    csv: str | Path, test_csv: str | Path | None, profile: str | Path, task: str | Path
) -> LabelledSource:
    """The tables, written as profile.json says, with the labels of task.json."""
    source = describe_source(csv, test_csv, profile)
    return LabelledSource(source.csv, source.test_csv, task=read_task(task))

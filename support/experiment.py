"""An experiment up to its prepared data, without Snakemake."""

from pathlib import Path
from typing import Any

import pandas as pd

from loramake import artifacts
from loramake.agents.builtin import BuiltinAgent
from loramake.explore.profile import profile_csv
from loramake.explore.splits import Ratios, assign_splits, read_splits
from loramake.explore.task import explore_data
from loramake.explore.unusable import find_unusable_columns
from loramake.prepare.checks import Prepared
from loramake.prepare.code import choose_prep_sandbox, write_prep_code
from loramake.prepare.execution import execute_prep_code, feature_names, transform_rows
from loramake.prepare.features import select_features
from loramake.prepare.plan import plan_preparation
from loramake.prepare.verification import verify_prepared_data
from loramake.sandbox import Sandbox
from loramake.tables.source import describe_source
from loramake.tasks.source import LabelledSource, describe_labelled

ROOT = Path(__file__).parents[1]
TINY = str(ROOT / "models/tiny")

EXPLORE = {
    "target": None,
    "group_column": None,
    "time_column": None,
    "rare_labels": "error",
    "merge_labels": True,
}
"""The settings of explore_data at their defaults."""

ENCODER = {"model": TINY, "template": None, "trust_remote_code": False}


class Experiment:
    """Everything up to the prepared data, in one folder."""

    def __init__(
        self, folder: Path, csv: Path, model: str = TINY, test_csv: Path | None = None, feedback: Path | None = None
    ) -> None:
        self.folder, self.csv, self.test_csv = folder, csv, test_csv
        self.profile, self.task, self.splits = folder / "profile.json", folder / "task.json", folder / "splits.csv"
        self.selected, self.plan, self.script = (
            folder / "selected.json",
            folder / "plan.yaml",
            folder / "prepare_data.py",
        )
        self.all_data, self.state = folder / "all_data.json", folder / "prep_state.json"
        profile_csv(csv, test_csv, self.profile)
        explore_data(
            describe_source(csv, test_csv, self.profile), self.profile, None, EXPLORE, BuiltinAgent(), self.task
        )
        ratios = Ratios(validation_ratio=0.0, calibration_ratio=0.15, test_ratio=0.2)
        assign_splits(self.source, self.profile, self.task, ratios, 42, self.splits, folder / "splits.json")
        unusable, rankings = folder / "unusable_columns.json", folder / "rankings.csv"
        find_unusable_columns(self.source, self.profile, self.splits, {"column_types": None}, unusable)
        select_features(self.source, self.profile, self.task, self.splits, unusable, 50, 42, self.selected, rankings)
        plan_preparation(self.profile, self.task, self.selected, feedback, model, BuiltinAgent(), self.plan)
        agent = BuiltinAgent()
        write_prep_code(self.plan, self.profile, self.source, self.splits, agent, self.sandbox, self.script)

    @property
    def source(self) -> LabelledSource:
        return describe_labelled(self.csv, self.test_csv, self.profile, self.task)

    @property
    def sandbox(self) -> Sandbox:
        return choose_prep_sandbox("auto", self.plan)

    def execute(self) -> list[dict[str, Any]]:
        """The records; written to all_data, beside them the state."""
        files = (self.script, self.plan, self.source, self.splits)
        execute_prep_code(*files, self.sandbox, self.all_data, self.state)
        return artifacts.read(self.all_data, "records")

    def transform(self, rows: pd.DataFrame) -> list[str]:
        """The inputs of new rows."""
        names = feature_names(artifacts.read(self.plan, "plan"))
        return [record["input"] for record in transform_rows(self.script, names, rows, self.state, self.sandbox)]

    def prepared(self) -> Prepared:
        return Prepared(
            artifacts.read(self.all_data, "records"),
            artifacts.read(self.plan, "plan"),
            read_splits(self.splits),
            self.source.read(),
            self.script,
            self.state,
            self.sandbox,
        )

    def verify(self, cutoff_len: int = 2048) -> dict[str, Any]:
        out = self.folder / "verification.json"
        verify_prepared_data(
            self.all_data,
            self.plan,
            self.splits,
            self.script,
            self.state,
            self.source,
            self.profile,
            ENCODER,
            cutoff_len,
            BuiltinAgent(),
            self.sandbox,
            out,
        )
        return artifacts.read(out, "verification")

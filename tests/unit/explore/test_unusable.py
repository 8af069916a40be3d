"""Columns that no prediction may use are found on the train rows: what other rows contain changes nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loramake import artifacts
from loramake.agents.builtin import BuiltinAgent
from loramake.explore.profile import profile_csv
from loramake.explore.splits import Ratios, assign_splits, read_splits
from loramake.explore.task import explore_data
from loramake.explore.unusable import find_unusable_columns
from loramake.tables.source import describe_source
from loramake.tasks.source import describe_labelled
from support.experiment import EXPLORE
from tests.conftest import ROOT

RATIOS = Ratios(validation_ratio=0.0, calibration_ratio=0.15, test_ratio=0.2)


def prepare(folder: Path, csv: Path, target: str | None = None) -> pd.DataFrame:
    """task.json and splits.csv of a CSV; its lines."""
    profile, task = folder / "profile.json", folder / "task.json"
    profile_csv(csv, None, profile)
    source = describe_source(csv, None, profile)
    explore_data(source, profile, None, {**EXPLORE, "target": target}, BuiltinAgent(), task)
    assign_splits(source, profile, task, RATIOS, 42, folder / "splits.csv", folder / "splits.json")
    return read_splits(folder / "splits.csv")


def find(folder: Path, csv: Path, types: dict[str, str] | None = None) -> Any:
    source = describe_labelled(csv, None, folder / "profile.json", folder / "task.json")
    profile, splits = folder / "profile.json", folder / "splits.csv"
    find_unusable_columns(source, profile, splits, {"column_types": types}, folder / "unusable.json")
    return artifacts.read(folder / "unusable.json", "unusable_columns")


def names(columns: list[dict[str, str]]) -> list[str]:
    return [column["name"] for column in columns]


def table(rows: int = 300) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    truth = generator.integers(2, size=rows)
    return pd.DataFrame(
        {
            "count": np.arange(rows) + 17,
            "patient_id": generator.permutation(rows * 7)[:rows],
            "same": "x",
            "age": generator.normal(size=rows).round(6),
            "copy": np.where(truth == 1, "ill", "well"),
            "y": truth,
        }
    ).astype(str)


@pytest.mark.parametrize(("name", "leaks"), [("heart", []), ("diabetes", []), ("titanic", ["alive"]), ("penguins", [])])
def test_leaks_of_the_demo_tables(tmp_path: Path, name: str, leaks: list[str]) -> None:
    lines = prepare(tmp_path, ROOT / f"data/{name}.csv")
    found = find(tmp_path, ROOT / f"data/{name}.csv")
    assert names(found["leaks"]) == leaks
    assert found["rows"] == (lines["split"] == "train").sum()


def test_ids_constants_and_leaks_are_found_with_a_reason(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "t.csv", index=False)
    prepare(tmp_path, tmp_path / "t.csv", "y")
    found = find(tmp_path, tmp_path / "t.csv")
    assert names(found["ids"]) == ["count", "patient_id"]
    assert found["constants"] == [{"name": "same", "reason": "it never changes in the train rows"}]
    assert names(found["leaks"]) == ["copy"]


def test_a_column_of_a_declared_type_is_no_id(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "t.csv", index=False)
    prepare(tmp_path, tmp_path / "t.csv", "y")
    types = {"patient_id": "numeric", "count": "numeric"}
    assert names(find(tmp_path, tmp_path / "t.csv", types)["ids"]) == []


def test_the_other_rows_have_no_say(tmp_path: Path) -> None:
    """With other labels in the test rows, a leak was no longer found."""
    rows = table()
    rows.to_csv(tmp_path / "t.csv", index=False)
    lines = prepare(tmp_path, tmp_path / "t.csv", "y")
    find(tmp_path, tmp_path / "t.csv")
    first = (tmp_path / "unusable.json").read_bytes()
    others = lines.loc[lines["split"] != "train", "row"]
    rows.loc[others, "y"] = rows.loc[others, "y"].map({"0": "1", "1": "0"})
    rows.loc[others, "same"] = "z"
    rows.loc[others, "patient_id"] = "5"
    rows.loc[others, "age"] = "7"
    rows.to_csv(tmp_path / "t.csv", index=False)
    find(tmp_path, tmp_path / "t.csv")
    assert (tmp_path / "unusable.json").read_bytes() == first
    train = lines.loc[lines["split"] == "train", "row"]
    rows.loc[train, "same"] = rows.loc[train, "age"]
    rows.to_csv(tmp_path / "t.csv", index=False)
    assert names(find(tmp_path, tmp_path / "t.csv")["constants"]) == []


def test_a_leak_is_found_whatever_the_case_of_the_labels(tmp_path: Path) -> None:
    rows = table()
    rows["y"] = np.where(rows["y"] == "1", np.where(rows.index % 2, "Yes", "YES"), "no")
    rows.to_csv(tmp_path / "t.csv", index=False)
    prepare(tmp_path, tmp_path / "t.csv", "y")
    assert names(find(tmp_path, tmp_path / "t.csv")["leaks"]) == ["copy"]

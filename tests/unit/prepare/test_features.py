from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loramake import artifacts
from loramake.errors import DataError
from loramake.explore.profile import profile_column
from loramake.plots.features import plot_feature_rankings
from loramake.prepare.features import find_dropped, select_features
from loramake.tables.reading import Dialect
from loramake.tables.source import describe_source
from tests.conftest import task_of

TASK = task_of(["0", "1"])
UNUSABLE = {
    "rows": 150,
    "ids": [{"name": "id", "reason": "names the row"}],
    "constants": [],
    "leaks": [{"name": "leak", "reason": "gives it away"}],
}


def wide_table(features: int) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    truth = generator.integers(2, size=200)
    columns = {f"f{index}": generator.normal(size=200) for index in range(features)}
    columns["f3"] = 3 * truth + generator.normal(size=200)
    columns["f5"] = np.where(truth == 1, "b", "a")
    columns["f5"][:30] = "a"
    columns["f7"] = np.zeros(200)
    extra = {"id": range(200), "leak": truth, "y": truth}
    return pd.DataFrame(columns | extra).astype(str)


def select(folder: Path, table: pd.DataFrame, keep: int) -> tuple[dict[str, list[str]], pd.DataFrame]:
    table.to_csv(folder / "t.csv", index=False)
    columns = [profile_column(table[name]) for name in table.columns]
    profile = {
        "csv": "t.csv",
        **Dialect().as_dict(),
        "rows": 200,
        "duplicate_rows": 0,
        "columns": columns,
        "test_csv": None,
    }
    artifacts.write(folder / "profile.json", profile, "profile")
    artifacts.write(folder / "task.json", TASK, "task")
    artifacts.write(folder / "unusable.json", UNUSABLE, "unusable_columns")
    splits = pd.DataFrame({"row": range(200), "source": "csv", "split": ["train"] * 150 + ["test"] * 50})
    splits.to_csv(folder / "splits.csv", index=False)
    out, rankings = folder / "selected.json", folder / "rankings.csv"
    source = describe_source(folder / "t.csv", None, folder / "profile.json")
    files = [folder / name for name in ("profile.json", "task.json", "splits.csv", "unusable.json")]
    select_features(source, *files, keep, 0, out, rankings)
    return artifacts.read(out, "selected_features"), pd.read_csv(rankings)


def test_under_fifty_features_all_are_kept_but_ids_constants_and_leaks(tmp_path: Path) -> None:
    selected, rankings = select(tmp_path, wide_table(10), 50)
    assert selected["kept"] == [f"f{index}" for index in range(10)]
    assert [entry["name"] for entry in selected["dropped"]] == ["id", "leak"]
    assert selected["ranked"] is False
    assert rankings["feature"].tolist() == selected["kept"]


def test_from_fifty_features_the_best_are_kept_in_the_order_of_the_table(tmp_path: Path) -> None:
    selected, rankings = select(tmp_path, wide_table(60), 5)
    assert selected["ranked"] is True
    assert rankings["feature"].head(2).sort_values().tolist() == ["f3", "f5"]
    assert {"f3", "f5"} <= set(selected["kept"])
    assert len(selected["kept"]) == 5
    assert selected["kept"] == sorted(selected["kept"], key=lambda name: int(name[1:]))
    assert "f7" not in selected["kept"]


def test_test_rows_have_no_say_in_the_ranking(tmp_path: Path) -> None:
    table = wide_table(60)
    first = select(tmp_path, table, 5)
    table.loc[150:, "f9"] = table.loc[150:, "y"]
    assert select(tmp_path, table, 5)[0] == first[0]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for _ in range(2):
        select(tmp_path, wide_table(60), 5)
        written.append([(tmp_path / name).read_bytes() for name in ("selected.json", "rankings.csv")])
    assert written[0] == written[1]


def test_a_column_that_changes_on_test_rows_only_is_dropped_with_that_reason(tmp_path: Path) -> None:
    table = wide_table(60)
    table.loc[150:, "f7"] = "1"
    selected, _ = select(tmp_path, table, 50)
    reasons = {entry["name"]: entry["reason"] for entry in selected["dropped"]}
    assert reasons.pop("f7") == "it is constant on the train rows"
    assert "ranked below the 50 best" in reasons.values()


def test_a_wide_table_that_never_changes_on_train_rows_is_refused(tmp_path: Path) -> None:
    table = wide_table(60)
    table.loc[:149, [f"f{index}" for index in range(60)]] = "1"
    with pytest.raises(DataError, match="every feature is constant on the train rows"):
        select(tmp_path, table, 50)


def test_feedback_takes_a_leak_back_in_and_drops_what_it_names() -> None:
    task = {**TASK, "feedback": {"keep": ["leak"], "drop": ["f1", "id"], "unread_notes": 0}}
    assert [(entry["name"], entry["reason"].partition(":")[0]) for entry in find_dropped(task, UNUSABLE)] == [
        ("id", "id"),
        ("f1", "dropped by feedback"),
    ]


def test_names_that_a_spreadsheet_would_compute_are_guarded_in_the_rankings_and_drawn_as_they_are(
    tmp_path: Path,
) -> None:
    named = {"f0": "=1+1", "f1": "@x", "f2": "\uff0dy", "f3": " +z", "f4": "-0.5"}
    selected, rankings = select(tmp_path, wide_table(6).rename(columns=named), 50)
    assert rankings["feature"].tolist() == ["'=1+1", "'@x", "'\uff0dy", "' +z", "-0.5", "f5", "f7"]
    assert selected["kept"][0] == "=1+1"
    plot_feature_rankings(tmp_path / "rankings.csv", tmp_path / "rankings.svg")

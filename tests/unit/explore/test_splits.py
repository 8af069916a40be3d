from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loramake import artifacts
from loramake.agents.builtin import BuiltinAgent
from loramake.errors import DataError
from loramake.explore.profile import profile_csv
from loramake.explore.splits import Ratios, assign, assign_splits, by_time, read_splits, split_shares
from loramake.explore.task import explore_data
from loramake.tables.reading import read_table
from loramake.tables.source import describe_source
from support.experiment import EXPLORE
from tests.conftest import ROOT

RATIOS = Ratios(validation_ratio=0.0, calibration_ratio=0.15, test_ratio=0.2)
SHARES = split_shares(RATIOS, has_test_csv=False)


def table(name: str) -> pd.DataFrame:
    return read_table(ROOT / f"data/{name}.csv")


def split(rows: pd.DataFrame, target: str, seed: int = 42, ids: tuple[str, ...] = (), **columns: str) -> pd.Series:
    task = {"target": target, "group_column": None, "time_column": None}
    types = [{"name": name, "type": "id" if name in ids else "text"} for name in rows.columns]
    return pd.Series(assign(rows, task | columns, types, SHARES, seed, "t.csv")[0])


def split_file(folder: Path, csv: Path, test_csv: Path | None = None, **settings: str) -> tuple[pd.DataFrame, Any]:
    """splits.csv and splits.json of a real file."""
    profile_csv(csv, test_csv, folder / "profile.json")
    source = describe_source(csv, test_csv, folder / "profile.json")
    explore_data(source, folder / "profile.json", None, EXPLORE | settings, BuiltinAgent(), folder / "task.json")
    out, summary = folder / "splits.csv", folder / "splits.json"
    assign_splits(source, folder / "profile.json", folder / "task.json", RATIOS, 42, out, summary)
    return read_splits(out), artifacts.read(summary, "splits")


def visits(patients: int = 60) -> pd.DataFrame:
    """Three visits of every patient, on different days, ill or not for good."""
    rows = [
        {
            "patient": f"P{p}",
            "day": f"{1 + 7 * p % 28:02}/{1 + visit}/2024",
            "x": str(p * 31 % 17 + visit),
            "ill": p % 2,
        }
        for visit in range(3)
        for p in range(patients)
    ]
    return pd.DataFrame(rows).astype(str)


def test_shares_are_of_all_rows_and_labels_are_spread_evenly() -> None:
    heart = table("heart")
    splits = split(heart, "HeartDisease")
    assert (splits.value_counts(normalize=True) - pd.Series(SHARES)).abs().drop("validation").max() < 0.01
    rates = (heart["HeartDisease"] == "1").groupby(splits).mean()
    assert rates.max() - rates.min() < 0.01


def test_the_same_seed_splits_the_same_and_another_seed_does_not() -> None:
    heart = table("heart")
    first = split(heart, "HeartDisease")
    assert split(heart, "HeartDisease").equals(first)
    assert not split(heart, "HeartDisease", 43).equals(first)


def test_the_order_of_rows_and_columns_changes_nothing() -> None:
    heart = table("heart").drop_duplicates()
    first = split(heart, "HeartDisease")
    mixed = heart.sample(frac=1, random_state=1)[list(reversed(heart.columns))]
    assert split(mixed, "HeartDisease").sort_index().equals(first)


def test_identical_rows_are_on_the_same_side_whatever_their_ids_and_labels() -> None:
    titanic = table("titanic").assign(id=[str(row) for row in range(891)])
    features = titanic.drop(columns=["survived", "alive", "id"]).fillna("")
    assert features.duplicated().sum() > 50
    repeated = split(titanic.drop(columns="alive"), "survived", 7, ids=("id",))
    sides = repeated.groupby([features[name] for name in features.columns]).nunique()
    assert sides.max() == 1


def test_rows_of_equal_values_are_on_the_same_side_however_they_are_written() -> None:
    rows = pd.DataFrame({"x": [str(row) for row in range(300)], "town": "Paris", "y": ["a", "b"] * 150})
    written = rows.assign(x=rows["x"] + ".0", town="PARIS\u00a0")
    sides = split(pd.concat([rows, written], ignore_index=True), "y")
    assert sides[:300].tolist() == sides[300:].tolist()
    assert sides.nunique() == 3
    alone = split(rows, "y")
    assert alone.nunique() == 3


def test_a_group_written_in_two_ways_is_one_group(tmp_path: Path) -> None:
    rows = visits()
    rows.loc[60:119, "patient"] = rows.loc[60:119, "patient"].str.lower()
    sides = split(rows, "ill", group_column="patient")
    assert sides.groupby(rows["patient"].str.upper()).nunique().max() == 1
    rows.iloc[:120].to_csv(tmp_path / "t.csv", index=False)
    rows.iloc[120:].assign(patient=lambda part: part["patient"].str.lower()).to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(DataError, match=r"60 values of group_column patient are in the CSV too"):
        split_file(tmp_path, tmp_path / "t.csv", tmp_path / "test.csv", target="ill", group_column="patient")


def test_the_target_of_rows_has_no_part_in_which_rows_stay_together() -> None:
    rows = pd.DataFrame({"x": [str(row // 2) for row in range(200)], "y": ["a", "b"] * 100})
    sides = split(rows, "y")
    assert sides.groupby(rows["x"]).nunique().max() == 1


def test_a_label_with_few_train_rows_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = visits()
    rows.loc[:9, "ill"] = "rare"
    rows.to_csv(tmp_path / "t.csv", index=False)
    lines, _ = split_file(tmp_path, tmp_path / "t.csv", target="ill")
    count = (rows.loc[lines.loc[lines["split"] == "train", "row"], "ill"] == "rare").sum()
    said = " ".join(capsys.readouterr().err.split())
    assert f"fewer than 20 train rows for rare ({count}): hardly enough to learn from" in said


def test_rows_of_the_test_table_that_are_in_the_csv_are_counted_however_they_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = visits()
    rows.iloc[:150].to_csv(tmp_path / "t.csv", index=False)
    written = rows.iloc[145:].assign(x=lambda part: part["x"] + ".0", patient=lambda part: part["patient"].str.lower())
    written.to_csv(tmp_path / "test.csv", index=False)
    split_file(tmp_path, tmp_path / "t.csv", tmp_path / "test.csv", target="ill")
    assert "5 of 35 rows are in the CSV too" in " ".join(capsys.readouterr().err.split())


def test_a_small_label_is_trained_on() -> None:
    small = pd.DataFrame({"x": [str(i) for i in range(21)], "y": ["a"] * 20 + ["rare"]})
    assert split(small, "y", 0)[20] == "train"


@pytest.mark.parametrize(
    ("rows", "train", "calibration", "test"), [(1, 1, 0, 0), (2, 1, 1, 0), (3, 2, 0, 1), (5, 3, 1, 1), (20, 13, 3, 4)]
)
def test_the_rows_of_a_rare_label_are_cut_at_their_middles(rows: int, train: int, calibration: int, test: int) -> None:
    values = [str(row) for row in range(100 + rows)]
    sides = split(pd.DataFrame({"x": values, "y": ["a"] * 100 + ["rare"] * rows}), "y", 0)[100:]
    assert [(sides == name).sum() for name in ("train", "calibration", "test")] == [train, calibration, test]


def test_a_test_table_leaves_every_row_of_the_csv_untested() -> None:
    assert split_shares(RATIOS, has_test_csv=True)["test"] == 0.0


def test_a_table_of_one_feature_of_few_values_still_fills_every_split() -> None:
    coarse = pd.DataFrame({"x": ["a", "b"] * 100, "y": [str(row % 3 % 2) for row in range(200)]})
    counts = split(coarse, "y", 0).value_counts()
    assert (counts - pd.Series({"train": 130, "calibration": 30, "test": 40})).abs().max() <= 3


def test_a_table_of_ids_alone_is_split_row_by_row() -> None:
    ids = pd.DataFrame({"id": [str(row) for row in range(100)], "y": ["a", "b"] * 50})
    assert abs(split(ids, "y", 0, ids=("id",)).value_counts()["train"] - 65) <= 2


def test_no_group_is_on_two_sides_and_labels_stay_even() -> None:
    rows = visits()
    sides = split(rows, "ill", group_column="patient")
    assert sides.groupby(rows["patient"]).nunique().max() == 1
    assert (sides.value_counts(normalize=True) - pd.Series(SHARES)).abs().drop("validation").max() < 0.03
    rates = (rows["ill"] == "1").groupby(sides).mean()
    assert rates.max() - rates.min() < 0.05
    mixed = rows.sample(frac=1, random_state=1)
    assert split(mixed, "ill", group_column="patient").sort_index().equals(sides)


def test_rows_without_a_group_are_groups_of_their_own() -> None:
    rows = visits().assign(patient=None)
    assert abs(split(rows, "ill", group_column="patient").value_counts()["test"] - 36) <= 2


def test_the_latest_rows_are_the_test_split_and_rows_of_one_day_stay_together(tmp_path: Path) -> None:
    rows = visits()
    rows.loc[5, "day"] = ""
    rows.to_csv(tmp_path / "t.csv", index=False)
    lines, summary = split_file(tmp_path, tmp_path / "t.csv", target="ill", time_column="day")
    day = pd.to_datetime(rows["day"], dayfirst=True)
    days = {name: day[lines.loc[lines["split"] == name, "row"]] for name in ("train", "calibration", "test")}
    assert days["train"].max() < days["calibration"].min()
    assert days["calibration"].max() < days["test"].min()
    assert pd.to_datetime(summary["test_from"], dayfirst=True) == days["test"].min()
    assert (summary["by"], summary["left_out"], len(lines)) == ("time", 1, 179)
    assert 5 not in lines["row"].tolist()


def test_years_are_times_and_words_are_not() -> None:
    years = pd.Series([str(1950 + row) for row in range(100)])
    assert by_time(years, SHARES, "t.csv")[99] == "test"
    with pytest.raises(DataError, match=r"time_column when: 'soon' is neither a date nor a number"):
        by_time(pd.Series(["soon", "later"] * 9, name="when"), SHARES, "t.csv")


def test_labels_that_no_train_row_has_are_listed(tmp_path: Path) -> None:
    rows = visits().assign(year=[str(2000 + row // 10) for row in range(180)])
    rows.loc[rows["year"] >= "2016", "ill"] = "2"
    rows.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"no train row has the ill '2' \(late year only\): merge such labels"):
        split_file(tmp_path, tmp_path / "t.csv", target="ill", time_column="year")


def test_too_few_groups_for_a_split_are_refused(tmp_path: Path) -> None:
    visits(2).assign(x=range(6)).loc[lambda rows: rows.index.repeat(9)].to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="too few values of patient for a calibration split"):
        split_file(tmp_path, tmp_path / "t.csv", target="ill", group_column="patient")


def test_a_group_that_stands_in_the_test_table_too_is_refused(tmp_path: Path) -> None:
    rows = visits()
    rows.iloc[:120].to_csv(tmp_path / "t.csv", index=False)
    rows.iloc[120:].to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(DataError, match=r"60 values of group_column patient are in the CSV too"):
        split_file(tmp_path, tmp_path / "t.csv", tmp_path / "test.csv", target="ill", group_column="patient")


def test_a_label_seen_once_is_dropped_where_the_setting_says_so(tmp_path: Path) -> None:
    rows = visits()
    rows.loc[7, "ill"] = "who knows"
    rows.iloc[:120].to_csv(tmp_path / "t.csv", index=False)
    rows.iloc[[*range(120, 180), 7]].to_csv(tmp_path / "test.csv", index=False)
    settings = {"target": "ill", "rare_labels": "drop"}
    lines, summary = split_file(tmp_path, tmp_path / "t.csv", tmp_path / "test.csv", **settings)
    assert 7 not in lines.loc[lines["source"] == "csv", "row"].tolist()
    assert summary["rows"]["test"] == 60
    task = artifacts.read(tmp_path / "task.json", "task")
    assert [label["value"] for label in task["labels"]] == ["0", "1"]
    assert task["rows"] == {"with_target": 119, "without_target": 0, "with_rare_label": 1}

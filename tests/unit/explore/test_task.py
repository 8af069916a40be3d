from pathlib import Path
from typing import Any

import pytest

from loramake import artifacts
from loramake.agents.builtin import BuiltinAgent
from loramake.errors import DataError
from loramake.explore.profile import profile_csv
from loramake.explore.task import explore_data
from loramake.tables.source import describe_source
from loramake.tasks.labels import order_labels
from support.experiment import EXPLORE
from tests.conftest import ROOT


def explore(
    folder: Path,
    csv: Path,
    target: str | None = None,
    feedback: Path | None = None,
    test_csv: Path | None = None,
    **more: Any,
) -> Any:
    profile_csv(csv, test_csv, folder / "profile.json")
    settings = {**EXPLORE, "target": target, **more}
    source = describe_source(csv, test_csv, folder / "profile.json")
    explore_data(source, folder / "profile.json", feedback, settings, BuiltinAgent(), folder / "task.json")
    return artifacts.read(folder / "task.json", "task")


def write(folder: Path, text: str, name: str = "t.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(
    ("name", "target", "labels"),
    [
        ("heart", "HeartDisease", ["0", "1"]),
        ("diabetes", "Outcome", ["0", "1"]),
        ("titanic", "survived", ["0", "1"]),
        ("penguins", "species", ["Adelie", "Chinstrap", "Gentoo"]),
    ],
)
def test_target_and_labels_of_the_demo_tables(tmp_path: Path, name: str, target: str, labels: list[str]) -> None:
    task = explore(tmp_path, ROOT / f"data/{name}.csv")
    assert task["target"] == target
    assert [label["value"] for label in task["labels"]] == labels
    assert task["positive_label"] == (labels[-1] if len(labels) == 2 else None)
    assert task["by"] == {"provider": "builtin", "model": None}


def test_rows_without_a_target_are_counted(tmp_path: Path) -> None:
    csv = write(tmp_path, "x,target\n" + "1,a\n2,b\n" * 100 + "3,\n4,NA\n")
    assert explore(tmp_path, csv)["rows"] == {"with_target": 200, "without_target": 2, "with_rare_label": 0}


def test_a_number_of_many_values_is_refused_as_regression(tmp_path: Path) -> None:
    csv = write(tmp_path, "x,target\n" + "".join(f"{i % 3},{i * 1.5}\n" for i in range(60)))
    with pytest.raises(DataError, match="regression is not supported yet"):
        explore(tmp_path, csv)


def test_a_target_that_is_no_column_or_has_one_value_is_refused(tmp_path: Path) -> None:
    csv = write(tmp_path, "Age,Outcome,z\n" + "1,a,q\n2,b,q\n" * 10)
    with pytest.raises(DataError, match=r"'Outcom' is not a column \(did you mean Outcome\?\)"):
        explore(tmp_path, csv, "Outcom")
    with pytest.raises(DataError, match="has only the value 'q'"):
        explore(tmp_path, csv, "z")


def test_where_no_column_stands_out_the_user_is_asked(tmp_path: Path) -> None:
    csv = write(tmp_path, "a,b,c\n" + "".join(f"{i * 1.1},{i * 2.3 % 7},{i * 0.7}\n" for i in range(40)))
    with pytest.raises(DataError, match=r"set target in config\.yaml"):
        explore(tmp_path, csv)


def test_feedback_names_the_target_and_keeps_or_drops_columns_and_notes_are_said_to_be_unread(tmp_path: Path) -> None:
    feedback = write(tmp_path, "keep: [alive]\ndrop: [deck]\nnotes: [be careful]\n", "explore.yaml")
    task = explore(tmp_path, ROOT / "data/titanic.csv", feedback=feedback)
    assert task["feedback"] == {"keep": ["alive"], "drop": ["deck"], "unread_notes": 1}
    feedback.write_text("drop: [dekc]\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"'dekc' is not a column \(did you mean deck\?\)"):
        explore(tmp_path, ROOT / "data/titanic.csv", feedback=feedback)


def test_a_test_table_that_lacks_a_column_is_refused_and_an_extra_one_noted(tmp_path: Path) -> None:
    csv = write(tmp_path, "a,b,target\n" + "1,2,x\n3,4,y\n" * 10)
    good = write(tmp_path, "target,a,b,c\nx,1,2,3\ny,1,2,3\n", "good.csv")
    assert explore(tmp_path, csv, test_csv=good)["test_header"] == {"renamed": {}, "extra": ["c"], "reordered": True}
    renamed = write(tmp_path, " Target,A,b\nx,1,2\ny,1,2\n", "renamed.csv")
    header = {"renamed": {"Target": "target", "A": "a"}, "extra": [], "reordered": True}
    assert explore(tmp_path, csv, test_csv=renamed)["test_header"] == header
    bad = write(tmp_path, "a,c,target\n1,2,x\n", "bad.csv")
    with pytest.raises(DataError, match=r"bad.csv lacks the column 'b'"):
        explore(tmp_path, csv, test_csv=bad)


@pytest.mark.parametrize(
    ("values", "ordered"),
    [
        (["1", "0"], ["0", "1"]),
        (["10", "9", "2"], ["2", "9", "10"]),
        (["yes", "no"], ["no", "yes"]),
        (["Heart disease", "No heart disease"], ["No heart disease", "Heart disease"]),
        (["Churned", "Not churned"], ["Not churned", "Churned"]),
        (["novel", "old"], ["novel", "old"]),
        (["malignant", "benign"], ["benign", "malignant"]),
        (["b", "a", "c"], ["a", "b", "c"]),
        (["True", "False"], ["False", "True"]),
    ],
)
def test_labels_are_ordered_and_the_positive_one_comes_last(values: list[str], ordered: list[str]) -> None:
    assert order_labels(values) == ordered


def test_a_test_tables_unseen_labels_are_listed_with_their_place(tmp_path: Path) -> None:
    csv = write(tmp_path, "a,b,target\n" + "1,2,0\n3,4,1\n" * 10)
    test_csv = write(tmp_path, "a,b,target\n1,2,0.0\n1,2,1.5\n", "test.csv")
    with pytest.raises(DataError, match=r"test.csv: 1 rows have labels .* \('1.5'; first in row 3\)"):
        explore(tmp_path, csv, test_csv=test_csv)


def test_spellings_of_a_label_are_merged_counted_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    csv = write(tmp_path, "a,target\n" + "1,Yes\n2,YES\n3,Yes\n4,no\n" * 5)
    task = explore(tmp_path, csv, "target")
    assert task["labels"] == [
        {"value": "no", "rows": 5, "spellings": []},
        {"value": "Yes", "rows": 15, "spellings": [{"value": "YES", "rows": 5}]},
    ]
    assert (task["positive_label"], task["rows"]["with_target"]) == ("Yes", 20)
    said = " ".join(capsys.readouterr().err.split())
    assert "different spellings of a label in target are merged: 'Yes' from 'YES' (5 rows)" in said
    apart = explore(tmp_path, csv, "target", merge_labels=False)
    assert [label["value"] for label in apart["labels"]] == ["YES", "Yes", "no"]


def test_a_test_table_may_write_a_label_in_another_way(tmp_path: Path) -> None:
    csv = write(tmp_path, "a,target\n" + "1,yes\n2,no\n3,yes\n4,no\n" * 5 + "5,Rare\n")
    test_csv = write(tmp_path, "a,target\n1,YES\n1,rare\n", "test.csv")
    assert explore(tmp_path, csv, test_csv=test_csv, rare_labels="drop")["labels"][1]["value"] == "yes"
    with pytest.raises(DataError, match=r"1 rows have labels that the CSV does not have .*'YES'"):
        explore(
            tmp_path,
            csv,
            test_csv=write(tmp_path, "a,target\n1,YES\n1,no\n", "u.csv"),
            rare_labels="drop",
            merge_labels=False,
        )


def test_words_that_may_mean_the_same_are_said_and_stay_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv = write(tmp_path, "smoker,target\n" + "yes,1\nY,0\nTRUE,1\nno,TRUE\n0,FALSE\n" * 9)
    task = explore(tmp_path, csv, "target")
    assert [label["value"] for label in task["labels"]] == ["0", "1", "FALSE", "TRUE"]
    said = " ".join(capsys.readouterr().err.split())
    assert (
        "labels of target that may mean the same stay apart (1, TRUE; 0, FALSE): write them alike in the CSV." in said
    )


def test_a_target_that_nobody_named_is_said_with_the_setting_that_changes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv = write(tmp_path, "x,outcome\n" + "1,a\n2,b\n" * 20)
    assert explore(tmp_path, csv)["is_target_set"] is False
    said = " ".join(capsys.readouterr().err.split())
    assert "target is not set: outcome was chosen (its name says so, " in said
    assert "set target in config.yaml, to this column or another." in said
    assert explore(tmp_path, csv, "outcome")["is_target_set"] is True
    assert "target is not set" not in capsys.readouterr().err


def test_a_target_of_names_is_no_target(tmp_path: Path) -> None:
    csv = write(tmp_path, "x,name\n" + "".join(f"{i % 3},Person{i}\n" for i in range(40)))
    with pytest.raises(DataError, match="is a column of id, not of labels"):
        explore(tmp_path, csv, "name")

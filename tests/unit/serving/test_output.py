"""Predictions of new rows replace earlier ones, and nothing else unasked."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from loramake.errors import ConfigError
from loramake.serving.columns import NewCells
from loramake.serving.new_rows import Rows
from loramake.serving.output import check_output, predict_new_rows
from loramake.serving.predictor import Decisions, Predictor
from loramake.serving.remarks import NEW_CATEGORY, Remark

SOURCE = "row,decision\n1,2\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with rows to predict, a note, and an experiment."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new.csv").write_text(SOURCE)
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    experiment = tmp_path / "results/exp"
    experiment.mkdir(parents=True)
    for name in ("task.json", "profile.json", "splits.csv"):
        (experiment / name).write_text("{}")
    return tmp_path


def check(output: str, force: bool = False, source: str = "new.csv") -> None:
    check_output(Path(output), Path(source), force)


@pytest.mark.parametrize("force", [False, True])
def test_the_rows_themselves_are_never_replaced(folder: Path, force: bool) -> None:
    (folder / "link.csv").symlink_to("new.csv")
    (folder / "hard.csv").hardlink_to("new.csv")
    for same in ("new.csv", str(folder / "new.csv"), "results/../new.csv", "link.csv", "hard.csv"):
        with pytest.raises(ConfigError, match=r"would replace the input rows: give another"):
            check(same, force)
        with pytest.raises(ConfigError, match="would replace the input rows"):
            check("new.csv", force, source=same)
    for beside in ("new.csv.partial", "new.csv.progress.json"):
        (folder / beside).write_text(SOURCE)
        with pytest.raises(ConfigError, match="would replace the input rows"):
            check("new.csv", force, source=beside)


def test_files_beside_it_that_are_not_of_an_earlier_run_are_not_lost(folder: Path) -> None:
    """A note called like the record of a killed run is none."""
    (folder / "out.csv.progress.json").write_text("my notes")
    with pytest.raises(ConfigError, match=r"out\.csv\.progress\.json exists and contains no predictions"):
        check("out.csv")
    (folder / "out.csv.partial").write_text("my precious partial")
    with pytest.raises(ConfigError, match=r"out\.csv\.partial exists and contains no predictions"):
        check("out.csv")
    (folder / "out.csv.progress.json").write_text('{"rows": 0, "bytes": 0, "belongs_to": {}}')
    check("out.csv")


@pytest.mark.parametrize("force", [False, True])
def test_nothing_is_written_among_the_files_of_an_experiment(folder: Path, force: bool) -> None:
    (folder / "link").symlink_to("results/exp")
    (folder / "splits.csv").symlink_to("results/exp/splits.csv")
    for path in ("results/exp/splits.csv", "results/exp/trust/new.csv", "link/splits.csv", "splits.csv"):
        with pytest.raises(ConfigError, match="is among the files of the experiment exp: give another --output"):
            check(path, force)
    check("results/predictions.csv", force)


def test_a_file_that_holds_no_predictions_is_replaced_where_that_is_said(folder: Path) -> None:
    for name in ("notes.csv", "other.csv.partial"):
        (folder / name).write_text("a,b\n1,2\n")
        with pytest.raises(
            ConfigError, match=rf"{name} exists and contains no predictions: give another --output, or --force"
        ):
            check(name.removesuffix(".partial"))
        check(name.removesuffix(".partial"), force=True)
    (folder / "empty.csv").touch()
    for name in ("empty.csv", "absent.csv", "results"):
        check(name)


class MadeUp:
    """Decides the same about every row."""

    labels = label_texts = ("a, b", "c")

    def say_unused(self, names: list[str], where: str) -> None:
        pass

    def say_notes(self, notes: dict[str, str], where: str) -> None:
        pass

    def say_remarks(self, counts: Counter[tuple[str | None, str]], where: str) -> None:
        self.remarks = dict(counts), where

    def fingerprint(self) -> str:
        return "made up"

    def decide_cells(self, new: NewCells, confidence: float | None, advance: Any) -> Decisions:
        rows = len(new.cells)
        sets = np.ones((rows, 2), dtype=np.bool_)
        return Decisions(np.zeros(rows, dtype=np.int64), [None] * rows, np.full((rows, 2), 0.5), sets, np.ones(rows))


class Typed(MadeUp):
    """Labels that are numbers, which the CSV writes with a decimal point."""

    labels = (0.0, 1.0)
    label_texts = ("0.0", "1.0")


def test_labels_keep_their_type_in_json_and_their_spelling_in_csv(folder: Path) -> None:
    predict(folder / "out.csv", "csv", rows_of(1), Typed())
    head, line = (folder / "out.csv").read_text().splitlines()
    assert head == "row,decision,abstain,reason,p_0.0,p_1.0,set,expected_cost"
    assert line == "0,0.0,false,,0.5,0.5,0.0 | 1.0,1.0"
    predict(folder / "out.jsonl", "jsonl", rows_of(1), Typed())
    read = json.loads((folder / "out.jsonl").read_text())
    assert (read["decision"], read["set"], list(read["probabilities"])) == (0.0, [0.0, 1.0], ["0.0", "1.0"])
    assert '"decision": 0.0' in (folder / "out.jsonl").read_text()


def rows_of(count: int, digest: str = "some") -> Rows:
    def batch(rows: int) -> NewCells:
        return NewCells(pd.DataFrame({"x": ["1"] * rows}), [Remark(row, "x", NEW_CATEGORY, "") for row in range(rows)])

    def batches(size: int) -> Iterator[NewCells]:
        return (batch(min(size, count - start)) for start in range(0, count, size))

    return Rows("made up", "csv", digest, count, ["x"], batches, {})


def predict(output: Path, form: str, rows: Rows, predictor: MadeUp | None = None) -> None:
    predict_new_rows(cast("Predictor", predictor or MadeUp()), rows, output, form, None, 2)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_earlier_predictions_are_replaced(folder: Path, form: str) -> None:
    output = folder / "out"
    for count in (3, 5):
        check("out")
        predict(output, form, rows_of(count))
        assert len(output.read_text().splitlines()) == count + (form == "csv")


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_a_killed_run_left_is_no_strange_file(folder: Path, form: str) -> None:
    predict(folder / "whole", form, rows_of(5))
    whole = (folder / "whole").read_bytes()
    (folder / "out.partial").write_bytes(whole[:40])  # killed before it could say how far it was
    check("out")
    predict(folder / "out", form, rows_of(5))
    assert (folder / "out").read_bytes() == whole


def test_cells_unlike_those_of_training_are_counted_over_the_whole_run(folder: Path) -> None:
    predictor = MadeUp()
    predict(folder / "out", "csv", rows_of(5), predictor)
    assert predictor.remarks == ({("x", NEW_CATEGORY): 5}, "made up")


class Formulas(MadeUp):
    """Decides for a label that a spreadsheet would compute, or for none."""

    labels = label_texts = ("=cmd|' /C calc'!A0", "-0.5")

    def decide_cells(self, cells: pd.DataFrame, confidence: float | None, advance: Any) -> Decisions:
        found = super().decide_cells(cells, confidence, advance)
        return found._replace(reasons=["\uff1d1", "-1"])


def test_labels_and_reasons_that_a_spreadsheet_would_compute_are_guarded_in_csv_and_not_in_json(folder: Path) -> None:
    predict(folder / "out.csv", "csv", rows_of(2), Formulas())
    with (folder / "out.csv").open(encoding="utf-8", newline="") as file:
        head, *lines = csv.reader(file)
    guarded = "'=cmd|' /C calc'!A0"
    assert head[4:] == ["p_=cmd|' /C calc'!A0", "p_-0.5", "set", "expected_cost"]
    assert lines[0][:4] == ["0", guarded, "false", "'\uff1d1"]
    assert lines[1][3:] == ["-1", "0.5", "0.5", f"{guarded} | '-0.5", "1.0"]
    predict(folder / "out.jsonl", "jsonl", rows_of(2), Formulas())
    read = [json.loads(line) for line in (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert read[0]["decision"] == read[0]["set"][0] == Formulas.labels[0]
    assert [line["reason"] for line in read] == ["\uff1d1", "-1"]

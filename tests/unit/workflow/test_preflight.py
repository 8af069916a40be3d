"""What is refused before a job starts, where no run has found a target yet."""

import os
from pathlib import Path

import pytest

from loramake.config import resolve
from loramake.errors import ConfigError, LoramakeError
from loramake.workflow.preflight import check_inputs

COSTS = {"no": {"no": 0, "yes": 1}, "yes": {"no": 5, "yes": 0}}


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    lines = ["age,outcome", *(f"{age},{'yes' if age % 3 else 'no'}" for age in range(30))]
    (tmp_path / "my.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "my.csv"


def test_costs_ask_for_the_target_whose_labels_they_speak_of(table: Path) -> None:
    settings = resolve({}, "exp", {"csv": table.name, "costs": COSTS})
    with pytest.raises(ConfigError, match="costs: they name the labels of the target: set target, too"):
        check_inputs(settings, "results/exp")
    check_inputs(settings | {"target": "outcome"}, "results/exp")


def test_a_table_that_was_replaced_by_one_of_the_same_size_is_looked_at_again(table: Path) -> None:
    settings = resolve({}, "exp", {"csv": table.name, "target": "outcome"})
    check_inputs(settings, "results/exp")
    times = table.stat()
    table.write_text(table.read_text(encoding="utf-8").replace("outcome", "outcame"), encoding="utf-8")
    os.utime(table, ns=(times.st_atime_ns, times.st_mtime_ns + 1_000_000))
    assert table.stat().st_size == times.st_size
    with pytest.raises(LoramakeError, match="outcome"):
        check_inputs(settings, "results/exp")


def test_a_matrix_for_other_labels_is_refused_before_the_training(table: Path) -> None:
    settings = resolve({}, "exp", {"csv": table.name, "target": "outcome", "costs": {"0": COSTS["no"], **COSTS}})
    with pytest.raises(ConfigError, match="costs: '0' is not a label: the labels are no, yes"):
        check_inputs(settings, "results/exp")


def test_a_group_column_of_one_group_is_refused(table: Path) -> None:
    settings = resolve({}, "exp", {"csv": table.name, "target": "outcome", "group_column": "ward"})
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([f"ward,{lines[0]}", *(f"w1,{line}" for line in lines[1:])]) + "\n", encoding="utf-8")
    with pytest.raises(LoramakeError, match="group_column: ward has one value in all rows, and rows of one value stay"):
        check_inputs(settings, "results/exp")
    table.write_text(table.read_text(encoding="utf-8").replace("w1,3,", "w2,3,"), encoding="utf-8")
    check_inputs(settings, "results/exp")


@pytest.mark.parametrize("name", ["null", "none"])
def test_a_column_that_should_be_unset_says_how(table: Path, name: str) -> None:
    with pytest.raises(LoramakeError, match=rf"target: '{name}' is not a column \(to leave it unset, write target= or"):
        check_inputs(resolve({}, "exp", {"csv": table.name, "target": name}), "results/exp")

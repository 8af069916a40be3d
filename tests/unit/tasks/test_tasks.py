"""A task is one object: what a new kind of task needs is what these tests give it."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loramake import artifacts, tasks
from loramake.errors import DataError
from loramake.evaluation.baselines import FITTERS
from loramake.tasks import KINDS, Classification, Metric, make_task, task_of
from loramake.tasks.answers import Answers
from tests.cases import classification, four_models
from tests.conftest import ROOT
from tests.conftest import task_of as described_task
from tests.files import Files

PLAN = {"labels": [{"value": "no", "text": "<0>"}, {"value": "yes", "text": "<1>"}]}


def test_each_kind_of_task_json_is_a_kind_of_task_and_the_other_way_round() -> None:
    assert set(artifacts.load_schema("task")["properties"]["task_type"]["enum"]) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_task_names_is_there(kind: str) -> None:
    task = make_task(kind, "y", ["no", "yes"] if kind == "binary" else ["a", "b", "c"])
    assert task.kind == kind
    measured = artifacts.load_schema("metrics")["$defs"]["model"]["properties"]["metrics"]["properties"]
    compared = [metric.name for metric in task.compared_metrics]
    assert set(task.metric_names) <= set(measured)
    assert {*compared, *task.shown_metrics, task.verdict_metric.name} <= set(task.metric_names)
    assert set(task.baselines) <= set(FITTERS)


def test_of_two_labels_the_last_is_positive_and_of_more_none() -> None:
    two, three = classification(2), classification(3)
    assert (two.positive, two.positive_label, two.free_codes) == (1, "label 1", [1])
    assert (three.positive, three.positive_label, three.free_codes) == (None, None, [0, 1, 2])
    assert set(two.metric_names) - set(three.metric_names) == {"precision", "recall", "f1"}
    assert two.ranked_codes(np.array([0, 1, 1])) == [1]
    assert three.ranked_codes(np.array([0, 2, 2])) == [0, 2]
    assert two.ranked_codes(np.array([1, 1])) == three.ranked_codes(np.array([1, 1])) == []


def test_a_task_comes_back_from_task_json() -> None:
    for labels in (["no", "yes"], ["c", "a", "b"]):
        task = task_of(described_task(labels))
        assert task == Classification("y", labels)
        spellings = {label: {label: 1} for label in labels}
        assert task.describe(pd.Series(1, index=labels), spellings).items() <= described_task(labels).items()


def test_codes_follow_the_order_of_the_labels_and_an_unknown_cell_is_an_error() -> None:
    task = Classification("y", ["c", "a", "b"])
    assert task.codes_of(pd.Series(["a", "c", "b"]), "x.csv").tolist() == [1, 0, 2]
    with pytest.raises(DataError, match=r"x.csv: the label 'z' is not one of the task's"):
        task.codes_of(pd.Series(["a", "z"]), "x.csv")
    table = pd.DataFrame({"y": ["a", None, "z", "b"]})
    assert task.rows_with_label(table).index.tolist() == [0, 3]


def test_cells_in_another_spelling_have_the_label_unless_labels_are_kept_apart() -> None:
    table = pd.DataFrame({"y": ["Yes", "YES ", "no", None, "z"], "x": "1"}, index=[3, 4, 5, 6, 7])
    merged = Classification("y", ["no", "Yes"])
    assert merged.labels_of(table["y"]).tolist() == ["Yes", "Yes", "no", None, "z"]
    assert merged.rows_with_label(table)["y"].to_dict() == {3: "Yes", 4: "Yes", 5: "no"}
    apart = Classification("y", ["no", "Yes"], merge_labels=False)
    assert apart.rows_with_label(table)["y"].to_dict() == {3: "Yes", 5: "no"}


def test_the_usual_order_is_that_of_the_merged_labels() -> None:
    target = pd.Series(["YES", "Yes", "Yes", "no", "no"] * 4, name="y")
    counted = Classification.find("x.csv", target, [], "error", True)
    assert counted.task.labels == ["no", "Yes"]
    assert counted.rows.to_dict() == {"Yes": 12, "no": 8}
    assert Classification.find("x.csv", target, ["YES", "Yes", "no"], "error", True).task.labels == ["Yes", "no"]
    assert Classification.find("x.csv", target, [], "error", False).task.labels == ["YES", "Yes", "no"]


def test_a_target_of_one_label_in_several_spellings_is_refused_with_the_setting() -> None:
    target = pd.Series(["YES", "Yes"] * 9, name="y")
    with pytest.raises(DataError, match=r"all spellings of 'YES' \('YES', 'Yes'\): set merge_labels: false"):
        Classification.find("x.csv", target, [], "error", True)
    assert len(Classification.find("x.csv", target, [], "error", False).task.labels) == 2


def test_answers_are_the_labels_or_as_many_tokens_as_the_base_has() -> None:
    tokens = {"kind": "token", "labels": 2, "token": "<{}>"}
    assert Answers.of({"labels": classification(2).answers(tokens)}).texts == ["<0>", "<1>"]
    assert Answers.of({"labels": classification(3).answers(tokens)}).texts == classification(3).labels
    assert Answers.of({"labels": classification(2).answers({"kind": "plain"})}).texts == classification(2).labels


def test_outputs_are_counted_by_label_with_those_that_do_not_occur() -> None:
    answers = Answers.of(PLAN)
    assert answers.count_outputs(["<1>", "<1>", "neither"]) == {"no": 0, "yes": 2}
    assert answers.entries() == PLAN["labels"]


class Priced(Classification):
    """A kind of task that exists only in this test: lower is better for its metric, and it has one baseline."""

    verdict_metric = Metric("log_loss", "log loss", sign=-1)
    baselines = ("majority",)

    @property
    def kind(self) -> str:
        return "priced"


def test_another_kind_of_task_is_judged_by_its_own_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "KINDS", {**KINDS, "binary": Priced})
    files = Files(tmp_path, ["no", "yes"])
    truth, scores = four_models(400, 2, (2.0, 1.0, 1.5))
    for split in ("train", "test"):
        files.put(split, truth, scores)
    verdict = files.evaluate()["verdict"]
    assert verdict["metric"] == "log_loss"
    losses = {name: model["metrics"]["log_loss"]["value"] for name, model in _test_models(tmp_path).items()}
    best = min((name for name in losses if name != "loramake"), key=lambda name: losses[name])
    assert verdict["best_baseline"] == best
    assert verdict["outcome"] == ("better" if verdict["difference"]["high"] < 0 else "level")
    assert f"log loss {losses['loramake']:.3f} against {losses[best]:.3f}" in verdict["sentence"]


def _test_models(folder: Path) -> dict[str, Any]:
    models: dict[str, Any] = artifacts.read(folder / "metrics.json", "metrics")["splits"]["test"]["models"]
    return models


OUTSIDE = re.compile(r"""len\((\w+\.)?labels\) *[=!]= *2|\blabel\[["'](value|text)["']\]""")


def test_nothing_outside_of_tasks_asks_what_a_label_is() -> None:
    library = ROOT / "loramake"
    offenders = [
        f"{path.relative_to(library)}: {line.strip()}"
        for path in sorted(library.rglob("*.py"))
        if path.parent.name != "tasks"
        for line in path.read_text(encoding="utf-8").splitlines()
        if OUTSIDE.search(line)
    ]
    assert offenders == []
    for line in ("if len(task.labels) == 2:", '[label["value"] for label in plan["labels"]]'):
        assert OUTSIDE.search(line)

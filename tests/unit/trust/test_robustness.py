"""Perturbations change what they should, and their effect is measured correctly."""

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from loramake import artifacts
from loramake.errors import ArtifactError
from loramake.plots.robustness import plot_importance
from loramake.prediction.predictions import Scored
from loramake.tables.reading import read_table
from loramake.trust import robustness
from loramake.trust.prompts import join_prompt, split_prompt
from loramake.trust.robustness import (
    MAX_FEATURES,
    RENAMED,
    REORDERED,
    ROUNDED,
    choose_rows,
    compare,
    evaluate,
    perturb_rows,
    round_numbers,
)
from support.experiment import Experiment
from tests.cases import classification, random_case
from tests.conftest import ROOT
from tests.files import LMF_CONFIG

SPACED = {"feature_format": "{name} {value}", "feature_separator": " ", "cell_tokens": None}
LINES = {"feature_format": "{name}: {value}", "feature_separator": "\n", "cell_tokens": None}
BRACES = {"feature_format": "{{{name}}}={value};", "feature_separator": "", "cell_tokens": None}
TOKENS = {"number": "<f{column}b{bin}>", "missing": "<f{column}na>", "category": "<v{}>"}
NAMES = ["age", "sex", "chest pain"]


def test_tokens_of_cells_are_reordered_and_a_cell_in_words_is_not() -> None:
    plan = {**SPACED, "cell_tokens": TOKENS}
    cells = split_prompt("<f0b12> <v3> <f2na>", ["age", "sex", "pain"], plan)
    assert cells == ["<f0b12>", "<v3>", "<f2na>"]
    assert join_prompt(["pain", "age", "sex"], [cells[2], cells[0], cells[1]], plan) == "<f2na> <f0b12> <v3>"
    assert split_prompt("<f0b12> sex F <f2na>", ["age", "sex", "pain"], plan) is None
    assert split_prompt("<f0b12> F <f2na>", ["age", "sex", "pain"], plan) is None


@pytest.mark.parametrize("plan", [SPACED, LINES, BRACES])
def test_a_prompt_is_split_into_the_cells_it_was_joined_from(plan: dict[str, Any]) -> None:
    for cells in (["40", "M", "typical"], ["", "", ""], ["<b1>", "{x}", "a: b"], ["x", "y z", "\\s"]):
        text = join_prompt(NAMES, cells, plan)
        assert split_prompt(text, NAMES, plan) == cells


def test_a_prompt_that_is_ambiguous_is_not_split() -> None:
    for cells in (["40 sex M", "F", "no"], ["40", "M chest pain no", "yes"]):
        assert split_prompt(join_prompt(NAMES, cells, SPACED), NAMES, SPACED) is None
        assert split_prompt(join_prompt(NAMES, cells, LINES), NAMES, LINES) == cells


@pytest.mark.parametrize(
    "text", ["", "age 40", "A patient of 40, male.", "sex M age 40 chest pain no", "age 40 sex M x"]
)
def test_a_prompt_that_does_not_follow_the_plan_is_not_split(text: str) -> None:
    assert split_prompt(text, NAMES, SPACED) is None


def test_numbers_are_rounded_to_two_digits_and_nothing_else_is() -> None:
    table = pd.DataFrame({"a": ["123", "0.0456", None, "many", "-9.96"], "b": ["123"] * 5}).astype(object)
    result = round_numbers(table, [{"name": "a", "type": "numeric"}, {"name": "b", "type": "categorical"}])
    assert result["a"].tolist() == ["120", "0.046", None, "many", "-10"]
    assert result["b"].tolist() == ["123"] * 5


@pytest.fixture(scope="module")
def heart(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """heart.csv for a base that reads names and cells: the tiny one's card, without tokens for cells."""
    folder = tmp_path_factory.mktemp("heart")
    lines = (ROOT / "models/tiny/README.md").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "base").mkdir()
    card = "".join(line for line in lines if not line.strip().startswith("cell_tokens:"))
    (folder / "base/README.md").write_text(card, encoding="utf-8")
    experiment = Experiment(folder, ROOT / "data/heart.csv", model=str(folder / "base"))
    experiment.execute()
    return experiment


def test_tokens_of_cells_take_another_order_no_names_and_the_mark_of_a_missing_cell(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, ROOT / "data/heart.csv")
    experiment.execute()
    plan = artifacts.read(experiment.plan, "plan")
    shown = perturb_rows(
        read_table(experiment.csv).head(5), plan, experiment.script, experiment.state, experiment.sandbox, seed=1
    )
    for usual, reordered, renamed, ageless in zip(
        shown["as it is"], shown[REORDERED], shown[RENAMED], shown["0"], strict=True
    ):
        tokens = usual["input"].split(" ")
        assert tokens != reordered["input"].split(" ")
        assert sorted(tokens) == sorted(reordered["input"].split(" "))
        assert renamed["input"] == usual["input"]
        assert ageless["input"].split(" ") == ["<f0na>", *tokens[1:]]


def test_every_perturbation_changes_what_it_names_and_only_that(heart: Experiment) -> None:
    plan = artifacts.read(heart.plan, "plan")
    table = read_table(heart.csv).head(5)
    shown = perturb_rows(table, plan, heart.script, heart.state, heart.sandbox, seed=1)
    names = [feature["name"] for feature in plan["features"]]
    usual = [record["input"] for record in shown["as it is"]]
    assert len(shown) == 4 + len(names)
    for text, reordered, renamed in zip(usual, shown[REORDERED], shown[RENAMED], strict=True):
        cells = split_prompt(text, names, plan)
        assert cells is not None
        assert text.split(" ") != reordered["input"].split(" ")
        assert sorted(text.split(" ")) == sorted(reordered["input"].split(" "))
        assert renamed["input"] == " ".join(f"x{index} {cell}" for index, cell in enumerate(cells, 1))
    for index, name in enumerate(names):
        for text, record in zip(usual, shown[str(index)], strict=True):
            before, after = (split_prompt(each, names, plan) for each in (text, record["input"]))
            assert after == [*before[:index], "<na>", *before[index + 1 :]], name


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("labels", [2, 4])
def test_changes_agree_with_simple_formulas(seed: int, labels: int) -> None:
    truth, usual = random_case(80, labels, seed)
    other = random_case(80, labels, seed + 100)[1]
    task = classification(labels)
    result = compare(task, truth, usual, other)
    assert result["changed_decisions"] == sum(a.argmax() != b.argmax() for a, b in zip(usual, other, strict=True)) / 80
    moved = [sum(max(a - b, 0) for a, b in zip(one, two, strict=True)) for one, two in zip(usual, other, strict=True)]
    assert result["mean_change"] == pytest.approx(np.mean(moved))
    losses = [log_loss(truth, each, labels=range(labels)) for each in (usual, other)]
    assert result["log_loss_change"] == pytest.approx(losses[1] - losses[0])
    if labels == 2:
        areas = [roc_auc_score(truth, each[:, 1]) for each in (usual, other)]
        assert result["roc_auc_change"] == pytest.approx(areas[1] - areas[0])
    order = np.random.default_rng(seed).permutation(80)
    assert compare(task, truth[order], usual[order], other[order]) == pytest.approx(result)
    assert set(compare(task, truth, usual, usual).values()) == {0.0}


def planned(features: int, numeric: bool = True, named: bool = True) -> dict[str, Any]:
    kind = "numeric" if numeric else "categorical"
    return {
        "features": [{"name": f"f{index}", "type": kind} for index in range(features)],
        "feature_format": "{name} {value}" if named else "{value}",
        "cell_tokens": None,
    }


def described(truth: Any, result: Mapping[str, Any], plan: dict[str, Any], **settings: Any) -> dict[str, Any]:
    gaps = settings.pop("gaps", [0.5] * len(plan["features"]))
    measured = evaluate(
        classification(2), truth, dict(result), plan, gaps, settings.pop("test_rows", len(truth)), seed=0
    )
    artifacts.validate(measured, "robustness", "here")
    return measured


def ways(truth: Any, usual: Any, features: int) -> dict[str, Any]:
    """The first feature is all that counts; rounding moves nothing; the rest moves a little."""
    even = np.full_like(usual, 1 / usual.shape[1])
    mixed = 0.95 * usual + 0.05 * even
    others = {str(index): even if index == 0 else usual for index in range(features)}
    return {"as it is": usual, REORDERED: mixed, RENAMED: mixed, ROUNDED: usual, **others}


def test_the_feature_that_counts_comes_first_with_an_interval_and_the_others_have_none_of_it() -> None:
    truth, usual = random_case(300, 2, seed=1)
    measured = described(truth, ways(truth, usual, 3), planned(3))
    first, *others = measured["importance"]
    assert first["feature"] == "f0"
    increase = first["log_loss_increase"]
    assert increase["value"] == pytest.approx(np.log(2) - log_loss(truth, usual))
    assert 0 < increase["low"] < increase["value"] < increase["high"]
    assert all(entry["log_loss_increase"] == {"value": 0.0, "low": 0.0, "high": 0.0} for entry in others)
    assert measured["sentence"].startswith(
        "Decisions that change, of 300 test rows: columns reordered 0.0%, columns renamed"
    )
    assert "The most important column is f0: log loss +0." in measured["sentence"]


def test_what_cannot_be_measured_says_why() -> None:
    truth, usual = random_case(20, 2, seed=2)
    result = ways(truth, usual, 1)
    notes = {entry["name"]: entry["note"] for entry in described(truth, result, planned(1, False, False))["variants"]}
    assert notes[REORDERED] == "there is only one column"
    assert notes[RENAMED] == "the prompts do not name the columns"
    assert notes[ROUNDED] == "no column contains numbers"
    result[REORDERED] = np.full_like(usual, np.nan)
    result[RENAMED] = np.where(np.arange(20)[:, None] < 5, np.nan, usual)
    measured = described(truth, result | {"1": usual}, planned(2), gaps=[0.0, 0.1], test_rows=900)
    reordered, renamed, _ = measured["variants"]
    assert reordered["changed_decisions"] is None
    assert renamed["rows"] == 15
    assert [note.partition(":")[0] for note in measured["notes"]] == [
        "Every figure here is of 20 of the 900 test rows, drawn at random; robustness_rows",
        "Columns reordered",
        "Columns renamed",
        "Never missing in training",
    ]


def test_where_cells_have_tokens_a_renamed_column_is_nothing_to_measure() -> None:
    truth, usual = random_case(20, 2, seed=2)
    measured = described(truth, ways(truth, usual, 2), {**planned(2), "cell_tokens": TOKENS})
    renamed = next(entry for entry in measured["variants"] if entry["name"] == RENAMED)
    assert renamed["note"] == "the prompts do not name the columns"
    assert "columns renamed" not in measured["sentence"]


def test_no_rows_one_row_and_rows_of_one_label_are_no_errors(tmp_path: Path) -> None:
    nothing = described(np.zeros(0, dtype=int), {}, planned(2))
    assert nothing["sentence"] == "There are no test rows to perturb."
    assert nothing["importance"] == []
    for rows in (1, 5):
        usual = np.tile([1.0, 0.0], (rows, 1))
        measured = described(np.zeros(rows, dtype=int), ways(None, usual, 2), planned(2))
        assert measured["as_it_is"] == {"roc_auc": None, "log_loss": pytest.approx(0, abs=1e-12)}
        assert measured["variants"][0]["roc_auc_change"] is None
        artifacts.write(tmp_path / f"{rows}.json", measured, "robustness")
        plot_importance(tmp_path / f"{rows}.json", tmp_path / f"{rows}.svg")
    artifacts.write(tmp_path / "none.json", nothing, "robustness")
    plot_importance(tmp_path / "none.json", tmp_path / "none.svg")
    assert "there are no test rows" in (tmp_path / "none.svg").read_text(encoding="utf-8")


def test_a_long_test_split_is_sampled_by_the_seed_in_its_order() -> None:
    scored = Scored([("csv", row) for row in range(2000)], np.arange(2000) % 2, np.tile([0.5, 0.5], (2000, 1)))
    chosen = choose_rows(scored, 300, 3)
    assert len(chosen.keys) == 300
    assert chosen.keys == sorted(chosen.keys)
    assert [row % 2 for _, row in chosen.keys] == chosen.truth.tolist()
    assert chosen.keys == choose_rows(scored, 300, 3).keys != choose_rows(scored, 300, 4).keys
    few = Scored(scored.keys[:7], scored.truth[:7], scored.probabilities[:7])
    assert choose_rows(few, 300, 3).keys == few.keys
    assert choose_rows(scored, 0, 3).keys == scored.keys


UNCALIBRATED = {
    "requested": "none",
    "method": "none",
    "note": None,
    "temperature": None,
    "isotonic": None,
    "labels": ["0", "1"],
    "rows": {"fitted": 0, "held_out": 1},
    "sentence": "Not calibrated.",
}


@dataclass
class FakeScorer:
    """Scores a row by the text of one feature; counts the prompts it is given."""

    prompts_scored: list[int]
    cutoff_len: int = 100

    def probabilities(self, records: Sequence[Mapping[str, Any]], texts: Sequence[str], advance: Any) -> Any:
        self.prompts_scored.append(len(records))
        positive = np.array([0.9 if "ST_Slope Up" in record["input"] else 0.2 for record in records])
        return np.stack([positive, 1 - positive], axis=1)


@pytest.fixture
def prompts_scored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many prompts the fake scorer in place of a model was given, call by call."""
    scored: list[int] = []
    monkeypatch.setattr(robustness, "load_scorer", lambda *_: FakeScorer(scored))
    monkeypatch.setattr(
        robustness, "import_training", lambda name: types.SimpleNamespace(set_num_threads=lambda n: None)
    )
    return scored


def test_the_whole_step_finds_the_column_that_a_model_goes_by(
    heart: Experiment, tmp_path: Path, prompts_scored: list[int]
) -> None:
    result = run_step(heart, tmp_path)
    best = result["importance"][0]
    assert (best["feature"], best["changed_decisions"] > 0.3) == ("ST_Slope", True)
    assert all(entry["changed_decisions"] == 0 for entry in result["importance"][1:])
    assert [entry["changed_decisions"] for entry in result["variants"]] == [0.0, best["changed_decisions"], 0.0]
    assert prompts_scored[0] < result["rows"] * (4 + len(result["importance"]))
    before = (tmp_path / "robustness.json").read_bytes()
    run_step(heart, tmp_path)
    assert (tmp_path / "robustness.json").read_bytes() == before
    plot_importance(tmp_path / "robustness.json", tmp_path / "importance.svg")
    assert "ST_Slope" in (tmp_path / "importance.svg").read_text(encoding="utf-8")


def test_a_sample_is_compared_with_its_own_rows_unperturbed_and_says_how_many_it_has(
    heart: Experiment, tmp_path: Path, prompts_scored: list[int]
) -> None:
    result = run_step(heart, tmp_path, rows=10)
    assert (result["rows"], result["test_rows"]) == (10, 30)
    assert [entry["rows"] for entry in result["variants"]] == [10, 10, 10]
    assert result["sentence"].startswith("Decisions that change, of 10 of the 30 test rows, drawn at random: ")
    assert result["notes"][0].startswith("Every figure here is of 10 of the 30 test rows")
    assert prompts_scored[0] <= 10 * (4 + len(result["importance"]))
    plot_importance(tmp_path / "robustness.json", tmp_path / "importance.svg")
    drawn = (tmp_path / "importance.svg").read_text(encoding="utf-8")
    assert "on 10 of the 30 test rows, drawn at random" in drawn


def run_step(heart: Experiment, folder: Path, rows: int = 0) -> dict[str, Any]:
    answers = read_table(heart.csv)["HeartDisease"]
    lines = [
        {"row": row, "source": "csv", "label": answers[row], "predicted": "0", "probabilities": {"0": 0.5, "1": 0.5}}
        for row in range(0, 900, 30)
    ]
    artifacts.write(folder / "test.jsonl", lines, "predictions")
    for name, schema, content in (
        ("calibrator.json", "calibrator", UNCALIBRATED),
        ("config.yaml", "lmf_config", LMF_CONFIG),
        ("label_shift.json", "label_shift", {"train": {}, "balanced": {}}),
    ):
        artifacts.write(folder / name, content, schema)
    robustness.measure_robustness(
        source=heart.source,
        task=heart.task,
        plan=heart.plan,
        splits=heart.splits,
        sandbox=heart.sandbox,
        script=heart.script,
        state=heart.state,
        config=folder / "config.yaml",
        adapter=folder / "adapter",
        label_shift=folder / "label_shift.json",
        calibrator=folder / "calibrator.json",
        test=folder / "test.jsonl",
        trust_remote_code=False,
        robustness_rows=rows,
        seed=0,
        threads=1,
        out=folder / "robustness.json",
    )
    return artifacts.read(folder / "robustness.json", "robustness")


def test_a_wide_table_is_tried_on_its_first_columns_only(heart: Experiment) -> None:
    truth, usual = random_case(20, 2, seed=3)
    measured = described(truth, ways(truth, usual, MAX_FEATURES + 5), planned(MAX_FEATURES + 5))
    assert len(measured["importance"]) == MAX_FEATURES
    assert measured["notes"] == ["Only the first 30 of 35 columns were left out one at a time."]


def test_an_artifact_of_another_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "robustness.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ArtifactError, match="robustness"):
        plot_importance(tmp_path / "robustness.json", tmp_path / "x.svg")

"""Baselines on real tables: what they see, what they write, and that they write it the same twice."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from loramake import artifacts
from loramake.agents.builtin import BuiltinAgent
from loramake.errors import DataError
from loramake.evaluation.baselines import (
    MAX_CHARACTERS,
    MAX_TREES,
    Sample,
    find_features,
    fit_baselines,
    fit_models,
    predict,
    prepare,
    solver_iterations,
    tree_iterations,
)
from loramake.explore.profile import profile_csv
from loramake.explore.splits import assign_splits, read_split
from loramake.explore.task import explore_data
from loramake.explore.unusable import find_unusable_columns
from loramake.prepare.features import select_features
from loramake.prepare.plan import plan_preparation
from loramake.tables.source import describe_source
from loramake.tasks import Classification
from loramake.tasks.source import LabelledSource, describe_labelled
from support.experiment import EXPLORE
from tests.conftest import ROOT

DATA = ROOT / "data"
RATIOS = {"validation_ratio": 0.0, "calibration_ratio": 0.15, "test_ratio": 0.2}


@dataclass
class Experiment:
    """The files that fit_baselines reads, written by the steps before it."""

    folder: Path
    csv: Path
    test_csv: Path | None = None

    @property
    def source(self) -> LabelledSource:
        return describe_labelled(self.csv, self.test_csv, self.folder / "profile.json", self.folder / "task.json")

    def explore(self, target: str, ratios: dict[str, float] = RATIOS) -> "Experiment":
        profile, task, splits = (self.folder / name for name in ("profile.json", "task.json", "splits.csv"))
        profile_csv(self.csv, self.test_csv, profile)
        explore_data(
            source=describe_source(self.csv, self.test_csv, profile),
            profile=profile,
            feedback=None,
            settings={**EXPLORE, "target": target},
            agent=BuiltinAgent(),
            out=task,
        )
        assign_splits(self.source, profile, task, ratios, 42, splits, self.folder / "splits.json")
        rankings = self.folder / "rankings.csv"
        selected, unusable = self.folder / "selected.json", self.folder / "unusable_columns.json"
        find_unusable_columns(self.source, profile, splits, {"column_types": None}, unusable)
        select_features(self.source, profile, task, splits, unusable, 50, 42, selected, rankings)
        plan_preparation(profile, task, selected, None, "models/tiny", BuiltinAgent(), self.folder / "plan.yaml")
        return self

    def fit(self, name: str = "baselines.json") -> dict[str, Any]:
        out = self.folder / name
        fit_baselines(
            source=self.source,
            task=self.folder / "task.json",
            splits=self.folder / "splits.csv",
            plan=self.folder / "plan.yaml",
            seed=42,
            out=out,
        )
        return artifacts.read(out, "baselines")

    def split(self, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        return read_split(self.source, self.folder / "splits.csv", name)


def accuracy(experiment: Experiment, result: dict[str, Any], model: str, target: str, split: str = "test") -> float:
    _, table = experiment.split(split)
    best = np.argmax(result["models"][model]["splits"][split]["probabilities"], axis=1)
    return float(np.mean([result["labels"][index] == label for index, label in zip(best, table[target], strict=True)]))


def wide_table(rows: int = 120) -> pd.DataFrame:
    """Numbers, a category, a date with the day first and a text of many values; the label follows the number."""
    generator = np.random.default_rng(0)
    number = generator.normal(size=rows)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(generator.permutation(rows) * 3, unit="D")
    return pd.DataFrame(
        {
            "number": number.round(3),
            "colour": generator.choice(["red", "green", ""], rows),
            "seen": days.strftime("%d/%m/%Y"),
            "remark": [f"remark number {i} of many" for i in range(rows)],
            "label": np.where(number + generator.normal(size=rows) > 0, "yes", "no"),
        }
    )


@pytest.fixture
def wide(tmp_path: Path) -> Experiment:
    wide_table().to_csv(tmp_path / "wide.csv", index=False)
    return Experiment(tmp_path, tmp_path / "wide.csv")


def test_penguins_are_distinguished_by_both_models_and_not_by_the_majority(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, DATA / "penguins.csv").explore("species")
    result = experiment.fit()
    assert list(result["models"]) == list(Classification.baselines)
    assert accuracy(experiment, result, "logistic_regression", "species") > 0.9
    assert accuracy(experiment, result, "hist_gradient_boosting", "species") > 0.9
    assert accuracy(experiment, result, "majority", "species") < 0.6


def test_labels_in_several_spellings_are_learnt_as_one(tmp_path: Path) -> None:
    penguins = pd.read_csv(DATA / "penguins.csv", dtype=str)
    plain = Experiment(tmp_path, DATA / "penguins.csv").explore("species").fit()
    written = penguins["species"].where(penguins.index % 3 > 0, penguins["species"].str.upper())
    penguins.assign(species=written).to_csv(tmp_path / "mixed.csv", index=False)
    assert Experiment(tmp_path, tmp_path / "mixed.csv").explore("species").fit() == plain


def test_titanic_with_its_missing_cells_is_fitted_without_the_leak(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, DATA / "titanic.csv").explore("survived")
    result = experiment.fit()
    assert "alive" not in result["features"]
    assert accuracy(experiment, result, "majority", "survived") + 0.1 < accuracy(
        experiment, result, "logistic_regression", "survived"
    )


def test_rows_without_a_target_are_in_no_split(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, DATA / "penguins.csv").explore("sex")
    result = experiment.fit()
    table = pd.read_csv(DATA / "penguins.csv")
    empty = set(table.index[table["sex"].isna()])
    assert empty
    assert not empty & {row for split in result["models"]["majority"]["splits"].values() for row in split["rows"]}


def test_rows_and_sources_are_those_of_the_splits_and_probabilities_add_up_to_one(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, DATA / "titanic.csv").explore("survived")
    for model in experiment.fit()["models"].values():
        for name, split in model["splits"].items():
            keys, _ = experiment.split(name)
            assert split["rows"] == keys["row"].tolist()
            assert split["sources"] == keys["source"].tolist()
            np.testing.assert_allclose(np.sum(split["probabilities"], axis=1), 1.0, atol=1e-10)


def test_the_majority_gives_every_row_the_frequencies_of_train(wide: Experiment) -> None:
    result = wide.explore("label").fit()
    shares = wide.split("train")[1]["label"].value_counts(normalize=True)
    rows = np.array(result["models"]["majority"]["splits"]["test"]["probabilities"])
    np.testing.assert_allclose(rows, np.tile([shares[label] for label in result["labels"]], (len(rows), 1)), atol=1e-12)


def test_fitting_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, DATA / "titanic.csv").explore("survived")
    experiment.fit("first.json")
    experiment.fit("second.json")
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "second.json").read_bytes()


def test_the_content_of_the_other_splits_does_not_affect_training(wide: Experiment) -> None:
    before = wide.explore("label").fit()
    table = pd.read_csv(wide.csv, dtype=str, keep_default_na=False)
    other = [row for split in ("calibration", "test") for row in wide.split(split)[0]["row"]]
    table.loc[other, ["number", "colour", "remark"]] = ["1e9", "violet", "rubbish"]
    table.loc[other, "label"] = table.loc[other, "label"].map({"yes": "no", "no": "yes"})
    table.to_csv(wide.csv, index=False)
    after = wide.fit()
    for name in Classification.baselines:
        assert before["models"][name]["splits"]["train"] == after["models"][name]["splits"]["train"]


def test_the_test_table_is_predicted_and_a_cell_that_is_no_number_counts_as_missing(wide: Experiment) -> None:
    test = wide_table(20)
    test["number"] = test["number"].astype(object)
    test.loc[0, ["number", "seen", "colour"]] = ["about three", "last week", "never seen"]
    test.to_csv(wide.folder / "test.csv", index=False)
    wide.test_csv = wide.folder / "test.csv"
    result = wide.explore("label").fit()
    for name in Classification.baselines:
        split = result["models"][name]["splits"]["test"]
        assert split["sources"] == ["test_csv"] * 20
        assert np.isfinite(split["probabilities"]).all()


def test_empty_splits_are_empty_lists(wide: Experiment) -> None:
    result = wide.explore("label", {"validation_ratio": 0.0, "calibration_ratio": 0.0, "test_ratio": 0.0}).fit()
    for name in Classification.baselines:
        splits = result["models"][name]["splits"]
        assert splits["test"] == splits["calibration"] == {"rows": [], "sources": [], "probabilities": []}
        assert len(splits["train"]["rows"]) == 120


def test_a_label_that_train_lacks_gets_probability_zero(wide: Experiment) -> None:
    table = wide_table()
    wide.explore("label")
    table.loc[wide.split("test")[0]["row"], "label"] = "maybe"
    table.to_csv(wide.csv, index=False)
    task = artifacts.read(wide.folder / "task.json", "task")
    task["labels"].insert(1, {"value": "maybe", "rows": 24, "spellings": []})
    artifacts.write(wide.folder / "task.json", task | {"task_type": "multiclass", "positive_label": None}, "task")
    result = wide.fit()
    for name in Classification.baselines:
        probabilities = np.array(result["models"][name]["splits"]["test"]["probabilities"])
        assert probabilities.shape[1] == 3
        assert (probabilities[:, result["labels"].index("maybe")] == 0).all()


def test_one_label_in_train_leaves_the_majority_three_times(wide: Experiment) -> None:
    wide.explore("label")
    table = wide_table()
    table.loc[wide.split("train")[0]["row"], "label"] = "no"
    table.to_csv(wide.csv, index=False)
    models = wide.fit()["models"]
    assert models["logistic_regression"]["splits"] == models["majority"]["splits"]
    assert "only one label" in models["hist_gradient_boosting"]["description"]


def test_a_column_that_is_empty_in_train_stops_nothing(wide: Experiment) -> None:
    table = wide_table()
    wide.explore("label")
    table["number"] = table["number"].astype(object)
    table.loc[wide.split("train")[0]["row"], ["number", "seen", "colour"]] = ""
    table.to_csv(wide.csv, index=False)
    assert wide.fit()["features"] == ["number", "colour", "seen", "remark"]


def test_labels_unknown_to_the_task_are_refused_by_name(wide: Experiment) -> None:
    wide.explore("label")
    table = wide_table()
    table["label"] = "perhaps"
    table.to_csv(wide.csv, index=False)
    with pytest.raises(DataError, match=r"wide\.csv.*'perhaps'"):
        wide.fit()


def test_hundreds_of_categories_are_capped(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    codes = generator.integers(400, size=1500)
    pd.DataFrame({"town": [f"town {code}" for code in codes], "label": np.where(codes % 2, "odd", "even")}).to_csv(
        tmp_path / "towns.csv", index=False
    )
    result = Experiment(tmp_path, tmp_path / "towns.csv").explore("label").fit()
    assert len(result["models"]["hist_gradient_boosting"]["splits"]["train"]["rows"]) > 900


def test_dates_become_days_and_words_in_them_are_missing() -> None:
    train = pd.DataFrame({"day": ["1970-02-01", None, "1970-01-01 12:00:00", "rubbish"]}).astype(object)
    days = prepare(train, find_features(train, {"day": "date"}))
    np.testing.assert_array_equal(days["day"], [31.0, np.nan, 0.5, np.nan])


def test_numbers_too_large_to_square_are_cut(wide: Experiment) -> None:
    wide.explore("label")
    table = wide_table()
    table.loc[wide.split("train")[0].loc[0, "row"], "number"] = 1e300
    table.to_csv(wide.csv, index=False)
    result = wide.fit()
    assert np.isfinite(result["models"]["logistic_regression"]["splits"]["train"]["probabilities"]).all()


def fit_text(cells: list[str | None], truth: list[int]) -> Any:
    """Every model's probabilities of its own train rows, from one text column, and how the column is encoded."""
    table = pd.DataFrame({"note": cells}, dtype=object)
    features = find_features(table, {"note": "text"})
    rows = prepare(table, features)
    models = fit_models(Classification.baselines, Sample(rows, np.array(truth), features, seed=0))
    return features, {name: predict(model, rows, max(truth) + 1) for name, (_, model) in models.items()}


def notes(good: str, bad: str, rows: int = 60) -> tuple[list[str | None], list[int]]:
    """Distinct sentences in which one word determines the label."""
    truth = [row % 2 for row in range(rows)]
    return [f"{word} 4{row}x" for row, word in enumerate([good, bad] * (rows // 2))], truth


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("the meal was good", "the meal was bad"),
        ("обед был хорош", "обед был плох"),
        ("खाना अच्छा था", "खाना बुरा था"),
        ("这顿饭很好", "这顿饭很差"),
        ("อาหารอร่อย", "อาหารไม่ดี"),
    ],
)
def test_the_words_of_a_text_are_read_by_both_models_in_every_script(good: str, bad: str) -> None:
    cells, truth = notes(good, bad)
    features, result = fit_text(cells, truth)
    assert list(features.texts) == ["note"]
    for name in Classification.baselines[1:]:
        assert (result[name].argmax(axis=1) == truth).all(), name


def test_the_order_of_two_words_is_read() -> None:
    cells, truth = notes("not good but bad", "not bad but good")
    _, result = fit_text(cells, truth)
    assert (result["logistic_regression"].argmax(axis=1) == truth).all()


@pytest.mark.parametrize("cells", [["…", "!!! ---", None, "  "] * 10, [None] * 40])
def test_a_text_column_without_a_word_is_a_category(cells: list[str | None]) -> None:
    features, result = fit_text(cells, [0, 1] * 20)
    assert features.texts == {}
    assert features.categories == ["note"]
    assert all(np.isfinite(probabilities).all() for probabilities in result.values())


def test_missing_texts_and_a_vocabulary_of_one_word_stop_nothing() -> None:
    features, result = fit_text(["yes", None] * 20, [0, 1] * 20)
    assert features.texts == {"note": 1}
    for name in Classification.baselines[1:]:
        assert (result[name].argmax(axis=1) == [0, 1] * 20).all()


def test_one_document_of_each_label_is_enough_for_a_text() -> None:
    _, result = fit_text(["a short note", None], [0, 1])
    assert all(np.isfinite(probabilities).all() for probabilities in result.values())


def test_text_beyond_the_first_characters_is_ignored() -> None:
    cells = [f"{'word ' * (MAX_CHARACTERS // 5)}{ending}" for ending in ("good", "bad") * 10]
    features, _ = fit_text([cell * 4 for cell in cells], [0, 1] * 10)
    assert features.texts == {"note": 2}  # word, word word


def test_texts_new_to_a_model_are_predicted(wide: Experiment) -> None:
    result = wide.explore("label").fit()
    assert "TF-IDF" in result["models"]["logistic_regression"]["description"]
    assert "TF-IDF" in result["models"]["hist_gradient_boosting"]["description"]


def test_fitting_texts_twice_gives_the_same_probabilities() -> None:
    cells, truth = notes("the meal was good", "the meal was bad")
    first, second = (fit_text(cells, truth)[1] for _ in range(2))
    for name in Classification.baselines:
        np.testing.assert_array_equal(first[name], second[name])


def test_words_among_numbers_are_missing() -> None:
    table = pd.DataFrame({"price": ["1234.5", "7", "on request", None]}, dtype=object)
    features = find_features(table, {"price": "numeric"})
    assert features.numbers == ["price"]
    np.testing.assert_array_equal(prepare(table, features)["price"], [1234.5, 7.0, np.nan, np.nan])


def test_a_table_with_decimal_commas_is_fitted(wide: Experiment) -> None:
    table = wide_table()
    table["number"] = [f"{1000 * number:,.1f}".translate(str.maketrans(",.", ".,")) for number in table["number"]]
    table.to_csv(wide.csv, index=False)
    result = wide.explore("label").fit()
    majority, linear = (accuracy(wide, result, name, "label") for name in Classification.baselines[:2])
    assert linear > majority


def test_the_number_of_trees_is_bounded_however_many_labels_there_are() -> None:
    assert [tree_iterations(labels) for labels in (2, 10, 100)] == [100, 100, 100]
    assert tree_iterations(1000) * 1000 <= MAX_TREES
    assert tree_iterations(10**6) >= 1
    assert solver_iterations(2) == 1000
    assert solver_iterations(1000) == 100


def test_forty_labels_of_few_rows_are_distinguished_and_growing_trees_reports_progress() -> None:
    generator = np.random.default_rng(0)
    truth = np.arange(320) % 40
    table = pd.DataFrame({"a": (truth % 7).astype(str), "b": (truth // 7 + generator.normal(0, 0.1, 320)).astype(str)})
    types = {"a": "numeric", "b": "numeric"}
    features = find_features(table.astype(object), types, labels=40)
    rows = prepare(table.astype(object), features)
    reports: list[tuple[int, int]] = []
    models = fit_models(
        ["hist_gradient_boosting"],
        Sample(rows, truth, features, seed=0, advance=lambda done, total: reports.append((done, total))),
    )
    assert reports[-1] == (100, 100)
    assert len(reports) == 10
    description, trees = models["hist_gradient_boosting"]
    assert "100 iterations for 40 labels, leaves shrunk" in description
    assert np.mean(predict(trees, rows, 40).argmax(axis=1) == truth) > 0.9


def test_growing_trees_in_pieces_gives_those_of_one_fit() -> None:
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(200, 3))
    truth = (numbers[:, 0] > 0).astype(int)
    table = pd.DataFrame(numbers.astype(str), columns=["a", "b", "c"]).astype(object)
    features = find_features(table, dict.fromkeys("abc", "numeric"))
    rows = prepare(table, features)
    boosted = fit_models(["hist_gradient_boosting"], Sample(rows, truth, features, seed=0))
    ours = predict(boosted["hist_gradient_boosting"][1], rows, 2)
    once = HistGradientBoostingClassifier(early_stopping=False, random_state=0).fit(rows, truth)
    np.testing.assert_array_equal(ours, once.predict_proba(rows).round(12))


def test_two_text_columns_of_any_name_are_fitted() -> None:
    cells, truth = notes("the meal was good", "the meal was bad")
    table = pd.DataFrame({"my__note": cells, "note (1)": cells[::-1]}, dtype=object)
    features = find_features(table, dict.fromkeys(table, "text"))
    models = fit_models(Classification.baselines, Sample(prepare(table, features), np.array(truth), features, seed=0))
    for name in Classification.baselines[1:]:
        assert (predict(models[name][1], prepare(table, features), 2).argmax(axis=1) == truth).all()

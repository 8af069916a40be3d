"""A finished experiment is a scikit-learn classifier that decides, abstains and gives sets."""

# ruff: noqa: E402 - imports wait for importorskip

import hashlib
import pickle
import runpy
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch", reason="needs the training extra")
peft = pytest.importorskip("peft", reason="needs the training extra")
transformers = pytest.importorskip("transformers", reason="needs the training extra")

from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, confusion_matrix, get_scorer, log_loss
from sklearn.model_selection import cross_val_score
from sklearn.utils.validation import check_is_fitted

import loramake
from loramake import Predictor, artifacts
from loramake.errors import ArtifactError, CodeError, ConfigError, DataError, PredictionError
from loramake.llm.scorer import load_scorer
from loramake.serving.predictor import find_results
from loramake.tables.reading import read_table
from loramake.trust.calibration import apply_calibrator
from loramake.trust.cost_matrix import decide
from tests.conftest import ROOT
from tests.predictable import make_results, make_trust

LABELS = [0, 1]
COSTS = {"configured": True, "matrix": [[0.0, 1.0], [5.0, 0.0]], "abstain_cost": 0.4}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_results(tmp_path_factory.mktemp("workplace"))


@dataclass(frozen=True)
class OpenSandbox:
    """Runs a script in this very process, so that a test does not wait for pandas to be imported a hundred times."""

    def run(
        self, script: Path, inputs: Mapping[str, Path], outputs: Mapping[str, Path], values: Mapping[str, object]
    ) -> None:
        given = [part for name, each in {**inputs, **outputs, **values}.items() for part in (f"--{name}", str(each))]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", [str(script), *given])
            try:
                runpy.run_path(str(script), run_name="__main__")
            except Exception as error:
                raise CodeError(f"{script} failed: {type(error).__name__}: {error}") from error


def quick(results: Path, like: Predictor | None = None) -> Predictor:
    """A predictor without a process for each batch, and with the model of another one where there is one."""
    made = Predictor(results)
    made.__dict__["_sandbox"] = OpenSandbox()
    if like is not None:
        made.__dict__["_scorer"] = like._scorer
    return made


@pytest.fixture(scope="module")
def predictor(results: Path) -> Predictor:
    return quick(results)


@pytest.fixture
def copied(results: Path, tmp_path: Path) -> Path:
    """A copy of the results that a test may change, its base beside it."""
    shutil.copytree(results, tmp_path / "results/exp")
    (tmp_path / "models").symlink_to(ROOT / "models")
    return tmp_path / "results/exp"


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return pd.read_csv(ROOT / "data/heart.csv").head(40)


def test_probabilities_are_those_of_the_adapter_calibrated(
    predictor: Predictor, results: Path, rows: pd.DataFrame
) -> None:
    config = artifacts.read(results / "configs/predict_test.yaml", "lmf_config")
    scorer = load_scorer({**config, "model_name_or_path": str(ROOT / "models/tiny")}, results / "adapter")
    records = artifacts.read(results.parents[1] / "made/all_data.json", "records")[:40]
    raw = scorer.probabilities(records, ["<c0>", "<c1>"])
    expected = apply_calibrator(artifacts.read(results / "trust/calibrator.json", "calibrator"), raw)
    probabilities = Predictor(results).predict_proba(rows)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    assert probabilities.std(axis=0).min() > 0.01
    assert predictor.classes_.tolist() == LABELS


def test_a_table_of_types_a_table_of_text_and_dicts_are_the_same_rows(predictor: Predictor, rows: pd.DataFrame) -> None:
    usual = predictor.predict_proba(rows)
    for same in (
        read_table(ROOT / "data/heart.csv").head(40),
        rows.astype({"Age": float, "FastingBS": bool, "Sex": "category"}),
        rows[rows.columns[::-1]],
        rows.rename(columns=str.upper).set_index(rows.index + 1000),
        rows.to_dict("records"),
    ):
        np.testing.assert_array_equal(predictor.predict_proba(same), usual)
    gaps = rows.assign(Age=np.nan)
    np.testing.assert_array_equal(
        predictor.predict_proba(gaps),
        predictor.predict_proba([{**row, "Age": None} for row in rows.to_dict("records")]),
    )
    assert not np.allclose(predictor.predict_proba(gaps), usual)


def test_missing_and_unknown_columns_are_named(
    predictor: Predictor, results: Path, rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    predictor = quick(results, predictor)
    with pytest.raises(DataError, match=r"the table lacks the column 'Age' \(did you mean Agee\?\)"):
        predictor.predict(rows.rename(columns={"Age": "Agee"}))
    with pytest.raises(DataError, match="the table, object 1 lacks the column 'Age'"):
        predictor.predict([{"Sex": "M"}])
    with pytest.raises(DataError, match="a ndarray has no named columns: give a DataFrame or a list of dicts"):
        predictor.predict(rows.to_numpy())
    more = rows.head(1).assign(mood="good", weather="fine")
    for _ in range(2):
        predictor.predict(pd.concat([more, more[["mood"]]], axis=1))
    assert capsys.readouterr().err.count("ignored, since training never saw them: mood, weather.") == 1


def test_cells_unlike_all_that_training_saw_are_counted_once(
    predictor: Predictor, results: Path, rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    predictor = quick(results, predictor)
    predictor.predict(rows.assign(Age=None))
    assert "unlike anything" not in capsys.readouterr().err
    strange = rows.astype(object)
    strange.loc[[3, 5], "Age"] = ["old", "inf"]
    strange.loc[7, "Sex"] = "X"
    for _ in range(2):
        assert len(predictor.predict(strange)) == 40
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("unlike anything") == 1
    assert "the table: unlike anything in training: Age (2 cells, not numbers), Sex (1 cell, a new category)." in said
    reasons = predictor.decide(strange)["reason"]
    assert [reason.rpartition("; ")[2] for reason in reasons[[3, 7]]] == [
        "Age 'old' is not a number",
        "Sex 'X' was never seen in training",
    ]


def test_no_rows_are_no_error(predictor: Predictor, rows: pd.DataFrame) -> None:
    assert predictor.predict_proba(rows.head(0)).shape == (0, 2)
    assert predictor.predict([]).shape == (0,)
    assert predictor.predict_set(rows.head(0)).shape == (0, 2)
    assert predictor.decide(rows.head(0)).empty


def test_scikit_learn_takes_it_as_a_classifier_that_is_fitted(predictor: Predictor, rows: pd.DataFrame) -> None:
    truth = rows["HeartDisease"]
    check_is_fitted(predictor)
    assert is_classifier(predictor)
    assert clone(predictor) is predictor
    assert predictor.n_features_in_ == len(predictor.feature_names_in_) == 11
    assert predictor.score(rows, truth) == accuracy_score(truth, predictor.predict(rows))
    expected = log_loss(truth, predictor.predict_proba(rows), labels=LABELS)
    for estimator in (predictor, FrozenEstimator(predictor)):
        assert get_scorer("neg_log_loss")(estimator, rows, truth) == pytest.approx(-expected)
        assert estimator.score(rows, truth) == accuracy_score(truth, estimator.predict(rows))
    display = CalibrationDisplay.from_estimator(predictor, rows, truth, n_bins=3)
    np.testing.assert_array_equal(display.y_prob, predictor.predict_proba(rows)[:, 1])
    matrix = ConfusionMatrixDisplay.from_estimator(predictor, rows, truth)
    assert matrix.display_labels.tolist() == LABELS
    np.testing.assert_array_equal(matrix.confusion_matrix, confusion_matrix(truth, predictor.predict(rows)))


@dataclass(frozen=True)
class MadeUpScorer:
    """Probabilities of each row by its age, in the order of the answers that it is asked for."""

    def probabilities(self, records: list[dict[str, Any]], labels: list[str], advance: Any = None) -> Any:
        assert advance is None
        by_record = (int.from_bytes(hashlib.sha256(record["input"].encode()).digest()[:4]) for record in records)
        return np.array([np.random.default_rng(seed).dirichlet(np.full(len(labels), 0.5)) for seed in by_record])


def relabelled(results: Path, labels: list[str]) -> Predictor:
    """The experiment, whose labels are now these in this order, with a made-up scorer."""
    task, plan = artifacts.read(results / "task.json", "task"), artifacts.read(results / "plan.yaml", "plan")
    task["labels"] = [{"value": label, "rows": 1, "spellings": []} for label in labels]
    plan["labels"] = [{"value": label, "text": f"<c{place}>"} for place, label in enumerate(labels)]
    artifacts.write(results / "task.json", task, "task")
    artifacts.write(results / "plan.yaml", plan, "plan")
    make_trust(results)
    predictor = quick(results)
    predictor.__dict__["_scorer"] = MadeUpScorer()
    return predictor


@pytest.mark.parametrize(
    "labels",
    [
        ["healthy", "diseased"],
        ["no", "Yes"],
        [*range(2, 13), 1],
        [True, False],
        [1.0, 0.5, 0.0],
        ["010", "007", "100"],
    ],
    ids=lambda labels: str(labels[0]),
)
def test_labels_in_any_order_give_scikit_learn_the_probabilities_of_its_own_order(
    copied: Path, labels: list[Any]
) -> None:
    predictor = relabelled(copied, list(map(str, labels)))
    table = pd.read_csv(ROOT / "data/heart.csv", dtype=str).head(150)
    told = predictor.decide(table)
    assert list(told.columns)[3 : 3 + len(labels)] == [f"p_{label}" for label in labels]
    generator = np.random.default_rng(0)
    truth = np.array(
        [generator.choice(labels, p=line / line.sum()) for line in told.filter(like="p_").to_numpy(dtype=float)]
    )
    assert predictor.classes_.tolist() == sorted(labels) == np.unique(truth).tolist()
    assert predictor.labels == labels != sorted(labels)

    probabilities = predictor.predict_proba(table)
    for index, label in enumerate(predictor.classes_):
        np.testing.assert_array_equal(probabilities[:, index], told[f"p_{label}"])
    sets = predictor.predict_set(table)
    assert [set(predictor.classes_[inside]) for inside in sets] == list(map(set, told["set"]))
    assert predictor.predict(table).tolist() == told["decision"].tolist()
    np.testing.assert_array_equal(predictor.classes_[probabilities.argmax(axis=1)], told["decision"])

    assert predictor.classes_.dtype.kind == np.array(labels).dtype.kind
    if any(isinstance(label, float) for label in labels):
        return  # scikit-learn takes no classes of fractions
    own = np.array([told.loc[row, f"p_{label}"] for row, label in enumerate(truth)])
    assert get_scorer("neg_log_loss")(predictor, table, truth) == pytest.approx(np.log(own).mean())
    areas = {label: area_under_roc(told[f"p_{label}"].to_numpy(), truth == label) for label in labels}
    binary = len(labels) == 2
    area = get_scorer("roc_auc" if binary else "roc_auc_ovr")(predictor, table, truth)
    assert area == pytest.approx(areas[labels[0]] if binary else np.mean(list(areas.values())))
    assert area > 0.7
    calibrated = CalibratedClassifierCV(FrozenEstimator(predictor), method="sigmoid").fit(table, truth)
    assert calibrated.score(table, truth) > np.unique(truth, return_counts=True)[1].max() / len(truth)


def area_under_roc(scores: Any, is_positive: Any) -> float:
    """The share of pairs of a positive and a negative row in which the positive one scores higher."""
    pairs = scores[is_positive][:, None] - scores[~is_positive][None, :]
    return float((pairs > 0).mean() + (pairs == 0).mean() / 2)


def test_permutation_importance_takes_it(predictor: Predictor, rows: pd.DataFrame) -> None:
    table, truth = rows.drop(columns="HeartDisease").head(20), rows["HeartDisease"].head(20)
    table = table[["Age", "ST_Slope"]].join(
        table.drop(columns=["Age", "ST_Slope"]).iloc[[0] * 20].set_index(table.index)
    )
    importances = permutation_importance(predictor, table, truth, scoring="neg_log_loss", n_repeats=1, random_state=0)
    assert np.abs(importances.importances_mean[:2]).min() > 1e-4
    np.testing.assert_allclose(importances.importances_mean[2:], 0.0, atol=1e-6)


def test_it_is_not_fitted_again(predictor: Predictor, rows: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match="a Predictor is trained by `loramake run`, not by fit"):
        predictor.fit(rows, rows["HeartDisease"])
    with pytest.raises(ConfigError, match="FrozenEstimator"):
        cross_val_score(predictor, rows, rows["HeartDisease"], cv=2, error_score="raise")
    with pytest.raises(ConfigError, match="a Predictor stays with its experiment: create another one"):
        predictor.set_params(experiment="another")
    assert predictor.set_params() is predictor


def test_another_process_gets_the_folder_and_not_the_model(predictor: Predictor, rows: pd.DataFrame) -> None:
    usual = predictor.predict_proba(rows)
    sent = pickle.dumps(predictor)
    assert len(sent) < 1000
    unpickled = pickle.loads(sent)
    unpickled.__dict__["_sandbox"] = OpenSandbox()
    np.testing.assert_array_equal(unpickled.predict_proba(rows), usual)


def test_sets_grow_with_the_confidence_and_hold_the_likely_labels(predictor: Predictor, rows: pd.DataFrame) -> None:
    probabilities = predictor.predict_proba(rows)
    usual = predictor.predict_set(rows)
    np.testing.assert_array_equal(usual, predictor.predict_set(rows, 0.8))
    small, large = predictor.predict_set(rows, 0.5), predictor.predict_set(rows, 0.99)
    assert (small <= usual).all()
    assert (usual <= large).all()
    assert small.sum() < large.sum()
    assert (large[np.arange(40), probabilities.argmax(axis=1)]).all()
    with pytest.raises(ConfigError, match="confidence"):
        predictor.predict_set(rows, 1.0)


def test_everything_about_a_row_is_decided_at_once(predictor: Predictor, rows: pd.DataFrame) -> None:
    decisions = predictor.decide(rows.set_index(rows.index + 7), conformal_confidence=0.9)
    assert list(decisions.columns) == ["decision", "abstain", "reason", "p_0", "p_1", "set", "expected_cost"]
    assert decisions.index.tolist() == list(range(7, 47))
    assert decisions["decision"].tolist() == predictor.predict(rows).tolist()
    assert not decisions["abstain"].any()
    assert decisions["expected_cost"].isna().all()
    sets = predictor.predict_set(rows, 0.9)
    assert decisions["set"].tolist() == [predictor.classes_[inside].tolist() for inside in sets]


def test_where_risk_is_controlled_the_doubtful_rows_are_left_to_a_person(
    predictor: Predictor, copied: Path, rows: pd.DataFrame
) -> None:
    make_trust(copied, max_selective_error=0.4)
    highest = predictor.predict_proba(rows).max(axis=1)
    threshold = float(np.median(highest))
    risk = artifacts.read(copied / "trust/risk.json", "risk")
    risk["chosen"]["threshold"] = threshold
    artifacts.write(copied / "trust/risk.json", risk, "risk")
    predictor = quick(copied, predictor)
    decisions = predictor.decide(rows)
    assert decisions["abstain"].sum() == 20
    np.testing.assert_array_equal(decisions["abstain"], highest < threshold)
    first = decisions[decisions["abstain"]].iloc[0]
    assert first["decision"] is None
    assert first["reason"].startswith("its label has ")
    assert first["reason"].endswith("at which at most 40% of the predictions are incorrect")
    assert set(predictor.predict(rows)) <= set(LABELS)
    make_trust(copied, max_selective_error=0.001)
    hopeless = quick(copied, predictor).decide(rows)
    assert hopeless["abstain"].all()
    assert set(hopeless["reason"]) == {
        "the calibration rows show no threshold above which at most 0.1% of the predictions are incorrect"
    }


def test_where_costs_are_set_the_cheapest_decision_counts(
    predictor: Predictor, copied: Path, rows: pd.DataFrame
) -> None:
    make_trust(copied, costs=COSTS)
    predictor = quick(copied, predictor)
    probabilities = predictor.predict_proba(rows)
    expected = decide(artifacts.read(copied / "trust/costs.json", "costs"), probabilities)
    decisions = predictor.decide(rows)
    np.testing.assert_array_equal(decisions["abstain"], expected.codes < 0)
    np.testing.assert_array_equal(decisions["expected_cost"], expected.expected)
    assert 0 < decisions["abstain"].sum() < 40
    assert set(decisions["reason"].dropna()) == {"asking a person costs less than the expected cost of any decision"}
    labels = predictor.predict(rows)
    np.testing.assert_array_equal(labels == 1, 5 * probabilities[:, 1] > probabilities[:, 0])
    assert (labels != np.array(LABELS)[probabilities.argmax(axis=1)]).any()


def spoil(results: Path, condition: str) -> None:
    """Have the preparation code fail on rows of which the condition holds."""
    script = results / "scripts/prepare_data.py"
    code = script.read_text(encoding="utf-8")
    line = "    records = []\n"
    assert code.count(line) == 1
    script.write_text(
        code.replace(line, f"{line}    if ({condition}).any(): raise KeyError('beak')\n"), encoding="utf-8"
    )


def test_a_row_that_cannot_be_prepared_is_left_to_a_person_and_the_others_are_predicted(
    predictor: Predictor, copied: Path, rows: pd.DataFrame
) -> None:
    usual = predictor.predict_proba(rows)
    spoil(copied, "rows['Sex'] == 'X'")
    table = rows.assign(Sex=rows["Sex"].where(~rows.index.isin([3, 17]), "X"))
    predictor = quick(copied, predictor)
    decisions = predictor.decide(table)
    assert np.flatnonzero(decisions["abstain"]).tolist() == [3, 17]
    assert set(decisions["reason"].dropna()) == {
        "The row cannot be prepared (KeyError: 'beak'); Sex 'X' was never seen in training"
    }
    assert decisions.loc[3, "p_1"] != decisions.loc[3, "p_1"]
    assert decisions.loc[3, "set"] == LABELS
    good = ~decisions["abstain"].to_numpy()
    np.testing.assert_allclose(decisions.loc[good, "p_1"], usual[good, 1], atol=1e-6)
    with pytest.raises(CodeError, match=r"^the table, index 3: The row cannot be prepared \(KeyError: 'beak'\)"):
        predictor.predict(table)


def test_where_nearly_every_row_fails_it_is_the_code_that_is_wrong(
    predictor: Predictor, copied: Path, rows: pd.DataFrame
) -> None:
    spoil(copied, "rows['Age'] != '0'")
    with pytest.raises(CodeError, match="failed: KeyError: 'beak'"):
        quick(copied, predictor).decide(rows)


def test_a_row_that_is_too_long_is_left_to_a_person(predictor: Predictor, copied: Path, rows: pd.DataFrame) -> None:
    table = rows.assign(Sex=rows["Sex"].where(rows.index != 5, "very long " * 40))
    predictor = quick(copied, predictor)
    decisions = predictor.decide(table)
    assert np.flatnonzero(decisions["abstain"]).tolist() == [5]
    assert decisions.loc[5, "reason"].startswith("The row has ")
    with pytest.raises(PredictionError, match=r"^the table, index 5: The row has "):
        predictor.predict(table)


def test_an_experiment_is_found_by_name_and_by_folder_and_a_wrong_one_is_refused(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(results.parents[1])
    (Path("exp")).mkdir(exist_ok=True)
    for named in ("exp", "results/exp", str(results), results):
        assert find_results(named).resolve() == results
    with pytest.raises(ConfigError, match=r"results/ex does not exist \(did you mean exp\?\)"):
        Predictor("ex")
    with pytest.raises(ConfigError, match="is not an experiment's folder"):
        Predictor(tmp_path / "exp")


def test_an_experiment_that_is_not_finished_names_what_it_lacks(copied: Path) -> None:
    shutil.rmtree(copied / "trust")
    with pytest.raises(
        ConfigError, match=r"results/exp/trust/calibrator\.json does not exist: loramake run --name exp makes it"
    ):
        Predictor(copied)


@pytest.mark.parametrize("name", ["calibrator.json", "conformal.json", "held_out.jsonl", "risk.json", "costs.json"])
def test_an_artifact_that_is_broken_is_named_before_any_row_is_scored(
    predictor: Predictor, copied: Path, rows: pd.DataFrame, name: str
) -> None:
    (copied / "trust" / name).write_text("{}", encoding="utf-8")
    read_anew = Predictor(copied)
    read_anew.__dict__["_sandbox"] = read_anew.__dict__["_scorer"] = None  # whoever asks either for anything fails
    with pytest.raises(ArtifactError, match=name):
        read_anew.decide(rows)
    if name == "calibrator.json":
        with pytest.raises(ArtifactError, match=name):
            read_anew.predict_proba(rows)


def test_a_wrong_confidence_is_refused_before_any_row_is_scored(
    predictor: Predictor, copied: Path, rows: pd.DataFrame
) -> None:
    read_anew = Predictor(copied)
    read_anew.__dict__["_sandbox"] = read_anew.__dict__["_scorer"] = None
    with pytest.raises(ConfigError, match=r"conformal_confidence is 1\.5"):
        read_anew.decide(rows, conformal_confidence=1.5)


@pytest.mark.parametrize("method", ["predict_set", "decide"])
def test_an_argument_by_its_old_name_is_refused_with_the_new_one(
    predictor: Predictor, rows: pd.DataFrame, method: str
) -> None:
    sentence = rf"Predictor\.{method}: confidence is now called conformal_confidence: rename it"
    with pytest.raises(ConfigError, match=sentence):
        getattr(predictor, method)(rows, confidence=0.9)
    with pytest.raises(TypeError, match="confidenc"):
        getattr(predictor, method)(rows, confidenc=0.9)


def test_importing_the_package_costs_nothing() -> None:
    code = "import loramake, sys; print(sorted({'pandas', 'torch', 'sklearn', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'Predicter'"):
        _ = loramake.Predicter

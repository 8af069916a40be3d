"""Metrics against scikit-learn, their intervals, and the verdict on loramake."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as sklearn_metrics

from loramake.errors import ArtifactError
from loramake.evaluation.metrics import (
    RESAMPLES,
    compute_metrics,
    compute_weighted,
    draw_counts,
    estimate,
    evaluate,
    proportion,
    read_scores,
    resample,
    weighted_areas,
)
from tests.cases import MODELS, four_models, random_case
from tests.files import Files


@pytest.mark.parametrize("digits", [16, 1])
@pytest.mark.parametrize("labels", [2, 3, 7])
def test_many_resamples_at_once_equal_scikit_learn_on_each(labels: int, digits: int) -> None:
    truth, probabilities = random_case(30, labels, seed=labels, digits=digits)
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    drawn = np.random.default_rng(1).integers(30, size=(60, 30))
    counts = np.stack([np.bincount(rows, minlength=30) for rows in drawn]).astype(float)
    at_once = compute_weighted(truth, probabilities, counts)
    for place, rows in enumerate(drawn):
        one = compute_metrics(truth[rows], probabilities[rows])
        assert list(one) == list(at_once)
        for name, value in one.items():
            np.testing.assert_allclose(at_once[name][place], value, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("labels", [2, 3])
def test_resamples_of_few_rows_are_undefined_where_scikit_learn_is(labels: int) -> None:
    truth, probabilities = random_case(4, labels, seed=3)
    drawn = np.random.default_rng(2).integers(4, size=(200, 4))
    counts = np.stack([np.bincount(rows, minlength=4) for rows in drawn]).astype(float)
    at_once = compute_weighted(truth, probabilities, counts)
    assert np.isnan(at_once["roc_auc"]).any()
    for place, rows in enumerate(drawn):
        for name, value in compute_metrics(truth[rows], probabilities[rows]).items():
            np.testing.assert_allclose(at_once[name][place], value, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("digits", [16, 1])
@pytest.mark.parametrize(("rows", "labels"), [(150, 3), (90, 30), (200, 4)])
def test_areas_by_pairs_and_by_order_equal_scikit_learn(rows: int, labels: int, digits: int) -> None:
    truth, probabilities = random_case(rows, labels, seed=9, digits=digits)
    truth[: rows // 3] = 0  # a label of many rows beside labels of few
    drawn = np.random.default_rng(1).integers(rows, size=(20, rows))
    counts = np.stack([np.bincount(chosen, minlength=rows) for chosen in drawn]).astype(float)
    present = np.unique(truth).tolist()
    areas = weighted_areas(truth, probabilities, counts, present)
    for place, chosen in enumerate(drawn):
        for at, label in enumerate(present):
            positive, scores = truth[chosen] == label, probabilities[chosen, label]
            if not positive.any():
                assert np.isnan(areas[:, place, at]).all()
                continue
            expected = sklearn_metrics.roc_auc_score(positive, scores)
            assert areas[0, place, at] == pytest.approx(expected, abs=1e-12)
            expected = sklearn_metrics.average_precision_score(positive, scores)
            assert areas[1, place, at] == pytest.approx(expected, abs=1e-12)


def test_the_areas_of_many_labels_are_those_of_scikit_learn() -> None:
    truth, probabilities = random_case(400, 25, seed=4)
    found = compute_metrics(truth, probabilities)
    expected = sklearn_metrics.roc_auc_score(truth, probabilities, multi_class="ovr", average="macro")
    assert found["roc_auc"] == pytest.approx(expected, abs=1e-12)
    expected = sklearn_metrics.average_precision_score(np.eye(25)[truth], probabilities, average="macro")
    assert found["pr_auc"] == pytest.approx(expected, abs=1e-12)


def test_a_hundred_labels_have_a_confusion_matrix_and_more_have_none() -> None:
    for labels, has_matrix in ((100, True), (101, False)):
        truth, probabilities = random_case(150, labels, seed=4)
        found = evaluated(truth, probabilities)
        assert (found["confusion_matrix"] is not None) == has_matrix
        assert len(found["per_class"]) == labels


def test_one_row_in_a_hundred_with_the_positive_label_is_measured(tmp_path: Path) -> None:
    files = Files(tmp_path, ["sound", "fault"])
    truth, scores = four_models(300, 2, (2.0, 1.0, 1.0))
    truth = (np.arange(300) % 100 == 0).astype(int)
    for probabilities in scores.values():
        probabilities[:, 1] = np.clip(probabilities[:, 1] + 0.3 * truth, 0, 1)
        probabilities[:, 0] = 1 - probabilities[:, 1]
    files.put("test", truth, scores)
    found = files.evaluate()
    assert found["splits"]["test"]["models"]["loramake"]["per_class"][1]["support"] == 3
    assert found["verdict"]["outcome"] is not None


def test_labels_that_look_like_numbers_and_one_without_rows_are_kept_apart(tmp_path: Path) -> None:
    files = Files(tmp_path, ["1", "1.0", "01", "10"])
    truth, scores = four_models(80, 4, (3.0, 1.0, 1.0))
    truth[truth == 3] = 0
    files.put("test", truth, scores)
    found = files.evaluate()["splits"]["test"]["models"]["loramake"]["per_class"]
    assert [entry["support"] for entry in found] == np.bincount(truth, minlength=4).tolist()
    assert found[3]["recall"] == {"value": None, "low": None, "high": None}


def test_two_labels_are_measured_as_scikit_learn_does() -> None:
    truth, probabilities = random_case(400, 2, seed=0)
    predicted = probabilities.argmax(axis=1)
    found = compute_metrics(truth, probabilities)
    assert found["roc_auc"] == sklearn_metrics.roc_auc_score(truth, probabilities[:, 1])
    assert found["pr_auc"] == sklearn_metrics.average_precision_score(truth, probabilities[:, 1])
    assert found["f1"] == sklearn_metrics.f1_score(truth, predicted)
    assert found["mcc"] == sklearn_metrics.matthews_corrcoef(truth, predicted)
    assert found["log_loss"] == sklearn_metrics.log_loss(truth, probabilities)
    assert found["precision_weighted"] == sklearn_metrics.precision_score(truth, predicted, average="weighted")


def test_three_labels_are_measured_one_against_the_rest_and_have_no_positive_label() -> None:
    truth, probabilities = random_case(400, 3, seed=0)
    found = compute_metrics(truth, probabilities)
    expected = sklearn_metrics.roc_auc_score(truth, probabilities, multi_class="ovr", average="macro")
    assert found["roc_auc"] == pytest.approx(expected, abs=1e-12)
    expected = sklearn_metrics.average_precision_score(np.eye(3)[truth], probabilities, average="macro")
    assert found["pr_auc"] == pytest.approx(expected, abs=1e-12)
    assert "f1" not in found
    assert "f1_macro" in found


def test_a_perfect_predictor_has_ones_and_no_doubt() -> None:
    truth = np.arange(60) % 3
    found = evaluated(truth, np.eye(3)[truth])["metrics"]
    assert found["log_loss"]["value"] == pytest.approx(0, abs=1e-12)
    del found["log_loss"]
    assert all(entry == {"value": 1.0, "low": 1.0, "high": 1.0} for entry in found.values())


def test_a_random_predictor_has_chance_inside_its_interval() -> None:
    truth, probabilities = random_case(600, 2, seed=5, signal=0.0)
    found = evaluated(truth, probabilities)["metrics"]
    assert found["roc_auc"]["low"] < 0.5 < found["roc_auc"]["high"]
    assert found["mcc"]["low"] < 0.0 < found["mcc"]["high"]


def test_the_interval_of_the_accuracy_is_as_wide_as_the_binomial_one() -> None:
    truth, probabilities = random_case(1000, 2, seed=7)
    found = evaluated(truth, probabilities)["metrics"]["accuracy"]
    share = found["value"]
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / 1000), rel=0.12)


def evaluated(truth: Any, probabilities: Any) -> dict[str, Any]:
    labels = [f"label {code}" for code in range(probabilities.shape[1])]
    return evaluate(truth, probabilities, labels, resample(truth, {"one": probabilities}, seed=0)["one"], seed=0)


def test_a_split_of_one_label_has_no_areas() -> None:
    _, probabilities = random_case(50, 2, seed=0)
    found = evaluated(np.ones(50, dtype=int), probabilities)
    for name in ("roc_auc", "pr_auc", "mcc", "balanced_accuracy"):
        assert found["metrics"][name] == {"value": None, "low": None, "high": None}
    assert found["metrics"]["accuracy"]["value"] is not None
    assert found["per_class"][0]["recall"]["value"] is None
    assert found["per_class"][0]["support"] == 0


def test_an_empty_split_has_no_numbers() -> None:
    found = evaluated(np.zeros(0, dtype=int), np.zeros((0, 3)))
    assert all(entry == {"value": None, "low": None, "high": None} for entry in found["metrics"].values())
    assert found["confusion_matrix"] == [[0, 0, 0]] * 3
    assert [entry["support"] for entry in found["per_class"]] == [0, 0, 0]


def test_the_precision_of_a_label_that_is_never_predicted_is_not_made_up() -> None:
    truth = np.array([0, 0, 0, 1])
    found = evaluated(truth, np.tile([0.75, 0.25], (4, 1)))
    assert found["metrics"]["precision"]["value"] is None
    assert found["metrics"]["recall"]["value"] == 0.0
    assert found["metrics"]["precision_macro"]["value"] == 0.375
    label = found["per_class"][1]
    assert (label["precision"]["value"], label["recall"]["value"], label["f1"]["value"]) == (None, 0.0, 0.0)
    assert label["support"] == 1
    assert found["per_class"][0]["precision"]["low"] <= 0.75 <= found["per_class"][0]["precision"]["high"]


def test_of_equal_probabilities_the_first_label_is_predicted() -> None:
    assert evaluated(np.array([1, 1]), np.full((2, 2), 0.5))["confusion_matrix"] == [[0, 0], [2, 0]]


def test_a_mostly_undefined_metric_has_no_interval() -> None:
    assert estimate(0.5, np.array([0.5, np.nan, np.nan])) == {"value": 0.5, "low": None, "high": None}


def test_every_resample_holds_as_many_rows_as_the_split() -> None:
    blocks = list(draw_counts(100_000, seed=0))
    assert sum(len(block) for block in blocks) == RESAMPLES
    assert all((block.sum(axis=1) == 100_000).all() for block in blocks)


@pytest.mark.parametrize(
    ("signals", "outcome", "opening"),
    [
        ((3.0, 0.5, 0.2), "better", "Better than logistic_regression: ROC-AUC 0.9"),
        ((0.2, 0.5, 3.0), "worse", "Worse than hist_gradient_boosting: ROC-AUC 0.5"),
        ((1.0, 1.0, 0.2), "level", "Level with logistic_regression: ROC-AUC 0.8"),
    ],
)
def test_the_verdict_says_whether_the_interval_of_the_difference_excludes_zero(
    tmp_path: Path, signals: tuple[float, float, float], outcome: str, opening: str
) -> None:
    files = Files(tmp_path, ["no", "yes"])
    files.put("test", *four_models(300, 2, signals))
    verdict = files.evaluate()["verdict"]
    assert verdict["outcome"] == outcome
    assert verdict["sentence"].startswith(opening)
    difference = verdict["difference"]
    assert difference["low"] < difference["value"] < difference["high"]
    assert difference["value"] == pytest.approx(verdict["loramake"] - verdict["baseline"])


def test_the_same_probabilities_are_level_without_doubt(tmp_path: Path) -> None:
    files = Files(tmp_path, ["no", "yes"])
    truth, scores = four_models(80, 2, (1.0, 1.0, 1.0))
    files.put("test", truth, dict.fromkeys(MODELS, scores["loramake"]))
    verdict = files.evaluate()["verdict"]
    assert verdict["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert verdict["sentence"].endswith("(difference 0.000, 95% interval 0.000 to 0.000).")


def test_three_labels_are_evaluated_on_both_splits(tmp_path: Path) -> None:
    files = Files(tmp_path, ["a", "b", "c"])
    files.put("train", *four_models(120, 3, (2.0, 1.0, 1.0)))
    files.put("test", *four_models(60, 3, (2.0, 1.0, 1.0)))
    found = files.evaluate()
    assert found["positive_label"] is None
    assert [found["splits"][split]["rows"] for split in ("train", "test")] == [120, 60]
    assert list(found["splits"]["test"]["models"]) == list(MODELS)
    assert found["splits"]["test"]["models"]["majority"]["metrics"]["roc_auc"]["value"] == 0.5


def test_a_test_split_of_one_label_or_none_gets_no_verdict(tmp_path: Path) -> None:
    files = Files(tmp_path, ["no", "yes"])
    files.put("train", *four_models(40, 2, (1.0, 1.0, 1.0)))
    assert files.evaluate()["verdict"]["sentence"].startswith("No comparison")
    truth, scores = four_models(20, 2, (1.0, 1.0, 1.0))
    files.put("test", np.zeros_like(truth), scores)
    verdict = files.evaluate()["verdict"]
    assert verdict["outcome"] is None
    assert verdict["difference"]["value"] is None


def test_the_order_of_lines_does_not_matter_to_the_matching(tmp_path: Path) -> None:
    files = Files(tmp_path, ["no", "yes"])
    truth, scores = four_models(50, 2, (1.0, 1.0, 1.0))
    files.put("test", truth, scores)
    files.lines["test"].reverse()
    paths = files.write()
    codes, found = read_scores(paths["test"], paths["baselines"], files.labels, "test")
    np.testing.assert_array_equal(codes, truth[::-1])
    for name in MODELS:
        np.testing.assert_array_equal(found[name], scores[name][::-1])


def test_the_order_of_a_lines_labels_does_not_matter(tmp_path: Path) -> None:
    files = Files(tmp_path, ["no", "yes"])
    truth, scores = four_models(10, 2, (1.0, 1.0, 1.0))
    files.put("test", truth, scores)
    for line in files.lines["test"]:
        line["probabilities"] = dict(reversed(line["probabilities"].items()))
    paths = files.write()
    np.testing.assert_array_equal(
        read_scores(paths["test"], paths["baselines"], files.labels, "test")[1]["loramake"], scores["loramake"]
    )


def test_rows_that_one_file_lacks_are_refused_by_name(tmp_path: Path) -> None:
    files = Files(tmp_path, ["no", "yes"])
    files.put("test", *four_models(10, 2, (1.0, 1.0, 1.0)))
    *files.lines["test"], before, last = files.lines["test"]
    with pytest.raises(ArtifactError, match=r"test\.jsonl lacks row 8 of csv, which .*baselines\.json has"):
        files.evaluate()
    files.lines["test"] += [before, last, {**last, "source": "test_csv"}]
    with pytest.raises(ArtifactError, match=r"baselines\.json lacks row 9 of test_csv"):
        files.evaluate()


def test_a_row_that_stands_twice_is_refused(tmp_path: Path) -> None:
    files = Files(tmp_path, ["no", "yes"])
    files.put("test", *four_models(10, 2, (1.0, 1.0, 1.0)))
    files.lines["test"].append(files.lines["test"][0])
    with pytest.raises(ArtifactError, match=r"test\.jsonl holds row 0 of csv twice"):
        files.evaluate()


def test_a_row_without_a_known_label_is_refused(tmp_path: Path) -> None:
    files = Files(tmp_path, ["no", "yes"])
    files.put("test", *four_models(10, 2, (1.0, 1.0, 1.0)))
    files.lines["test"][3]["label"] = None
    with pytest.raises(ArtifactError, match="row 3 of csv has no label"):
        files.evaluate()
    files.lines["test"][3]["label"] = "perhaps"
    with pytest.raises(ArtifactError, match="'perhaps', which the task does not know"):
        files.evaluate()


def test_evaluating_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    files = Files(tmp_path, ["no", "yes"])
    files.put("train", *four_models(100, 2, (1.0, 1.0, 1.0)))
    files.put("test", *four_models(50, 2, (1.0, 1.0, 1.0)))
    files.evaluate("first.json")
    files.evaluate("second.json")
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "second.json").read_bytes()


@pytest.mark.parametrize(("hits", "rows"), [(0, 7), (7, 7), (3, 11), (900, 1000), (1, 1)])
def test_the_interval_of_a_share_is_wilsons(hits: int, rows: int) -> None:
    interval = binomtest(hits, rows).proportion_ci(0.95, method="wilson")
    found = proportion(hits, rows)
    assert found["value"] == hits / rows
    assert found["low"] == pytest.approx(interval.low, abs=1e-12)
    assert found["high"] == pytest.approx(interval.high, abs=1e-12)

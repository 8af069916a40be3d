"""Metrics and their intervals against scikit-learn, rows counted by hand, and synthetic tables with a known answer."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from loramake.evaluation.metrics import compute_metrics
from loramake.evaluation.resampling import resample
from loramake.evaluation.run import evaluate
from tests.cases import classification, random_case


def test_a_hundred_labels_have_a_confusion_matrix_and_more_have_none() -> None:
    for labels, has_matrix in ((100, True), (101, False)):
        truth, probabilities = random_case(150, labels, seed=4)
        measured = evaluated(truth, probabilities)
        assert (measured["confusion_matrix"] is not None) == has_matrix
        assert len(measured["per_class"]) == labels


def test_two_labels_are_measured_as_scikit_learn_does() -> None:
    truth, probabilities = random_case(400, 2, seed=0)
    predicted = probabilities.argmax(axis=1)
    metrics = compute_metrics(classification(2), truth, probabilities)
    assert metrics["roc_auc"] == sklearn_metrics.roc_auc_score(truth, probabilities[:, 1])
    assert metrics["pr_auc"] == sklearn_metrics.average_precision_score(truth, probabilities[:, 1])
    assert metrics["f1"] == sklearn_metrics.f1_score(truth, predicted)
    assert metrics["mcc"] == sklearn_metrics.matthews_corrcoef(truth, predicted)
    assert metrics["log_loss"] == sklearn_metrics.log_loss(truth, probabilities)
    assert metrics["precision_weighted"] == sklearn_metrics.precision_score(truth, predicted, average="weighted")


def test_three_labels_are_measured_one_against_the_rest_and_have_no_positive_label() -> None:
    truth, probabilities = random_case(400, 3, seed=0)
    metrics = compute_metrics(classification(3), truth, probabilities)
    expected = sklearn_metrics.roc_auc_score(truth, probabilities, multi_class="ovr", average="macro")
    assert metrics["roc_auc"] == pytest.approx(expected, abs=1e-12)
    expected = sklearn_metrics.average_precision_score(np.eye(3)[truth], probabilities, average="macro")
    assert metrics["pr_auc"] == pytest.approx(expected, abs=1e-12)
    assert "f1" not in metrics
    assert "f1_macro" in metrics


def test_a_perfect_predictor_has_ones_and_no_doubt() -> None:
    truth = np.arange(60) % 3
    measured = evaluated(truth, np.eye(3)[truth])["metrics"]
    assert measured["log_loss"]["value"] == pytest.approx(0, abs=1e-12)
    del measured["log_loss"]
    assert all(entry == {"value": 1.0, "low": 1.0, "high": 1.0} for entry in measured.values())


def test_a_random_predictor_has_chance_inside_its_interval() -> None:
    truth, probabilities = random_case(600, 2, seed=5, signal=0.0)
    measured = evaluated(truth, probabilities)["metrics"]
    assert measured["roc_auc"]["low"] < 0.5 < measured["roc_auc"]["high"]
    assert measured["mcc"]["low"] < 0.0 < measured["mcc"]["high"]


def evaluated(truth: Any, probabilities: Any) -> dict[str, Any]:
    task = classification(probabilities.shape[1])
    resampled = resample(task, truth, {"one": probabilities}, seed=0)["one"]
    return evaluate(task, truth, probabilities, resampled, seed=0)


def test_a_split_of_one_label_has_no_areas() -> None:
    _, probabilities = random_case(50, 2, seed=0)
    measured = evaluated(np.ones(50, dtype=int), probabilities)
    for name in ("roc_auc", "pr_auc", "mcc", "balanced_accuracy"):
        assert measured["metrics"][name] == {"value": None, "low": None, "high": None}
    assert measured["metrics"]["accuracy"]["value"] is not None
    assert measured["per_class"][0]["recall"]["value"] is None
    assert measured["per_class"][0]["support"] == 0


def test_an_empty_split_has_no_numbers() -> None:
    measured = evaluated(np.zeros(0, dtype=int), np.zeros((0, 3)))
    assert all(entry == {"value": None, "low": None, "high": None} for entry in measured["metrics"].values())
    assert measured["confusion_matrix"] == [[0, 0, 0]] * 3
    assert [entry["support"] for entry in measured["per_class"]] == [0, 0, 0]


def test_the_precision_of_a_label_that_is_never_predicted_is_undefined() -> None:
    truth = np.array([0, 0, 0, 1])
    measured = evaluated(truth, np.tile([0.75, 0.25], (4, 1)))
    assert measured["metrics"]["precision"]["value"] is None
    assert measured["metrics"]["recall"]["value"] == 0.0
    assert measured["metrics"]["precision_macro"]["value"] == 0.375
    label = measured["per_class"][1]
    assert (label["precision"]["value"], label["recall"]["value"], label["f1"]["value"]) == (None, 0.0, 0.0)
    assert label["support"] == 1
    assert measured["per_class"][0]["precision"]["low"] <= 0.75 <= measured["per_class"][0]["precision"]["high"]


def test_of_equal_probabilities_the_first_label_is_predicted() -> None:
    assert evaluated(np.array([1, 1]), np.full((2, 2), 0.5))["confusion_matrix"] == [[0, 0], [2, 0]]


def test_the_interval_of_the_accuracy_is_as_wide_as_the_binomial_one() -> None:
    truth, probabilities = random_case(1000, 2, seed=7)
    measured = evaluated(truth, probabilities)["metrics"]["accuracy"]
    share = measured["value"]
    assert measured["high"] - measured["low"] == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / 1000), rel=0.12)

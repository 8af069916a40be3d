"""Calibration: the two halves, the fits against scikit-learn's, and the notes on too few rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import log_loss, roc_auc_score

from loramake import artifacts
from loramake.errors import ArtifactError
from loramake.trust.calibration import (
    TEMPERATURES,
    apply_calibrator,
    fit_calibrator,
    fit_on_half,
    fit_temperature,
    halve,
)
from loramake.trust.conformal import fit_sets
from loramake.trust.prediction_sets import guarantee_of
from loramake.trust.sentences.calibration import summarize_calibrator
from tests.cases import as_scored, calibrated_case, names, shuffled, softmax
from tests.files import Calibration


def fitted(truth: Any, probabilities: Any, requested: str = "temperature") -> dict[str, Any]:
    calibrator = fit_calibrator(as_scored(truth, probabilities), names(probabilities.shape[1]), requested)
    artifacts.validate(calibrator, "calibrator", "calibrator.json")
    return calibrator


# The two halves.


@pytest.mark.parametrize("seed", range(5))
def test_the_halves_contain_every_row_once_and_are_stratified_by_label(seed: int) -> None:
    generator = np.random.default_rng(seed)
    truth = generator.integers(4, size=int(generator.integers(0, 80)))
    rows = as_scored(truth, np.full((len(truth), 5), 0.2))
    first, second = halve(rows, names(5), seed)
    assert sorted(first.keys + second.keys) == rows.keys
    assert 0 <= len(first.keys) - len(second.keys) <= 1
    difference = np.bincount(first.truth, minlength=5) - np.bincount(second.truth, minlength=5)
    assert np.abs(difference).max() <= 1
    by_key = dict(zip(rows.keys, truth, strict=True))
    for half in (first, second):
        assert [by_key[key] for key in half.keys] == half.truth.tolist()


def test_the_halves_are_decided_by_the_rows_names_and_the_seed_and_not_by_their_order() -> None:
    truth, probabilities = calibrated_case(60, 3, seed=0)
    rows = as_scored(truth, probabilities)
    halves = halve(rows, names(3), seed=1)
    mixed = halve(shuffled(rows, seed=5), names(3), seed=1)
    assert mixed[0].keys == halves[0].keys
    np.testing.assert_array_equal(mixed[0].probabilities, halves[0].probabilities)
    assert set(mixed[1].keys) == set(halves[1].keys)
    assert set(halve(rows, names(3), seed=2)[0].keys) != set(halves[0].keys)
    renamed = halve(as_scored(truth, probabilities, source="test_csv"), names(3), seed=1)
    assert {row for _, row in renamed[0].keys} != {row for _, row in halves[0].keys}


def test_the_halves_do_not_depend_on_the_order_of_the_labels() -> None:
    truth, probabilities = calibrated_case(61, 3, seed=0)
    order = np.array([2, 0, 1])
    turned = as_scored(np.argsort(order)[truth], probabilities[:, order])
    labels = names(3)
    expected = halve(as_scored(truth, probabilities), labels, seed=1)
    result = halve(turned, [labels[index] for index in order], seed=1)
    assert [half.keys for half in result] == [half.keys for half in expected]


# Temperature.


class Says(ClassifierMixin, BaseEstimator):
    """A classifier for scikit-learn whose probabilities are the features."""

    def __init__(self, labels: int) -> None:
        self.labels = labels
        self.classes_ = np.arange(labels)

    def fit(self, features: Any, truth: Any) -> "Says":
        return self

    def predict_proba(self, features: Any) -> Any:
        return features

    def predict(self, features: Any) -> Any:
        return features.argmax(axis=1)


def sklearn_calibrated(truth: Any, probabilities: Any, method: str) -> Any:
    frozen = FrozenEstimator(Says(probabilities.shape[1]))
    model = CalibratedClassifierCV(frozen, method=method, ensemble=False, cv=2).fit(probabilities, truth)
    return model.predict_proba(probabilities)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("rows", "labels"), [(40, 2), (300, 2), (300, 3), (500, 12)])
def test_a_temperature_is_scikit_learns(rows: int, labels: int, seed: int) -> None:
    truth, probabilities = calibrated_case(rows, labels, seed, temperature=1.7)
    calibrated = apply_calibrator(fitted(truth, probabilities), probabilities)
    np.testing.assert_allclose(calibrated, sklearn_calibrated(truth, probabilities, "temperature"), atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_a_temperature_has_the_lowest_log_loss_of_all(seed: int) -> None:
    truth, probabilities = calibrated_case(100, 3, seed, temperature=3.0)

    def loss(log_temperature: float) -> float:
        return float(log_loss(truth, softmax(np.log(probabilities) / np.exp(log_temperature)), labels=[0, 1, 2]))

    best = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-10})
    assert np.log(fit_temperature(truth, probabilities)) == pytest.approx(best.x, abs=1e-4)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    truth, probabilities = calibrated_case(20_000, 4, seed=1, temperature=temperature)
    assert fit_temperature(truth, probabilities) == pytest.approx(temperature, rel=0.05)


def test_a_temperature_keeps_the_order_of_labels_and_of_rows() -> None:
    truth, probabilities = calibrated_case(400, 2, seed=2, temperature=4.0, spread=6.0)
    calibrated = apply_calibrator(fitted(truth, probabilities), probabilities)
    assert (calibrated.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert roc_auc_score(truth, calibrated[:, 1]) == roc_auc_score(truth, probabilities[:, 1])


def test_a_temperature_takes_probabilities_of_0_and_1() -> None:
    truth = np.arange(60) % 2
    probabilities = np.eye(2)[truth]
    probabilities[:6] = probabilities[:6, ::-1]
    calibrator = fitted(truth, probabilities)
    calibrated = apply_calibrator(calibrator, probabilities)
    # Certain, and right 9 times in 10: that is what the calibrated probability has to say.
    assert calibrated.max(axis=1) == pytest.approx(0.9, abs=0.1)
    assert np.isfinite(calibrated).all()
    assert calibrated.sum(axis=1) == pytest.approx(1)


def test_the_order_of_tiny_probabilities_is_kept() -> None:
    tiny = np.array([[1.0, 1e-30, 1e-200, 0.0]])
    calibrated = apply_calibrator(fitted(*calibrated_case(200, 4, seed=0, temperature=5.0)), tiny)
    assert (np.diff(calibrated[0]) < 0).all()


def test_uninformative_confidence_is_removed() -> None:
    truth, probabilities = calibrated_case(100, 2, seed=3)
    against = probabilities[:, ::-1]
    calibrator = fitted(truth, against)
    assert calibrator["temperature"] == TEMPERATURES[1]
    assert "the model's confidence does not predict its accuracy" in calibrator["note"]
    assert apply_calibrator(calibrator, against) == pytest.approx(0.5, abs=0.05)


def test_a_temperature_at_its_lower_limit_is_not_to_be_trusted() -> None:
    # Forty rows right by a hair, and four ties that count as wrong and cost top_probability nothing.
    probabilities = np.array([[0.500_001, 0.499_999]] * 40 + [[0.5, 0.5]] * 4)
    calibrator = fitted(np.repeat([0, 1], [40, 4]), probabilities)
    assert calibrator["temperature"] == TEMPERATURES[0]
    assert "too little to trust" in calibrator["note"]


@pytest.mark.parametrize(
    ("temperature", "opening"),
    [
        (3.0, "The model is overconfident: its probabilities are scaled down (temperature "),
        (0.3, "The model is underconfident: its probabilities are sharpened (temperature "),
        (1.0, "The model is already close to calibrated: its probabilities hardly change (temperature "),
    ],
)
def test_the_sentence_says_what_the_temperature_means(temperature: float, opening: str) -> None:
    calibrator = fitted(*calibrated_case(20_000, 2, seed=0, temperature=temperature))
    assert calibrator["sentence"].startswith(opening)
    assert calibrator["sentence"].endswith("fitted on 20,000 calibration rows).")
    assert calibrator["note"] is None


# Isotonic regression.


def test_an_isotonic_fit_of_two_labels_is_scikit_learns_of_the_positive_one_kept_off_0_and_1() -> None:
    truth, probabilities = calibrated_case(300, 2, seed=0, temperature=2.0)
    line = IsotonicRegression(out_of_bounds="clip").fit(probabilities[:, 1], truth)
    other = calibrated_case(50, 2, seed=1)[1]
    calibrated = apply_calibrator(fitted(truth, probabilities, "isotonic"), other)
    expected = line.predict(other[:, 1])
    inside = (expected > 0.01) & (expected < 0.99)
    np.testing.assert_allclose(calibrated[inside, 1], expected[inside], atol=0.005)
    assert inside.sum() > 10
    assert calibrated.min() >= 1 / (2 * 301)


def test_an_isotonic_fit_of_more_labels_is_scikit_learns_one_against_the_rest() -> None:
    truth, probabilities = calibrated_case(600, 3, seed=0, temperature=2.0)
    calibrated = apply_calibrator(fitted(truth, probabilities, "isotonic"), probabilities)
    np.testing.assert_allclose(calibrated, sklearn_calibrated(truth, probabilities, "isotonic"), atol=0.002)
    assert calibrated.sum(axis=1) == pytest.approx(1, abs=1e-12)


def test_isotonic_probabilities_are_never_0_or_1_even_where_all_labels_would_have_0() -> None:
    truth, probabilities = calibrated_case(300, 3, seed=0, temperature=2.0)
    calibrator = fitted(truth, probabilities, "isotonic")
    zero = np.zeros((1, 3))  # below what any label's rows have
    calibrated = apply_calibrator(calibrator, np.vstack([zero, np.eye(3)]))
    assert ((calibrated > 0) & (calibrated < 1)).all()
    assert calibrated.sum(axis=1) == pytest.approx(1)
    assert calibrated[0] == pytest.approx(1 / 3, abs=0.1)


def test_an_isotonic_fit_mends_what_no_temperature_can() -> None:
    truth, probabilities = calibrated_case(4_000, 2, seed=0)
    tilted = softmax(np.log(probabilities) + np.array([2.0, 0.0]))
    losses = {
        method: log_loss(truth, apply_calibrator(fitted(truth[:2000], tilted[:2000], method), tilted))
        for method in ("temperature", "isotonic", "none")
    }
    assert losses["isotonic"] < losses["temperature"] - 0.05 < losses["none"]


@pytest.mark.parametrize(
    ("temperature", "word"),
    [(0.94, "underconfident"), (0.95, "already close"), (1.05, "already close"), (1.06, "overconfident")],
)
def test_a_twentieth_is_hardly_a_change(temperature: float, word: str) -> None:
    calibrator = fitted(*calibrated_case(100, 2, seed=0))
    assert f"The model is {word}" in summarize_calibrator(calibrator | {"temperature": temperature})


def test_an_isotonic_fit_that_raises_the_log_loss_of_its_own_rows_is_skipped() -> None:
    truth = np.arange(300) % 3
    calibrator = fitted(truth, 0.999_999 * np.eye(3)[truth] + 0.000_001 / 3, "isotonic")
    assert calibrator["method"] == "none"
    assert calibrator["note"].startswith(
        "The model's probabilities are used as they are: isotonic regression raised the"
    )
    assert "the log loss on the rows it was fitted on from 0.000 to 0.00" in calibrator["note"]
    assert (
        "temperature scaling needs at least 3 correct and 3 incorrect predictions and has 300 and 0"
        in calibrator["note"]
    )


# Rows that do not do.


def test_too_few_rows_for_isotonic_regression_get_a_temperature_and_a_note() -> None:
    calibrator = fitted(*calibrated_case(60, 2, seed=0, temperature=2.0), "isotonic")
    assert (calibrator["requested"], calibrator["method"]) == ("isotonic", "temperature")
    expected = (
        "Temperature scaling is used: "
        "isotonic regression needs 200 rows to fit and has 60 (half of the calibration rows)."
    )
    assert calibrator["note"] == expected
    assert calibrator["sentence"].startswith(f"{expected} The model is overconfident")
    assert calibrator["isotonic"] is None


def test_a_label_too_rare_for_isotonic_regression_is_named() -> None:
    truth, probabilities = calibrated_case(400, 3, seed=0)
    truth[truth == 1] = 0
    truth[:9] = 1
    calibrator = fitted(truth, probabilities, "isotonic")
    assert calibrator["method"] == "temperature"
    assert "needs 10 rows of each label and has 9 of 'label 1'" in calibrator["note"]


def test_too_few_rows_for_anything_leave_the_probabilities_unchanged_and_say_so() -> None:
    calibrator = fitted(*calibrated_case(12, 2, seed=0), "isotonic")
    assert calibrator["method"] == "none"
    assert calibrator["sentence"] == calibrator["note"]
    assert "temperature scaling needs 20 rows to fit and has 12" in calibrator["note"]
    assert calibrator["note"].startswith("The model's probabilities are used as they are: ")
    assert calibrator["rows"]["fitted"] == 0


@pytest.mark.parametrize("right", [0, 2, 3, 47, 48, 50])
def test_a_temperature_needs_correct_and_incorrect_predictions(right: int) -> None:
    probabilities = np.tile([0.3, 0.7], (50, 1))
    probabilities[:right] = [0.7, 0.3]
    calibrator = fitted(np.zeros(50, dtype=int), probabilities)
    if 3 <= right <= 47:
        assert calibrator["method"] == "temperature"
        return
    assert calibrator["method"] == "none"
    assert (
        f"needs at least 3 correct and 3 incorrect predictions and has {right} and {50 - right}" in calibrator["note"]
    )


def test_none_is_none_whatever_the_rows() -> None:
    truth, probabilities = calibrated_case(500, 2, seed=0, temperature=3.0)
    calibrator = fitted(truth, probabilities, "none")
    assert (calibrator["method"], calibrator["note"]) == ("none", None)
    assert calibrator["sentence"] == "The model's probabilities are used as they are (calibration: none)."
    np.testing.assert_array_equal(apply_calibrator(calibrator, probabilities), probabilities)


def test_a_calibrator_for_other_labels_is_refused() -> None:
    with pytest.raises(ArtifactError, match="is for 2 labels, but the predictions have 3: delete"):
        apply_calibrator(fitted(*calibrated_case(60, 2, seed=0)), np.full((1, 3), 1 / 3))


@pytest.mark.parametrize("labels", [2, 1000])
@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("method", ["temperature", "isotonic", "none"])
def test_an_empty_split_and_one_row_are_not_calibrated(rows: int, labels: int, method: str) -> None:
    truth, probabilities = np.zeros(rows, dtype=int), np.full((rows, labels), 1 / labels)
    calibrator = fitted(truth, probabilities, method)
    assert calibrator["method"] == "none"
    assert apply_calibrator(calibrator, probabilities).shape == (rows, labels)


def test_a_thousand_labels_are_calibrated() -> None:
    truth, probabilities = calibrated_case(500, 1000, seed=0, temperature=2.0)
    calibrator = fitted(truth, probabilities, "isotonic")
    assert calibrator["temperature"] == pytest.approx(2, rel=0.1)


# No order matters.


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_another_order_of_the_labels_gives_the_same_probabilities_in_that_order(
    method: str, labels: int, seed: int
) -> None:
    truth, probabilities = calibrated_case(400, labels, seed, temperature=2.0)
    order = np.random.default_rng(seed).permutation(labels) if labels > 2 else np.array([1, 0])
    turned, other = probabilities[:, order], calibrated_case(50, labels, seed + 10)[1]
    plain = fit_calibrator(as_scored(truth, probabilities), names(labels), method)
    result = fit_calibrator(
        as_scored(np.argsort(order)[truth], turned), [names(labels)[index] for index in order], method
    )
    assert plain["method"] == result["method"] == method
    expected = apply_calibrator(plain, other)[:, order]
    np.testing.assert_allclose(apply_calibrator(result, other[:, order]), expected, atol=1e-9)


def test_the_rows_held_out_are_those_that_the_calibrator_was_not_fitted_on(tmp_path: Path) -> None:
    files = Calibration(tmp_path, ["no", "yes"])
    rows = as_scored(*calibrated_case(101, 2, seed=0, temperature=3.0))
    test = as_scored(*calibrated_case(30, 2, seed=1))
    calibrator = files.run(rows, test)
    assert calibrator["rows"] == {"fitted": 51, "held_out": 50}
    seen, unseen = halve(rows, files.labels, seed=42)
    assert files.read("held_out").keys == unseen.keys
    assert calibrator["temperature"] == fit_temperature(seen.truth, seen.probabilities)
    for name, before in (("held_out", unseen), ("test", test)):
        np.testing.assert_array_equal(
            files.read(name).probabilities, apply_calibrator(calibrator, before.probabilities)
        )
    assert files.read("test").keys == test.keys
    np.testing.assert_array_equal(files.read("test").truth, test.truth)


def test_rows_with_too_few_errors_are_not_held_out(tmp_path: Path) -> None:
    """Held out, they would be biased: they were selected for having few errors."""
    files = Calibration(tmp_path, ["no", "yes"])
    right = np.array([0, 1] * 30)
    rows = as_scored(right, np.eye(2)[right] * 0.8 + 0.1)
    calibrator = files.run(rows, as_scored(*calibrated_case(30, 2, seed=1)))
    assert calibrator["method"] == "none"
    assert calibrator["rows"] == {"fitted": 0, "held_out": 30}
    assert files.read("held_out").keys == halve(rows, files.labels, seed=42)[1].keys


def test_sets_keep_their_coverage_where_the_temperature_is_sometimes_rejected() -> None:
    """The mean over splits of which some fall back, because of their rows: two labels, 44 rows, 85% of them correct."""
    generator = np.random.default_rng(0)
    gaps = []
    for seed in range(2000):
        right = generator.random(244) < 0.85
        truth = generator.integers(2, size=244)
        top_probability = generator.uniform(0.7, 1.0, size=244)
        probability = np.where(right, top_probability, 1 - top_probability)
        rows = as_scored(
            truth, np.where(np.arange(2) == truth[:, None], probability[:, None], 1 - probability[:, None])
        )
        calibrator, left = fit_on_half(rows.take(range(44)), ["no", "yes"], "temperature", seed)
        fitted, tried = (
            part._replace(probabilities=apply_calibrator(calibrator, part.probabilities))
            for part in (left, rows.take(range(44, 244)))
        )
        sets = fit_sets(fitted, "lac", 0.9).predict(tried.probabilities)
        gaps.append(sets[np.arange(200), tried.truth].mean() - guarantee_of(len(left.keys), 0.9))
    assert abs(np.mean(gaps)) < 3 * np.std(gaps) / np.sqrt(len(gaps))


@pytest.mark.parametrize(("rows", "method"), [(200, "none"), (30, "temperature"), (0, "isotonic")])
def test_without_a_calibrator_all_rows_are_held_out_unchanged(tmp_path: Path, rows: int, method: str) -> None:
    files = Calibration(tmp_path, ["no", "yes"])
    calibration = as_scored(*calibrated_case(rows, 2, seed=0))
    calibrator = files.run(calibration, as_scored(*calibrated_case(30, 2, seed=1)), method)
    assert calibrator["rows"] == {"fitted": 0, "held_out": rows}
    assert (tmp_path / "trust_held_out.jsonl").read_bytes() == (tmp_path / "calibration.jsonl").read_bytes()
    assert (tmp_path / "trust_test.jsonl").read_bytes() == (tmp_path / "test.jsonl").read_bytes()


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_the_order_of_lines_changes_no_number(tmp_path: Path, method: str) -> None:
    files = Calibration(tmp_path, ["a", "b", "c"])
    rows = as_scored(*calibrated_case(450, 3, seed=0, temperature=3.0))
    test = as_scored(*calibrated_case(30, 3, seed=1))
    result = files.run(rows, test, method)
    assert result["method"] == method
    before = (tmp_path / "calibrator.json").read_bytes(), (tmp_path / "trust_test.jsonl").read_bytes()
    lines = sorted((tmp_path / "trust_held_out.jsonl").read_text().splitlines())
    files.run(shuffled(rows, seed=9), test, method)
    assert ((tmp_path / "calibrator.json").read_bytes(), (tmp_path / "trust_test.jsonl").read_bytes()) == before
    assert sorted((tmp_path / "trust_held_out.jsonl").read_text().splitlines()) == lines


def test_the_true_labels_of_test_rows_are_never_looked_at(tmp_path: Path) -> None:
    files = Calibration(tmp_path, ["no", "yes"])
    rows = as_scored(*calibrated_case(100, 2, seed=0, temperature=3.0))
    test = as_scored(*calibrated_case(30, 2, seed=1))
    files.run(rows, test)
    before, result = (tmp_path / "calibrator.json").read_bytes(), files.read("test").probabilities
    files.run(rows, test._replace(truth=1 - test.truth))
    assert (tmp_path / "calibrator.json").read_bytes() == before
    np.testing.assert_array_equal(files.read("test").probabilities, result)


def test_a_calibrated_line_names_the_label_that_is_now_most_probable(tmp_path: Path) -> None:
    files = Calibration(tmp_path, ["no", "yes"])
    truth, probabilities = calibrated_case(1000, 2, seed=0)
    tilted = softmax(np.log(probabilities) + np.array([2.0, 0.0]))
    files.run(as_scored(truth, tilted), as_scored(truth, tilted), "isotonic")
    lines = artifacts.read(tmp_path / "trust_test.jsonl", "predictions")
    assert all(line["predicted"] == max(line["probabilities"], key=line["probabilities"].get) for line in lines)
    changed = [line["predicted"] for line in lines] != [files.labels[index] for index in tilted.argmax(axis=1)]
    assert changed

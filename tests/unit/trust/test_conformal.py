"""Prediction sets against MAPIE, crepes and the papers, the coverage they guarantee, and the sentences about them."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crepes import WrapClassifier
from mapie.classification import SplitConformalClassifier
from scipy.stats import kstest
from sklearn.base import BaseEstimator, ClassifierMixin

from loramake import artifacts
from loramake.errors import ArtifactError, ConfigError, DataError
from loramake.evaluation.intervals import proportion
from loramake.plots.conformal import plot_conformal
from loramake.prediction.predictions import Scored, scored_lines
from loramake.trust import prediction_sets
from loramake.trust.conformal import LEVELS, evaluate, fit_conformal, fit_sets, load_sets, try_sets
from loramake.trust.prediction_sets import (
    METHODS,
    ConformalPredictor,
    guarantee_of,
    rank_of,
    row_shares,
    rows_needed,
    score_labels,
)
from tests.cases import blurred_scored, names
from tests.files import Files
from tests.pictures import texts


def described(calibration: Scored, test: Scored, method: str = "lac", confidence: float = 0.9) -> dict[str, Any]:
    labels = names(calibration.probabilities.shape[1])
    result = evaluate(calibration, test, labels, method, confidence, seed=42)
    artifacts.validate(result, "conformal", "conformal.json")
    return result


class Told(ClassifierMixin, BaseEstimator):
    """A classifier whose features are the probabilities themselves."""

    def __init__(self, labels: int) -> None:
        self.labels = labels
        self.classes_, self.n_features_in_, self.is_fitted_ = np.arange(labels), labels, True

    def fit(self, rows: Any, truth: Any) -> "Told":
        return self

    def predict_proba(self, rows: Any) -> Any:
        return rows

    def predict(self, rows: Any) -> Any:
        return rows.argmax(axis=1)


def mapie_sets(calibration: Scored, test: Scored, score: str, confidence: float, **options: Any) -> Any:
    """MAPIE's sets; it draws the same random numbers for calibration and test rows: shares of a label to take off."""
    labels = calibration.probabilities.shape[1]
    fitted = SplitConformalClassifier(Told(labels), confidence, score, prefit=True, random_state=0)
    fitted.conformalize(calibration.probabilities, calibration.truth)
    return fitted.predict_set(test.probabilities, **options)[1][:, :, 0]


@pytest.mark.parametrize("confidence", [0.6, 0.83, 0.95])
@pytest.mark.parametrize("labels", [2, 3, 8])
def test_lac_makes_the_sets_that_mapie_makes(labels: int, confidence: float) -> None:
    calibration, test = blurred_scored(157, labels, seed=labels), blurred_scored(300, labels, seed=100 + labels)
    expected = mapie_sets(calibration, test, "lac", confidence)
    result = fit_sets(calibration, "lac", confidence).predict(test.probabilities)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("confidence", [0.6, 0.83, 0.95])
@pytest.mark.parametrize("labels", [3, 8])
def test_aps_makes_the_sets_that_mapie_makes_of_the_same_random_numbers(
    labels: int, confidence: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibration, test = blurred_scored(157, labels, seed=labels), blurred_scored(300, labels, seed=100 + labels)
    options = {"conformity_score_params": {"include_last_label": "randomized"}}
    expected = mapie_sets(calibration, test, "aps", confidence, **options)
    monkeypatch.setattr(
        prediction_sets, "row_shares", lambda rows: 1 - np.random.RandomState(0).uniform(size=len(rows))
    )
    result = fit_sets(calibration, "aps", confidence).predict(test.probabilities)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("confidence", [0.7, 0.9])
@pytest.mark.parametrize("labels", [2, 4])
def test_class_conditional_makes_the_sets_that_crepes_makes(labels: int, confidence: float) -> None:
    calibration, test = blurred_scored(203, labels, seed=labels), blurred_scored(150, labels, seed=100 + labels)
    rows = np.bincount(calibration.truth)
    # crepes keeps a label whose p-value equals 1 - confidence, which takes one rank more than the papers require.
    assert not np.isclose((rows + 1) * (1 - confidence) % 1, [[0.0], [1.0]]).any()
    wrapped = WrapClassifier(Told(labels))
    wrapped.calibrate(calibration.probabilities, calibration.truth, class_cond=True)
    expected = wrapped.predict_set(test.probabilities, labels=False, confidence=confidence, smoothing=False)
    result = fit_sets(calibration, "class_conditional", confidence).predict(test.probabilities)
    np.testing.assert_array_equal(result, expected.astype(bool))


def test_a_predictor_of_arrays_makes_the_sets_of_a_hand_made_example() -> None:
    """Scores 1 - P(true label) of 0.1, 0.2, 0.3 and 0.6; the ⌈5 · 0.6⌉ = 3rd smallest is 0.3: labels from 0.7 on."""
    probabilities = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4]]
    predictor = ConformalPredictor("lac", 0.6).fit(probabilities, [0, 1, 0, 1])
    assert predictor.predict([[0.7, 0.3], [0.5, 0.5], [0.1, 0.9]]).tolist() == [
        [True, False],
        [False] * 2,
        [False, True],
    ]
    assert predictor.predict([[0.5, 0.5]], conformal_confidence=0.9).tolist() == [[True, True]]


def test_what_a_predictor_of_arrays_cannot_take_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"^'top' is not a conformal method: choose lac, aps, raps, class_conditional\.$"
    ):
        ConformalPredictor("top")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"has no calibration rows yet: call fit first\.$"):
        ConformalPredictor().predict(np.eye(2))
    with pytest.raises(DataError, match=r"^the probabilities have 3 columns but 2 labels were fitted\.$"):
        ConformalPredictor().fit(np.eye(2), [0, 1]).predict(np.eye(3))


def raps_scores(probabilities: Any, shares: Any) -> Any:
    """Scores as algorithm 2 of Angelopoulos et al. (2021) has them, label by label."""
    scores = np.empty(probabilities.shape)
    for row, (values, share) in enumerate(zip(probabilities, shares, strict=True)):
        for label, value in enumerate(values):
            rank = 1 + (values > value).sum()
            penalty = prediction_sets.PENALTY * max(0, rank - prediction_sets.FREE_LABELS)
            scores[row, label] = values[values > value].sum() + share * value + penalty
    return scores


@pytest.mark.parametrize("labels", [2, 3, 8])
def test_raps_scores_are_those_of_the_paper_and_those_of_aps_without_a_penalty(
    labels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    probabilities = blurred_scored(200, labels, seed=labels).probabilities
    expected = raps_scores(probabilities, row_shares(probabilities))
    np.testing.assert_allclose(score_labels("raps", probabilities), expected, atol=1e-12)
    monkeypatch.setattr(prediction_sets, "PENALTY", 0.0)
    np.testing.assert_array_equal(score_labels("raps", probabilities), score_labels("aps", probabilities))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("labels", "rows"), [(2, 30), (4, 61)])
def test_the_coverage_is_as_guaranteed_on_average(method: str, labels: int, rows: int) -> None:
    conditional, tried = method == "class_conditional", 40
    differences: dict[int, list[float]] = {}
    for seed in range(400):
        both = blurred_scored(rows + tried, labels, seed)
        fitted, test = (
            Scored(both.keys[part], both.truth[part], both.probabilities[part])
            for part in (slice(rows), slice(rows, None))
        )
        hits = try_sets(fit_sets(fitted, method, 0.85), test, [0.85]).hits[0]
        for label in range(labels) if conditional else [-1]:
            chosen = test.truth == label if conditional else np.ones(tried, dtype=bool)
            if chosen.any():
                of_label = (fitted.truth == label).sum() if conditional else rows
                differences.setdefault(label, []).append(hits[chosen].mean() - guarantee_of(of_label, 0.85))
    for result in differences.values():
        assert abs(np.mean(result)) < 4 * np.std(result) / np.sqrt(len(result))


@pytest.mark.parametrize("digits", [None, 1])
@pytest.mark.parametrize("method", METHODS)
def test_the_set_of_a_row_is_the_same_in_every_batch(
    method: str, digits: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibration, rows = blurred_scored(80, 5, 1, digits), blurred_scored(203, 5, 2, digits).probabilities
    sets = fit_sets(calibration, method, 0.8)
    whole = sets.predict(rows)
    np.testing.assert_array_equal(sets.predict(rows[::-1])[::-1], whole)
    np.testing.assert_array_equal(np.vstack([sets.predict(row[None]) for row in rows]), whole)
    np.testing.assert_array_equal(np.vstack([sets.predict(rows[:7]), sets.predict(rows[7:])]), whole)
    monkeypatch.setattr(prediction_sets, "_CELLS", 60)
    np.testing.assert_array_equal(sets.predict(rows), whole)


@pytest.mark.parametrize("digits", [None, 1])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("labels", [2, 6])
def test_other_orders_of_labels_and_rows_change_no_set(method: str, labels: int, digits: int | None) -> None:
    calibration, rows = blurred_scored(120, labels, 3, digits), blurred_scored(200, labels, 4, digits).probabilities
    expected = fit_sets(calibration, method, 0.8).predict(rows)
    generator = np.random.default_rng(0)
    order, indices = generator.permutation(labels), generator.permutation(120)
    renamed = np.argsort(order)[calibration.truth]
    shuffled = Scored([], renamed[indices], calibration.probabilities[indices][:, order])
    result = fit_sets(shuffled, method, 0.8).predict(rows[:, order])
    np.testing.assert_array_equal(result, expected[:, order])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("digits", [None, 1])
def test_a_higher_confidence_takes_no_label_out_of_a_set(method: str, digits: int | None) -> None:
    sets = fit_sets(blurred_scored(60, 4, 5, digits), method, 0.9)
    rows = blurred_scored(100, 4, 6).probabilities
    nested = [sets.predict(rows, confidence) for confidence in (0.3, 0.5, 0.8, 0.9, 0.95, 0.99)]
    assert all((small <= large).all() for small, large in itertools.pairwise(nested))
    assert nested[0].sum() < nested[3].sum()
    np.testing.assert_array_equal(sets.predict(rows), nested[3])


@pytest.mark.parametrize("method", METHODS)
def test_labels_of_equal_probability_are_both_in_a_set_or_neither(method: str) -> None:
    calibration = blurred_scored(100, 4, 7)
    half = blurred_scored(50, 2, 8).probabilities
    rows = np.hstack([half, half]) / 2
    sets = fit_sets(
        calibration._replace(truth=calibration.truth % 2 * 2), "lac" if method == METHODS[3] else method, 0.7
    )
    result = sets.predict(rows)
    np.testing.assert_array_equal(result[:, :2], result[:, 2:])


def test_a_score_equal_to_the_quantile_is_in_the_set() -> None:
    truth, probabilities = np.zeros(20, dtype=np.int64), np.tile([0.625, 0.375], (20, 1))
    rows = Scored([], truth, probabilities)
    sets = fit_sets(rows, "lac", 0.9)
    np.testing.assert_array_equal(sets.predict(probabilities), np.tile([True, False], (20, 1)))
    trial = try_sets(sets, rows, [0.9])
    assert (trial.sizes == 1).all()
    assert trial.hits.all()


def test_the_number_of_a_row_is_spread_evenly_and_hardly_moves_with_the_last_digits() -> None:
    rows = blurred_scored(4000, 3, 9).probabilities
    shares = row_shares(rows)
    assert kstest(shares, "uniform").pvalue > 0.01
    assert np.corrcoef(shares, rows.max(axis=1))[0, 1] == pytest.approx(0, abs=0.05)
    noisy = rows * (1 + 1e-7 * np.random.default_rng(0).normal(size=rows.shape))
    assert (row_shares(noisy) != shares).mean() < 0.001
    np.testing.assert_array_equal(row_shares(rows[:, [2, 0, 1]]), shares)


@pytest.mark.parametrize("method", METHODS)
def test_certain_and_correct_probabilities_give_sets_of_the_true_label_only(method: str) -> None:
    truth = np.arange(60) % 3
    sure = Scored([], truth, np.eye(3)[truth])
    conformal = described(sure, sure, method)
    assert conformal["test"]["coverage"]["value"] == 1.0
    assert conformal["test"]["sizes"] == [{"size": 1, "rows": 60}]
    assert all(level["mean_set_size"] == 1.0 for level in conformal["levels"] if level["conformal_confidence"] < 0.95)


@pytest.mark.parametrize("method", METHODS)
def test_a_predictor_that_is_uniform_over_all_labels_gives_full_sets(method: str) -> None:
    flat = Scored([], np.arange(60) % 4, np.full((60, 4), 0.25))
    conformal = described(flat, flat, method)["test"]
    assert (conformal["full_sets"], conformal["mean_set_size"], conformal["empty_sets"]) == (1.0, 4.0, 0.0)


@pytest.mark.parametrize("method", METHODS)
def test_too_few_calibration_rows_give_full_sets_and_say_so(method: str) -> None:
    test = blurred_scored(30, 3, 1)
    conformal = described(blurred_scored(5, 3, 0), test, method)
    assert conformal["guarantee"] == 1.0
    assert conformal["quantile"] is None
    assert conformal["test"]["full_sets"] == 1.0
    needed = "Every prediction set contains all labels: 90% coverage takes 9 calibration rows"
    available = " of a label, and no label has more than " if method == "class_conditional" else ", and there are 5."
    assert conformal["sentence"].startswith(needed + available)
    assert fit_sets(blurred_scored(5, 3, 0), method, 0.9).predict(test.probabilities).all()


def test_nine_calibration_rows_are_enough_for_nine_in_ten_and_eight_are_not() -> None:
    assert [rows_needed(confidence) for confidence in (0.5, 0.9, 0.95, 0.99)] == [1, 9, 19, 99]
    assert described(blurred_scored(8, 2, 0), blurred_scored(30, 2, 1))["quantile"] is None
    calibration = blurred_scored(9, 2, 0)
    conformal = described(calibration, blurred_scored(30, 2, 1))
    assert conformal["guarantee"] == 0.9
    assert conformal["quantile"] == (1 - calibration.probabilities)[np.arange(9), calibration.truth].max()


def test_ranks_are_not_raised_by_binary_fractions() -> None:
    assert 100 * 0.55 > 55
    assert rank_of(99, 0.55) == 55
    assert rank_of(98, 0.55) == 55
    assert all(rank_of(rows, 0.9) == -(-9 * (rows + 1) // 10) for rows in range(2000))


@pytest.mark.parametrize("method", METHODS)
def test_without_calibration_rows_nothing_is_guaranteed(method: str) -> None:
    conformal = described(blurred_scored(0, 3, 0), blurred_scored(20, 3, 1), method)
    assert conformal["sentence"].endswith("90% coverage takes 9 calibration rows, and there are none.")
    assert conformal["test"]["full_sets"] == 1.0
    assert [each["rows"] for each in conformal["by_class"]] == [0, 0, 0]


@pytest.mark.parametrize("method", METHODS)
def test_without_test_rows_nothing_is_measured(method: str) -> None:
    conformal = described(blurred_scored(40, 3, 0), blurred_scored(0, 3, 1), method, confidence=0.7)
    assert conformal["sentence"].endswith("; there are no test rows to check this on.")
    assert (
        conformal["test"]["coverage"]
        == conformal["levels"][0]["coverage"]
        == {"value": None, "low": None, "high": None}
    )
    assert (
        conformal["test"]["mean_set_size"]
        is conformal["test"]["empty_sets"]
        is conformal["methods"][0]["worst_class"]
        is None
    )
    assert conformal["test"]["sizes"] == []


def test_a_label_of_too_few_calibration_rows_is_in_every_set_and_the_others_keep_their_guarantee() -> None:
    calibration, test = blurred_scored(90, 3, 2), blurred_scored(200, 3, 3)
    kept = (calibration.truth != 1) | (np.cumsum(calibration.truth == 1) <= 4)
    few = Scored([], calibration.truth[kept], calibration.probabilities[kept])
    conformal = described(few, test, "class_conditional")
    sets = fit_sets(few, "class_conditional", 0.9).predict(test.probabilities)
    assert sets[:, 1].all()
    assert not sets[:, 0].all()
    assert conformal["notes"][0] == "Every set contains the labels with fewer than 9 calibration rows: label 1 (4)."
    assert [each["quantile"] is None for each in conformal["by_class"]] == [False, True, False]
    assert conformal["by_class"][1]["guarantee"] == 1.0
    assert conformal["guarantee"] == min(conformal["by_class"][0]["guarantee"], conformal["by_class"][2]["guarantee"])
    assert conformal["test"]["by_class"][1]["coverage"]["value"] == 1.0


def test_class_conditional_sets_contain_a_rare_label_that_lac_sacrifices() -> None:
    def unbalanced(rows: int, seed: int) -> Scored:
        generator = np.random.default_rng(seed)
        truth = (generator.random(rows) < 0.08).astype(int)
        logits = 1.3 * truth - 2.0 + generator.normal(size=rows)
        rare = 1 / (1 + np.exp(-logits))
        return Scored([], truth, np.stack([1 - rare, rare], axis=1))

    lac, *_, conditional = described(unbalanced(1000, 0), unbalanced(2000, 1))["methods"]
    assert lac["coverage"]["value"] == pytest.approx(0.9, abs=0.03)
    assert lac["worst_class"]["label"] == "label 1"
    assert lac["worst_class"]["coverage"]["high"] < 0.7
    assert conditional["worst_class"]["coverage"]["value"] == pytest.approx(0.9, abs=0.06)


def test_what_is_measured_on_test_is_counted_from_the_sets() -> None:
    calibration, test = blurred_scored(70, 3, 4), blurred_scored(150, 3, 5)
    conformal = described(calibration, test, "aps", confidence=0.8)
    sets = fit_sets(calibration, "aps", 0.8).predict(test.probabilities)
    hits, sizes = sets[np.arange(150), test.truth], sets.sum(axis=1)
    assert conformal["test"]["coverage"] == proportion(int(hits.sum()), 150)
    assert conformal["test"]["mean_set_size"] == sizes.mean()
    assert conformal["test"]["sizes"] == [
        {"size": int(size), "rows": int((sizes == size).sum())} for size in set(sizes)
    ]
    assert conformal["test"]["empty_sets"] == (sizes == 0).mean() > 0
    assert conformal["notes"][0].startswith(f"{(sizes == 0).mean():.1%} of the test sets are empty")
    for code, each in enumerate(conformal["test"]["by_class"]):
        of_label = test.truth == code
        assert each["rows"] == of_label.sum()
        assert each["coverage"]["value"] == hits[of_label].mean()
        assert each["mean_set_size"] == pytest.approx(sizes[of_label].mean())
    at_configured = next(level for level in conformal["levels"] if level["conformal_confidence"] == 0.8)
    assert at_configured["mean_set_size"] == conformal["test"]["mean_set_size"]
    assert [method["coverage"] for method in conformal["methods"]][1] == conformal["test"]["coverage"]


def test_the_configured_confidence_is_among_the_levels_once() -> None:
    for confidence, count in ((0.9, len(LEVELS)), (0.87, len(LEVELS) + 1)):
        levels = [level["conformal_confidence"] for level in described(*two(), confidence=confidence)["levels"]]
        assert confidence in levels
        assert levels == sorted(set(levels))
        assert len(levels) == count


def two() -> tuple[Scored, Scored]:
    return blurred_scored(60, 3, 0), blurred_scored(80, 3, 1)


def test_the_expected_interval_contains_19_tests_in_20() -> None:
    inside = []
    for seed in range(60):
        calibration, test = blurred_scored(40, 2, 2 * seed), blurred_scored(50, 2, 2 * seed + 1)
        for method in ("lac", "aps", "class_conditional"):
            conformal = described(calibration, test, method, confidence=0.8)["test"]
            inside.append(
                conformal["expected"]["low"] <= conformal["coverage"]["value"] <= conformal["expected"]["high"]
            )
    assert 0.9 < np.mean(inside) < 1


def test_a_coverage_below_the_configured_one_is_explained() -> None:
    calibration, test = blurred_scored(150, 3, 0), blurred_scored(300, 3, 1)
    wrong = test._replace(truth=(test.truth + (np.arange(300) % 4 == 0)) % 3)
    conformal = described(calibration, wrong)
    assert conformal["test"]["coverage"]["value"] < conformal["test"]["expected"]["low"]
    assert "so the test rows may differ from the calibration rows, and new rows may too." in conformal["sentence"]
    lacking = [described(blurred_scored(40, 3, seed), test)["sentence"] for seed in range(8)]
    assert any(
        sentence.endswith("consistent with chance, given 40 calibration and 300 test rows.") for sentence in lacking
    )


def test_a_thousand_labels_of_which_most_have_no_rows_are_tried() -> None:
    calibration, test = blurred_scored(300, 1000, 0), blurred_scored(200, 1000, 1)
    calibration.truth[:50] = 7
    conformal = described(calibration, test, "class_conditional")
    assert conformal["test"]["full_sets"] < 1
    assert conformal["test"]["mean_set_size"] > 990
    assert conformal["notes"][0].endswith(" and 994 more.")
    assert {method["method"]: method["mean_set_size"] for method in conformal["methods"]}["lac"] < 990


class Run:
    """The files of one experiment, and what the rule makes of them."""

    def __init__(self, folder: Path, calibration: Scored, test: Scored) -> None:
        self.folder, self.labels = folder, names(test.probabilities.shape[1])
        self.task = Files(folder, self.labels).write()["task"]
        for name, scored in (("calibration", calibration), ("test", test)):
            artifacts.write(folder / f"{name}.jsonl", scored_lines(scored, self.labels), "predictions")

    def fit(self, name: str = "conformal.json", method: str = "lac", confidence: float = 0.9) -> dict[str, Any]:
        paths = (self.task, self.folder / "calibration.jsonl", self.folder / "test.jsonl")
        fit_conformal(*paths, method, confidence, 42, self.folder / name)
        content: dict[str, Any] = artifacts.read(self.folder / name, "conformal")
        return content


@pytest.mark.parametrize("method", METHODS)
def test_the_sets_that_are_loaded_are_those_that_were_described(tmp_path: Path, method: str) -> None:
    calibration, test = two()
    result = Run(tmp_path, calibration, test).fit(method=method)
    sets = load_sets(result, calibration)
    sets_on_test = sets.predict(test.probabilities)
    assert sets_on_test[np.arange(80), test.truth].mean() == result["test"]["coverage"]["value"]
    for level in result["levels"]:
        assert sets.predict(test.probabilities, level["conformal_confidence"]).sum() == pytest.approx(
            80 * level["mean_set_size"]
        )


def test_sets_of_other_calibration_rows_are_refused() -> None:
    calibration, test = two()
    with pytest.raises(ArtifactError, match=r"fitted on 60 rows of 3 labels but .*held_out\.jsonl has 80 rows of 3"):
        load_sets(described(calibration, test), test)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 90.0, float("nan")])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    with pytest.raises(ConfigError, match=r"set it above 0 and below 1, such as 0\.9"):
        fit_sets(blurred_scored(60, 3, 0), "lac", 0.9).predict(np.eye(3), confidence)


def test_the_same_predictions_give_the_same_bytes_and_the_sentence_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(tmp_path, *two())
    result = run.fit("first.json", "class_conditional")
    run.fit("second.json", "class_conditional")
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "second.json").read_bytes()
    assert result["sentence"] in capsys.readouterr().err.replace("\n", " ")


def test_the_picture_shows_coverage_and_set_size_at_the_configured_confidence(tmp_path: Path) -> None:
    result = Run(tmp_path, *two()).fit(method="raps", confidence=0.875)
    for name in ("first.svg", "second.svg"):
        plot_conformal(tmp_path / "conformal.json", tmp_path / name)
    shown = texts(tmp_path / "first.svg")
    assert "Prediction sets of the test split (RAPS)" in shown
    assert "confidence (dotted: the configured 87.5%)" in shown
    assert f"{result['test']['mean_set_size']:.2f} of 3" in shown
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()


@pytest.mark.parametrize(("rows", "tried"), [(0, 0), (0, 5), (5, 0), (1, 1)])
def test_hardly_any_rows_still_make_a_file_and_a_picture(tmp_path: Path, rows: int, tried: int) -> None:
    Run(tmp_path, blurred_scored(rows, 12, 0), blurred_scored(tried, 12, 1)).fit()
    plot_conformal(tmp_path / "conformal.json", tmp_path / "conformal.svg")
    assert ("no test rows to measure coverage on" in texts(tmp_path / "conformal.svg")) == (tried == 0)

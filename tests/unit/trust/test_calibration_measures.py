"""Calibration measures against the papers' formulas and other libraries, their intervals, the reliability diagram."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mapie.metrics.calibration import expected_calibration_error as mapie_calibration_error
from sklearn.metrics import brier_score_loss, log_loss

from loramake import artifacts
from loramake.errors import ArtifactError
from loramake.evaluation.intervals import RESAMPLES
from loramake.plots.calibration import plot_reliability
from loramake.prediction.predictions import Scored, scored_lines
from loramake.trust import (
    adaptive_calibration_error,
    brier_score,
    classwise_calibration_error,
    expected_calibration_error,
    maximum_calibration_error,
)
from loramake.trust.calibration_errors import (
    BINS,
    MEASURES,
    compute_measures,
    errors_if_calibrated,
    reliability_bins,
)
from loramake.trust.calibration_measures import evaluate, evaluate_calibration
from tests.cases import as_scored, calibrated_case, shuffled
from tests.files import Calibration
from tests.formulas import calibration_error, gap, guo_bins
from tests.pictures import texts


def rough_case(rows: int, labels: int, seed: int, digits: int = 16) -> tuple[Any, Any]:
    """A case of an overconfident model; few digits make ties and probabilities on the edges of bins."""
    truth, probabilities = calibrated_case(rows, labels, seed, temperature=1.5)
    probabilities = probabilities.round(digits)
    probabilities[probabilities.sum(axis=1) == 0] = 1
    return truth, probabilities / probabilities.sum(axis=1, keepdims=True)


def measured(truth: Any, probabilities: Any) -> dict[str, float]:
    result = compute_measures(truth, probabilities, np.ones((1, len(truth))))
    assert list(result) == list(MEASURES)
    return {name: float(value[0]) for name, value in result.items()}


# The formulas, written out from the papers.


def mass_bins(confidence: Any) -> list[Any]:
    """Nguyen and O'Connor 2015, section 2: sorted, then cut into bins of one size; ties go with their first row."""
    bins: dict[int, list[int]] = {}
    first: dict[float, int] = {}
    for number, run in enumerate(np.array_split(np.sort(confidence), BINS)):
        for value in run:
            first.setdefault(value, number)
    for row, value in enumerate(confidence):
        bins.setdefault(first[value], []).append(row)
    return list(bins.values())


def reference(truth: Any, probabilities: Any) -> dict[str, float]:
    labels = probabilities.shape[1]
    onehot = np.eye(labels)[truth]
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    columns = [(probabilities[:, label], onehot[:, label]) for label in range(labels)]
    parts = np.sum([stephenson(sure, true) for sure, true in columns], axis=0)
    return {
        "ece": calibration_error(guo_bins(confidence), confidence, right),
        "adaptive_ece": calibration_error(mass_bins(confidence), confidence, right),
        "mce": max(gap(bin_, confidence, right) for bin_ in guo_bins(confidence)),
        "classwise_ece": float(np.mean([calibration_error(guo_bins(sure), sure, true) for sure, true in columns])),
        "brier": float(np.mean(((probabilities - onehot) ** 2).sum(axis=1))),
        "brier_reliability": parts[0],
        "brier_resolution": parts[1],
        "brier_uncertainty": parts[2],
        "log_loss": log_loss(truth, probabilities, labels=list(range(labels))),
    }


def stephenson(sure: Any, true: Any) -> tuple[float, float, float]:
    """Murphy 1973, with the two within-bin parts of Stephenson et al. 2008: REL, RES - WBV + WBC, UNC of one label."""
    rows, base = len(true), true.mean()
    reliability = resolution = variance = covariance = 0.0
    for bin_ in guo_bins(sure):
        if len(bin_):
            f, o = sure[bin_], true[bin_]
            reliability += len(bin_) / rows * (f.mean() - o.mean()) ** 2
            resolution += len(bin_) / rows * (o.mean() - base) ** 2
            variance += ((f - f.mean()) ** 2).sum() / rows
            covariance += 2 * ((o - o.mean()) * (f - f.mean())).sum() / rows
    return reliability, resolution - variance + covariance, base * (1 - base)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("digits", [16, 2, 1])
@pytest.mark.parametrize(("rows", "labels"), [(1, 2), (7, 3), (15, 2), (100, 2), (203, 3), (150, 12)])
def test_measures_are_those_of_the_papers(rows: int, labels: int, digits: int, seed: int) -> None:
    truth, probabilities = rough_case(rows, labels, seed, digits)
    result = measured(truth, probabilities)
    for name, expected in reference(truth, probabilities).items():
        assert result[name] == pytest.approx(expected, abs=1e-12), name
    assert result["brier"] == pytest.approx(
        result["brier_reliability"] - result["brier_resolution"] + result["brier_uncertainty"], abs=1e-12
    )


@pytest.mark.parametrize("digits", [16, 1])
@pytest.mark.parametrize(("rows", "labels"), [(8, 2), (60, 2), (60, 5)])
def test_many_resamples_at_once_are_each_measured_as_if_alone(rows: int, labels: int, digits: int) -> None:
    truth, probabilities = rough_case(rows, labels, seed=4, digits=digits)
    drawn = np.random.default_rng(1).integers(rows, size=(40, rows))
    counts = np.stack([np.bincount(chosen, minlength=rows) for chosen in drawn]).astype(float)
    at_once = compute_measures(truth, probabilities, counts)
    for index, chosen in enumerate(drawn):
        for name, expected in reference(truth[chosen], probabilities[chosen]).items():
            assert at_once[name][index] == pytest.approx(expected, abs=1e-12), name


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("labels", [2, 3, 8])
def test_ece_and_classwise_ece_are_mapies(labels: int, seed: int) -> None:
    truth, probabilities = rough_case(300, labels, seed)
    result = measured(truth, probabilities)
    # Of MAPIE's bins one is that of confidence 0; its y_true is whether the prediction is right.
    options: dict[str, Any] = {"num_bins": BINS + 1, "split_strategy": "uniform"}
    right = (probabilities.argmax(axis=1) == truth).astype(int)
    assert result["ece"] == pytest.approx(mapie_calibration_error(right, probabilities, **options), abs=1e-12)
    classwise = mapie_calibration_error(right, probabilities, classwise=True, class_labels=truth, **options)
    assert result["classwise_ece"] == pytest.approx(classwise, abs=1e-12)


def test_brier_is_scikit_learns_and_of_two_labels_twice_the_usual_one() -> None:
    truth, probabilities = rough_case(300, 3, seed=0)
    expected = brier_score_loss(truth, probabilities, labels=[0, 1, 2], scale_by_half=False)
    assert measured(truth, probabilities)["brier"] == pytest.approx(expected, abs=1e-12)
    truth, probabilities = rough_case(300, 2, seed=0)
    assert measured(truth, probabilities)["brier"] == pytest.approx(2 * brier_score_loss(truth, probabilities[:, 1]))


# Predictors whose values are known.


@pytest.mark.parametrize("labels", [2, 3, 20])
def test_a_perfect_predictor_has_no_error_and_resolves_all_uncertainty(labels: int) -> None:
    truth = np.arange(200) % labels
    result = measured(truth, np.eye(labels)[truth])
    shares = np.bincount(truth) / 200
    uncertainty = float((shares * (1 - shares)).sum())
    assert result["brier_resolution"] == pytest.approx(uncertainty)
    assert result["brier_uncertainty"] == pytest.approx(uncertainty)
    for name in set(MEASURES) - {"brier_resolution", "brier_uncertainty"}:
        assert result[name] == pytest.approx(0, abs=1e-12), name


def test_a_predictor_that_is_sure_and_always_wrong_has_the_worst_errors() -> None:
    truth = np.arange(60) % 2
    result = measured(truth, np.eye(2)[1 - truth])
    for name in ("ece", "adaptive_ece", "mce", "classwise_ece"):
        assert result[name] == pytest.approx(1), name
    assert result["brier"] == pytest.approx(2)


def test_a_constant_predictor_of_the_labels_shares_is_calibrated_and_has_no_resolution() -> None:
    truth = np.repeat([0, 1, 2], [60, 30, 10])
    result = measured(truth, np.tile([0.6, 0.3, 0.1], (100, 1)))
    for name in ("ece", "adaptive_ece", "mce", "classwise_ece", "brier_reliability", "brier_resolution"):
        assert result[name] == pytest.approx(0, abs=1e-12), name
    assert result["brier"] == pytest.approx(1 - 0.36 - 0.09 - 0.01)
    assert result["brier"] == pytest.approx(result["brier_uncertainty"])


def test_a_constant_predictor_is_off_by_its_confidence_minus_its_accuracy() -> None:
    truth = np.repeat([0, 1], [70, 30])
    result = measured(truth, np.tile([0.9, 0.1], (100, 1)))
    for name in ("ece", "adaptive_ece", "mce", "classwise_ece"):
        assert result[name] == pytest.approx(0.2), name
    assert result["brier_reliability"] == pytest.approx(2 * 0.2**2)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below() -> None:
    result = reliability_bins(np.array([0, 0, 1]), np.array([[0.6, 0.4], [0.600_001, 0.399_999], [0.0, 1.0]]))
    bins_in_use = [(round(each["low"], 4), round(each["high"], 4), each["rows"]) for each in result if each["rows"]]
    assert bins_in_use == [(0.5333, 0.6, 1), (0.6, 0.6667, 1), (0.9333, 1.0, 1)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("labels", [2, 4])
def test_no_order_of_rows_or_labels_changes_a_measure(labels: int, seed: int) -> None:
    truth, probabilities = rough_case(120, labels, seed, digits=1 if labels == 4 and seed == 2 else 16)
    probabilities = probabilities + np.linspace(
        0, 1e-9, labels
    )  # no ties within a row: of those the first is predicted
    rows, order = np.random.default_rng(seed).permutation(120), np.random.default_rng(seed).permutation(labels)
    expected = measured(truth, probabilities)
    turned = measured(np.argsort(order)[truth][rows], probabilities[rows][:, order])
    assert turned == pytest.approx(expected, abs=1e-12)


# Intervals.


def test_intervals_contain_the_value_of_proper_scores_and_are_as_wide_as_the_normal_ones() -> None:
    truth, probabilities = rough_case(1000, 3, seed=1)
    (result,) = evaluate(truth, [probabilities], seed=0)
    losses = ((probabilities - np.eye(3)[truth]) ** 2).sum(axis=1)
    brier = result["measures"]["brier"]
    assert brier["low"] < brier["value"] < brier["high"]
    assert brier["high"] - brier["low"] == pytest.approx(2 * 1.96 * losses.std() / np.sqrt(1000), rel=0.12)


def test_several_predictors_are_measured_on_the_same_resamples() -> None:
    truth, probabilities = rough_case(80, 3, seed=1)
    first, second = evaluate(truth, [probabilities, probabilities.copy()], seed=3)
    assert first == second
    assert evaluate(truth, [probabilities], seed=4)[0]["measures"]["ece"]["high"] != first["measures"]["ece"]["high"]


def allowed(probabilities: Any, name: str = "ece") -> float:
    """The error that perfectly calibrated probabilities exceed in 2.5% of cases."""
    return float(np.quantile(errors_if_calibrated(probabilities, seed=0)[name], 0.975))


@pytest.mark.parametrize("name", ["ece", "adaptive_ece", "mce", "classwise_ece", "brier_reliability"])
def test_the_error_of_calibrated_probabilities_stays_below_what_chance_allows(name: str) -> None:
    above = []
    for seed in range(60):
        truth, probabilities = calibrated_case(150, 3, seed)
        above.append(measured(truth, probabilities)[name] > allowed(probabilities, name))
    assert np.mean(above) <= 0.1  # 2.5% expected


def test_chance_errors_are_those_of_labels_drawn_from_the_probabilities() -> None:
    _, probabilities = calibrated_case(60, 3, seed=0)
    drawn = errors_if_calibrated(probabilities, seed=0)
    generator = np.random.default_rng(1)
    by_hand = [reference(drawn_labels(probabilities, generator), probabilities) for _ in range(300)]
    for name, errors in drawn.items():
        expected = np.array([errors_of_draw[name] for errors_of_draw in by_hand])
        assert errors.mean() == pytest.approx(expected.mean(), abs=4 * expected.std() / np.sqrt(300)), name
        assert errors.std() == pytest.approx(expected.std(), rel=0.25), name


def drawn_labels(probabilities: Any, generator: Any) -> Any:
    return np.array([generator.choice(len(row), p=row) for row in probabilities])


def test_the_error_of_a_model_that_is_too_sure_is_more_than_chance_allows() -> None:
    truth, probabilities = calibrated_case(300, 3, seed=0, temperature=3.0)
    (result,) = evaluate(truth, [probabilities], seed=0)
    for name in ("ece", "adaptive_ece", "classwise_ece", "brier_reliability"):
        assert result["measures"][name]["low"] > 0, name
    chance = result["ece_if_calibrated"]
    assert result["measures"]["ece"]["value"] > chance["high"] > chance["value"] > chance["low"]


def test_an_error_that_chance_allows_has_an_interval_from_0() -> None:
    for seed in range(20):
        truth, probabilities = calibrated_case(80, 2, seed)
        (result,) = evaluate(truth, [probabilities], seed=0)
        ece = result["measures"]["ece"]
        assert (ece["low"] == 0) == (ece["value"] <= result["ece_if_calibrated"]["high"])


def test_the_error_that_chance_allows_shrinks_with_the_rows() -> None:
    bounds = [allowed(calibrated_case(rows, 2, seed=0)[1]) for rows in (50, 5_000)]
    assert bounds[1] < bounds[0] / 5


def test_certainty_allows_chance_no_error() -> None:
    for errors in errors_if_calibrated(np.eye(2)[np.arange(10) % 2], seed=0).values():
        assert errors.max() == 0


# Odd shapes.


def test_an_empty_split_has_no_numbers() -> None:
    (result,) = evaluate(np.zeros(0, dtype=int), [np.zeros((0, 3))], seed=0)
    nothing = {"value": None, "low": None, "high": None}
    assert all(entry == nothing for entry in [*result["measures"].values(), result["ece_if_calibrated"]])
    assert [each["rows"] for each in result["reliability"]] == [0] * BINS
    assert result["reliability"][0]["accuracy"] is None


@pytest.mark.parametrize("rows", [1, 40])
def test_a_thousand_labels_of_which_most_never_occur_are_measured(rows: int) -> None:
    truth, probabilities = calibrated_case(rows, 1000, seed=0)
    (result,) = evaluate(truth % 5, [probabilities], seed=0)
    assert all(entry["value"] is not None for entry in result["measures"].values())
    expected = reference(truth % 5, probabilities)
    for name in ("classwise_ece", "brier_reliability", "brier_resolution"):
        assert result["measures"][name]["value"] == pytest.approx(expected[name], abs=1e-12)


def test_labels_measured_in_blocks_are_those_measured_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, probabilities = rough_case(50, 7, seed=0)
    expected = measured(truth, probabilities)
    monkeypatch.setattr("loramake.trust.calibration_errors.CELLS", 50 * BINS * 3)  # three labels at once
    assert measured(truth, probabilities) == pytest.approx(expected, abs=1e-14)
    assert len(evaluate(truth, [probabilities], seed=0)[0]["measures"]) == len(MEASURES)


def test_the_bins_of_a_reliability_diagram_give_the_ece() -> None:
    truth, probabilities = rough_case(200, 3, seed=0)
    bins = [each for each in reliability_bins(truth, probabilities) if each["rows"]]
    ece = sum(each["rows"] / 200 * abs(each["accuracy"] - each["mean_confidence"]) for each in bins)
    assert sum(each["rows"] for each in bins) == 200
    assert measured(truth, probabilities)["ece"] == pytest.approx(ece, abs=1e-12)
    assert all(each["low"] < each["mean_confidence"] <= each["high"] for each in bins)


# The rule.


class Measured(Calibration):
    """The files of both calibration rules, run one after the other."""

    def measure(self, calibration: Scored, test: Scored, method: str = "temperature") -> dict[str, Any]:
        self.run(calibration, test, method)
        return self.evaluate()

    def evaluate(self) -> dict[str, Any]:
        evaluate_calibration(
            task=self.task,
            before=self.folder / "test.jsonl",
            after=self.folder / "trust_test.jsonl",
            calibrator=self.folder / "calibrator.json",
            seed=42,
            out=self.folder / "measures.json",
        )
        return artifacts.read(self.folder / "measures.json", "calibration_measures")

    def draw(self, name: str = "reliability.svg") -> Path:
        plot_reliability(self.folder / "measures.json", self.folder / name)
        return self.folder / name


def too_sure(rows: int, seed: int, labels: int = 2) -> Scored:
    return as_scored(*calibrated_case(rows, labels, seed, temperature=4.0))


def test_a_model_that_was_too_sure_is_better_calibrated_after(tmp_path: Path) -> None:
    measures = Measured(tmp_path, ["no", "yes"]).measure(too_sure(400, seed=0), too_sure(400, seed=1))
    assert (measures["rows"], measures["bins"], measures["resamples"]) == (400, 15, RESAMPLES)
    before, after = measures["before"]["measures"], measures["after"]["measures"]
    for name in ("ece", "adaptive_ece", "classwise_ece", "brier_reliability", "log_loss"):
        assert after[name]["high"] < before[name]["value"], name
    assert after["brier"]["value"] < before["brier"]["value"]
    assert before["brier_uncertainty"] == after["brier_uncertainty"]


def test_the_sentence_has_the_error_before_and_after_and_what_chance_allows(tmp_path: Path) -> None:
    files = Measured(tmp_path, ["no", "yes"])
    measures = files.measure(too_sure(400, seed=0), too_sure(400, seed=1))
    temperature = artifacts.read(tmp_path / "calibrator.json", "calibrator")["temperature"]
    ece, allowed = measures["after"]["measures"]["ece"], measures["after"]["ece_if_calibrated"]["high"]
    assert measures["sentence"] == (
        f"Calibration: ECE {ece['value']:.3f} (95% interval {ece['low']:.3f} to {ece['high']:.3f}) "
        f"after temperature {temperature:.2f}, {measures['before']['measures']['ece']['value']:.3f} before. "
        f"Perfectly calibrated probabilities would show up to {allowed:.3f} on 400 rows."
    )
    isotonic = files.measure(too_sure(900, seed=0), too_sure(400, seed=1), "isotonic")
    assert "after isotonic regression, " in isotonic["sentence"]


def test_what_was_not_calibrated_is_the_same_before_and_after(tmp_path: Path) -> None:
    measures = Measured(tmp_path, ["no", "yes"]).measure(too_sure(400, seed=0), too_sure(100, seed=1), "none")
    assert measures["before"] == measures["after"]
    assert " without any calibration. Perfectly calibrated" in measures["sentence"]


def test_the_order_of_lines_changes_no_number_and_no_interval(tmp_path: Path) -> None:
    files = Measured(tmp_path, ["a", "b", "c"])
    test = too_sure(90, seed=1, labels=3)
    files.measure(too_sure(200, seed=0, labels=3), test)
    before = (tmp_path / "measures.json").read_bytes()
    mixed = shuffled(test, seed=0)
    artifacts.write(tmp_path / "test.jsonl", scored_lines(mixed, files.labels), "predictions")
    files.evaluate()
    assert (tmp_path / "measures.json").read_bytes() == before


@pytest.mark.parametrize("rows", [0, 1])
def test_a_test_split_of_no_row_or_one_is_measured(tmp_path: Path, rows: int) -> None:
    files = Measured(tmp_path, ["no", "yes"])
    measures = files.measure(too_sure(200, seed=0), too_sure(rows, seed=1))
    if rows == 0:
        assert measures["sentence"] == "Calibration is not measured: the test split has no rows."
    else:
        assert measures["sentence"].endswith(" on 1 row.")
    drawn = texts(files.draw())
    assert ("no reliability diagram: the test split has no rows" in drawn) == (rows == 0)
    assert ("Reliability on the test split, 1 row" in drawn) == (rows == 1)


def test_predictions_of_other_rows_are_refused_by_name(tmp_path: Path) -> None:
    files = Measured(tmp_path, ["no", "yes"])
    test = too_sure(20, seed=1)
    files.run(too_sure(200, seed=0), test)
    fewer = Scored(test.keys[:-1], test.truth[:-1], test.probabilities[:-1])
    for other in (fewer, test._replace(truth=np.append(test.truth[:-1], 1 - test.truth[-1]))):
        artifacts.write(tmp_path / "test.jsonl", scored_lines(other, files.labels), "predictions")
        with pytest.raises(ArtifactError, match=r"do not agree on row 21 of csv: delete .*trust_test\.jsonl"):
            files.evaluate()


# The picture.


@pytest.mark.parametrize("labels", [2, 12])
def test_a_reliability_diagram_shows_before_and_after_with_their_errors(tmp_path: Path, labels: int) -> None:
    files = Measured(tmp_path, [f"label {index} of a long name" for index in range(labels)])
    measures = files.measure(too_sure(400, 0, labels), too_sure(200, 1, labels))
    drawn = texts(files.draw())
    errors = [measures[when]["measures"]["ece"]["value"] for when in ("before", "after")]
    for title, error in zip(("before calibration", "after temperature scaling"), errors, strict=True):
        assert drawn[drawn.index(title) + 1] == f"ECE {error:.3f}"
    assert {"Reliability on the test split, 200 rows", "rows", "share of correct predictions"} <= set(drawn)


def test_a_reliability_diagram_of_what_was_not_calibrated_has_one_panel(tmp_path: Path) -> None:
    files = Measured(tmp_path, ["no", "yes"])
    measures = files.measure(too_sure(40, seed=0), too_sure(60, seed=1), "none")
    drawn = texts(files.draw())
    assert drawn[drawn.index("not calibrated") + 1] == f"ECE {measures['before']['measures']['ece']['value']:.3f}"
    assert not any(text.startswith(("before", "after")) for text in drawn)


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_a_reliability_diagram_has_the_same_bytes_each_time(tmp_path: Path, suffix: str) -> None:
    files = Measured(tmp_path, ["no", "yes"])
    files.measure(too_sure(400, seed=0), too_sure(60, seed=1))
    assert files.draw(f"first.{suffix}").read_bytes() == files.draw(f"second.{suffix}").read_bytes()


# Arrays.


def test_the_functions_of_arrays_give_the_measures_of_a_hand_made_example() -> None:
    """Confidences 0.9, 0.9, 0.6 and 0.6, of which the first two and the third are correct."""
    truth, probabilities = [0, 1, 0, 1], [[0.9, 0.1], [0.1, 0.9], [0.6, 0.4], [0.6, 0.4]]
    assert expected_calibration_error(truth, probabilities) == pytest.approx((2 * 0.1 + 2 * 0.1) / 4)
    assert maximum_calibration_error(truth, probabilities) == pytest.approx(0.1)
    assert expected_calibration_error(truth, probabilities, bins=1) == pytest.approx(0)  # 3 of 4, 75% on average
    assert classwise_calibration_error(truth, probabilities) == pytest.approx((2 * 0.1 + 2 * 0.1) / 4)
    assert brier_score(truth, probabilities) == pytest.approx(2 * (0.01 + 0.01 + 0.16 + 0.36) / 4)


@pytest.mark.parametrize("labels", [2, 4])
@pytest.mark.parametrize("half", [False, True])
def test_the_brier_score_of_arrays_is_scikit_learns_in_both_scales(labels: int, half: bool) -> None:
    truth, probabilities = rough_case(200, labels, seed=0)
    expected = brier_score_loss(truth, probabilities, labels=list(range(labels)), scale_by_half=half)
    assert brier_score(truth, probabilities, scale_by_half=half) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("bins", [5, 15, 40])
def test_the_functions_of_arrays_take_any_number_of_bins(bins: int) -> None:
    truth, probabilities = rough_case(200, 3, seed=0)
    options: dict[str, Any] = {"num_bins": bins + 1, "split_strategy": "uniform"}
    right = (probabilities.argmax(axis=1) == truth).astype(int)
    expected = mapie_calibration_error(right, probabilities, **options)
    assert expected_calibration_error(truth, probabilities, bins) == pytest.approx(expected, abs=1e-12)


def test_the_functions_of_arrays_are_those_of_the_rule() -> None:
    truth, probabilities = rough_case(80, 3, seed=0)
    (result,) = evaluate(truth, [probabilities], seed=0)
    by_name = {
        "ece": expected_calibration_error,
        "adaptive_ece": adaptive_calibration_error,
        "mce": maximum_calibration_error,
        "classwise_ece": classwise_calibration_error,
        "brier": brier_score,
    }
    for name, measure in by_name.items():
        assert measure(truth.tolist(), probabilities.tolist()) == result["measures"][name]["value"], name
        assert np.isnan(measure([], np.zeros((0, 3)))), name

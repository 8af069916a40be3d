"""Abstention that keeps its guarantee, and the risk–coverage curve, against formulas from the papers."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from loramake import artifacts
from loramake.errors import ConfigError
from loramake.plots.risk import plot_risk_coverage
from loramake.prediction.predictions import Scored, scored_lines
from loramake.trust.cost_matrix import decide, read_costs
from loramake.trust.decisions import decide_rows
from loramake.trust.risk import (
    MAX_POINTS,
    abstains,
    control_risk,
    find_curve,
    find_level,
    ideal_aurc,
    measure_ranking,
    rank,
    share_wrong,
)
from loramake.trust.selective import (
    ABSTAIN,
    RiskController,
    bound_wrong,
    certainty_of,
    count_answers,
    find_threshold,
    rows_needed,
)
from tests.cases import as_scored, random_scored
from tests.conftest import task_of


def of_two(top_probability: Any, wrong: Any) -> Scored:
    """Rows whose first label has this probability and is wrong or not."""
    top_probability = np.asarray(top_probability, dtype=np.float64)
    return as_scored(np.asarray(wrong, dtype=np.int64), np.column_stack([top_probability, 1 - top_probability]))


def binomial_cdf(successes: int, trials: int, share: float) -> float:
    return sum(math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(successes + 1))


def reference_threshold(scored: Scored, max_selective_error: float, confidence: float) -> float | None:
    """Learn-then-Test word for word: from the strictest set of rows that could pass on, until one does not."""
    top_probability = scored.probabilities.max(axis=1)
    wrong = scored.probabilities.argmax(axis=1) != scored.truth
    levels = sorted(set(top_probability.tolist()), reverse=True)
    passed = None
    for index, level in enumerate(levels):
        answered = top_probability >= level
        if (1 - max_selective_error) ** answered.sum() > 1 - confidence:
            continue
        if binomial_cdf(int(wrong[answered].sum()), int(answered.sum()), max_selective_error) > 1 - confidence:
            break
        passed = index
    if passed is None:
        return None
    return 0.0 if passed == len(levels) - 1 else (levels[passed] + levels[passed + 1]) / 2


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("digits", [16, 2, 1])
def test_the_threshold_is_that_of_learn_then_test_word_for_word(seed: int, digits: int) -> None:
    scored = random_scored([0, 1, 40, 90, 150][seed % 5], labels=2 + seed % 3, seed=seed, digits=digits)
    result = [find_threshold(rank(scored), level, 0.9) for level in (0.05, 0.1, 0.2, 0.3)]
    assert result == [reference_threshold(scored, level, 0.9) for level in (0.05, 0.1, 0.2, 0.3)]


def beta_population(spread: float) -> tuple[Any, Any]:
    top_probability = np.random.default_rng(0).beta(spread, spread, 50_000)
    top_probability = np.maximum(top_probability, 1 - top_probability)
    return top_probability, 1 - top_probability


def population_in_steps() -> tuple[Any, Any]:
    """Few distinct probabilities, as isotonic regression leaves them, and not calibrated."""
    top_probability = np.repeat([0.99, 0.9, 0.8, 0.7, 0.6], 10_000)
    return top_probability, np.repeat([0.01, 0.04, 0.09, 0.2, 0.45], 10_000)


@pytest.mark.parametrize(
    ("population", "rows", "max_selective_error"),
    [
        (beta_population(0.15), 60, 0.05),
        (beta_population(0.15), 400, 0.05),
        (beta_population(0.5), 150, 0.1),
        (beta_population(0.5), 1000, 0.1),
        (population_in_steps(), 120, 0.05),
        (population_in_steps(), 500, 0.1),
    ],
)
def test_over_many_splits_the_true_selective_error_breaks_the_guarantee_in_at_most_a_share_of_delta(
    population: tuple[Any, Any], rows: int, max_selective_error: float
) -> None:
    top_probability, error = population
    generator = np.random.default_rng(rows)
    splits, broken, result = 500, 0, 0
    for _ in range(splits):
        drawn = generator.integers(len(top_probability), size=rows)
        scored = of_two(top_probability[drawn], generator.random(rows) < error[drawn])
        threshold = find_threshold(rank(scored), max_selective_error, 0.9)
        if threshold is not None:
            result += 1
            broken += error[top_probability >= threshold].mean() > max_selective_error
    assert broken / splits <= 0.1 + 3 * math.sqrt(0.1 * 0.9 / splits)
    assert result / splits > 0.15  # a guarantee that is never given is never broken


def test_the_best_threshold_on_the_same_rows_would_break_the_guarantee_in_half_of_the_splits() -> None:
    """What the tests are for: the loosest threshold whose rows look good enough is chosen by luck."""
    top_probability, error = beta_population(0.5)
    generator = np.random.default_rng(1)
    broken = 0
    for _ in range(200):
        drawn = generator.integers(len(top_probability), size=300)
        ranked = rank(of_two(top_probability[drawn], generator.random(300) < error[drawn]))
        looks_good = np.flatnonzero(ranked.wrong / ranked.answered <= 0.1)
        broken += error[top_probability >= ranked.thresholds[looks_good[-1]]].mean() > 0.1
    assert broken / 200 > 0.3


@pytest.mark.parametrize(("most", "confidence", "rows"), [(0.05, 0.9, 45), (0.01, 0.9, 230), (0.5, 0.75, 2)])
def test_so_many_rows_without_an_error_are_just_enough(most: float, confidence: float, rows: int) -> None:
    assert rows_needed(most, confidence) == rows
    top_probability = np.linspace(0.6, 0.9, rows)
    assert find_threshold(rank(of_two(top_probability, np.zeros(rows))), most, confidence) == 0.0
    assert find_threshold(rank(of_two(top_probability[1:], np.zeros(rows - 1))), most, confidence) is None


def test_what_is_not_achievable_says_what_it_would_take() -> None:
    few = rank(of_two(np.linspace(0.6, 0.9, 12), np.zeros(12)))
    level = find_level(few, few, 0.05, 0.9)
    assert (level["achievable"], level["threshold"], level["rows_needed"]) == (False, None, 45)
    assert level["test"]["coverage"] == 0.0
    assert level["test"]["selective_error"] == {"value": None, "low": None, "high": None}
    assert level["sentence"].startswith("Not achievable with this data: 90% confidence that at most 5% of answers are")
    assert "takes 45 calibration rows without an error, and there are 12." in level["sentence"]
    wrong = rank(of_two(np.linspace(0.6, 0.9, 100), np.arange(100) % 2 == 0))
    assert (
        "22 of the 45 most confident calibration rows are predicted incorrectly"
        in find_level(wrong, wrong, 0.05, 0.9)["sentence"]
    )
    one = rank(of_two(np.linspace(0.6, 0.9, 45), np.arange(45) == 44))
    level = find_level(one, one, 0.05, 0.9)
    assert level["sentence"] == (
        "Not achievable with this data: 1 of the 45 most confident calibration rows is predicted incorrectly, so with "
        "90% confidence up to 8.4% of such answers may be incorrect, and at most 5% was requested."
    )
    assert level["calibration"] == {"answered": 45, "wrong": 1, "wrong_at_most": pytest.approx(0.0838, abs=1e-4)}


@pytest.mark.parametrize(("answered", "wrong"), [(22, 1), (22, 0), (45, 22), (7, 7), (1, 0)])
def test_the_bound_is_where_so_few_errors_are_just_improbable(answered: int, wrong: int) -> None:
    bound = bound_wrong(answered, wrong, 0.9)
    expected = binomtest(wrong, answered, alternative="less").proportion_ci(0.9, "exact").high
    assert bound == pytest.approx(expected)
    assert wrong == answered or binomial_cdf(wrong, answered, bound) == pytest.approx(0.1)
    assert bound_wrong(0, 0, 0.9) is None


def test_a_bound_that_rounds_to_the_limit_is_shown_with_more_digits() -> None:
    close = rank(of_two(np.full(47, 0.9), np.arange(47) == 0))  # a bound of 8.026%
    level = find_level(close, close, 0.08, 0.9)
    assert not level["achievable"]
    assert "up to 8.03% of such answers may be incorrect, and at most 8% was requested." in level["sentence"]


@pytest.mark.parametrize("seed", range(5))
def test_a_level_is_achievable_where_its_bound_allows_it(seed: int) -> None:
    scored = random_scored(150, 2, seed)
    for most in (0.05, 0.1, 0.2, 0.3):
        level = find_level(rank(scored), rank(scored), most, 0.9)
        assert level["achievable"] == (level["calibration"]["wrong_at_most"] <= most)


def test_a_controller_of_arrays_answers_as_the_rule_does() -> None:
    calibration, new = random_scored(300, 3, seed=0), random_scored(100, 3, seed=1)
    controller = RiskController(0.2, 0.9).fit(calibration.probabilities, calibration.truth)
    assert controller.threshold_ == find_threshold(rank(calibration), 0.2, 0.9)
    answers = controller.predict(new.probabilities)
    unsure = new.probabilities.max(axis=1) < controller.threshold_
    expected = np.where(unsure, ABSTAIN, new.probabilities.argmax(axis=1))
    assert answers.tolist() == expected.tolist()
    assert ABSTAIN in answers


def test_a_controller_decides_about_the_decisions_it_is_given() -> None:
    calibration = random_scored(300, 3, seed=0)
    decisions = np.where(np.arange(300) % 3 == 0, ABSTAIN, calibration.probabilities.argmax(axis=1))
    controller = RiskController(0.2).fit(calibration.probabilities, calibration.truth, decisions)
    assert controller.threshold_ == find_threshold(rank(calibration, decisions), 0.2, 0.9)
    assert (controller.predict(calibration.probabilities, decisions)[::3] == ABSTAIN).all()


def test_a_controller_without_evidence_abstains_from_everything() -> None:
    few = random_scored(5, 2, seed=0)
    controller = RiskController(0.01).fit(few.probabilities, few.truth)
    assert controller.threshold_ is None
    assert (controller.predict(few.probabilities) == ABSTAIN).all()


def test_a_controller_refuses_other_settings_and_to_predict_before_it_is_fitted() -> None:
    with pytest.raises(ConfigError, match=r"^max_selective_error is 0: set it above 0 and below 1, such as 0\.9\.$"):
        RiskController(0)
    with pytest.raises(ConfigError, match=r"has no threshold yet: call fit first\.$"):
        RiskController().predict(np.eye(2))


def test_more_errors_on_test_than_requested_are_reported() -> None:
    top_probability = np.linspace(0.6, 0.9, 100)
    level = find_level(
        rank(of_two(top_probability, np.zeros(100))), rank(of_two(top_probability, np.ones(100))), 0.1, 0.9
    )
    assert level["test"]["selective_error"]["value"] == 1.0
    assert "more than requested, which happens by chance in 10% of cases" in level["sentence"]


def test_rows_below_the_threshold_are_abstained_from() -> None:
    probabilities = np.array([[0.8, 0.2], [0.3, 0.7], [0.45, 0.55]])
    for threshold, expected in ((0.7, [False, False, True]), (0.0, [False] * 3), (None, [True] * 3)):
        assert abstains({"chosen": {"threshold": threshold}}, probabilities.max(axis=1)).tolist() == expected
    assert abstains({"chosen": None}, probabilities.max(axis=1)).tolist() == [False] * 3
    assert abstains({"chosen": {"threshold": 0.7}}, np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("digits", [16, 1])
def test_a_row_is_abstained_from_where_it_counts_as_not_answered(digits: int) -> None:
    scored = random_scored(200, 3, seed=4, digits=digits)
    for threshold in (None, 0.0, 0.5, 0.9, float(scored.probabilities.max())):
        abstained = abstains({"chosen": {"threshold": threshold}}, scored.probabilities.max(axis=1))
        wrong = scored.probabilities.argmax(axis=1) != scored.truth
        assert count_answers(rank(scored), threshold) == ((~abstained).sum(), (wrong & ~abstained).sum())


def reference_aurc(top_probability: Any, wrong: Any) -> float:
    """Geifman, Uziel and El-Yaniv 2019, section 3: the mean over rows of the selective risk at the row's threshold."""
    return float(np.mean([wrong[top_probability >= threshold].mean() for threshold in top_probability]))


@pytest.mark.parametrize("digits", [16, 1])
@pytest.mark.parametrize("seed", range(4))
def test_aurc_is_the_papers(seed: int, digits: int) -> None:
    scored = random_scored(70, 3, seed=seed, digits=digits)
    result = measure_ranking(scored, seed=0)
    wrong = scored.probabilities.argmax(axis=1) != scored.truth
    aurc = reference_aurc(scored.probabilities.max(axis=1), wrong)
    assert result["aurc"]["value"] == pytest.approx(aurc)
    assert result["excess_aurc"]["value"] == pytest.approx(aurc - reference_aurc(-np.arange(70), np.sort(wrong)))
    assert result["error"]["value"] == pytest.approx(wrong.mean())
    for name in ("aurc", "excess_aurc", "error"):
        assert result[name]["low"] < result[name]["value"] < result[name]["high"]


def test_the_ideal_ranking_has_every_wrong_row_last() -> None:
    result = ideal_aurc(40)
    for wrong in (0, 1, 17, 39, 40):
        assert result[wrong] == pytest.approx(reference_aurc(-np.arange(40), np.arange(40) >= 40 - wrong))
    # The paper's approximation for many rows: r + (1 - r) ln(1 - r).
    assert ideal_aurc(100_000)[20_000] == pytest.approx(0.2 + 0.8 * math.log(0.8), abs=1e-5)


def test_every_resample_is_measured_as_rows_drawn_again_would_be() -> None:
    scored = random_scored(30, 2, seed=3, digits=1)
    result = measure_ranking(scored, seed=7)
    generator = np.random.default_rng(8)
    again = []
    for _ in range(1000):
        drawn = generator.integers(30, size=30)
        wrong = scored.probabilities[drawn].argmax(axis=1) != scored.truth[drawn]
        again.append(reference_aurc(scored.probabilities[drawn].max(axis=1), wrong))
    assert [result["aurc"]["low"], result["aurc"]["high"]] == pytest.approx(
        np.quantile(again, [0.025, 0.975]), abs=0.03
    )


def test_accuracy_at_a_coverage_is_that_of_the_surest_rows() -> None:
    scored = random_scored(200, 2, seed=1)
    surest = np.argsort(-scored.probabilities.max(axis=1))
    right = scored.probabilities.argmax(axis=1) == scored.truth
    for entry in measure_ranking(scored, seed=0)["accuracy_at_coverage"]:
        expected = right[surest[: round(entry["coverage"] * 200)]].mean()
        assert entry["accuracy"]["value"] == pytest.approx(expected)
        assert entry["accuracy"]["low"] < expected < entry["accuracy"]["high"]


def test_a_perfect_predictor_has_no_risk_and_needs_no_abstention() -> None:
    truth = np.arange(90) % 3
    scored = as_scored(truth, np.eye(3)[truth])
    result = measure_ranking(scored, seed=0)
    zero = {"value": 0.0, "low": 0.0, "high": 0.0}
    assert (result["error"], result["aurc"], result["excess_aurc"]) == (zero, zero, zero)
    assert all(entry["accuracy"] == {"value": 1.0, "low": 1.0, "high": 1.0} for entry in result["accuracy_at_coverage"])
    assert find_threshold(rank(scored), 0.05, 0.9) == 0.0


def test_a_constant_predictor_has_its_error_at_every_coverage() -> None:
    scored = as_scored(np.arange(100) % 5 == 0, np.tile([0.8, 0.2], (100, 1)))
    result = measure_ranking(scored, seed=0)
    assert result["aurc"]["value"] == pytest.approx(0.2)
    assert result["excess_aurc"]["value"] == pytest.approx(0.2 - ideal_aurc(100)[20])
    for entry in result["accuracy_at_coverage"]:
        assert entry["accuracy"]["value"] == pytest.approx(0.8)
    assert find_curve(rank(scored)) == [
        {"threshold": 0.8, "coverage": 1.0, "error": 0.2, **{end: share_wrong(100, 20)[end] for end in ("low", "high")}}
    ]


@pytest.mark.parametrize("digits", [16, 1])
def test_permuting_rows_or_labels_changes_nothing(digits: int) -> None:
    # Every row has one most probable label: which of two comes first depends on the labels' order.
    scored = random_scored(120, 3, seed=5)
    top_probability = (
        scored.probabilities.max(axis=1).round(digits) if digits == 1 else scored.probabilities.max(axis=1)
    )
    probabilities = np.where(scored.probabilities == scored.probabilities.max(axis=1, keepdims=True), 1.0, 0.1)
    scored = as_scored(scored.truth, probabilities * top_probability[:, None])
    generator = np.random.default_rng(0)
    rows, labels = generator.permutation(120), np.array([2, 0, 1])
    by_rows = as_scored(scored.truth[rows], scored.probabilities[rows])
    by_labels = as_scored(np.argsort(labels)[scored.truth], scored.probabilities[:, labels])
    for other in (by_rows, by_labels):
        assert find_level(rank(other), rank(other), 0.2, 0.9) == find_level(rank(scored), rank(scored), 0.2, 0.9)
        assert find_curve(rank(other)) == find_curve(rank(scored))
        for name, result in measure_ranking(scored, seed=0).items():
            if name != "accuracy_at_coverage":
                assert measure_ranking(other, seed=0)[name]["value"] == pytest.approx(result["value"])


@pytest.mark.parametrize(("answered", "wrong"), [(1, 0), (1, 1), (30, 0), (30, 4), (30, 30), (5000, 12)])
def test_the_interval_of_a_share_is_clopper_and_pearsons(answered: int, wrong: int) -> None:
    expected = binomtest(wrong, answered).proportion_ci(0.95, method="exact")
    result = share_wrong(answered, wrong)
    assert [result["low"], result["high"]] == pytest.approx([expected.low, expected.high])


def test_the_curve_of_many_rows_keeps_its_ends_and_few_points() -> None:
    scored = random_scored(20_000, 5, seed=2)
    curve, ranked = find_curve(rank(scored)), rank(scored)
    assert len(curve) == MAX_POINTS
    assert (curve[0]["coverage"], curve[-1]["coverage"]) == (ranked.answered[0] / 20_000, 1.0)
    assert curve[-1]["error"] == ranked.wrong[-1] / 20_000
    for point in curve:
        assert count_answers(ranked, point["threshold"])[0] / 20_000 == point["coverage"]
        assert point["low"] <= point["error"] <= point["high"]


LABELS = ["no", "yes"]


def write_inputs(folder: Path, calibration: Scored, test: Scored, labels: list[str] = LABELS) -> dict[str, Path]:
    artifacts.write(folder / "task.json", task_of(labels), "task")
    artifacts.write(folder / "held_out.jsonl", scored_lines(calibration, labels), "predictions")
    artifacts.write(folder / "test.jsonl", scored_lines(test, labels), "predictions")
    return {"task": folder / "task.json"} | {name: folder / f"{name}.jsonl" for name in ("held_out", "test")}


def controlled(
    folder: Path,
    calibration: Scored,
    test: Scored,
    max_selective_error: float | None,
    labels: list[str] = LABELS,
    costs: Any = None,
    abstain_cost: float | None = None,
) -> dict[str, Any]:
    files = write_inputs(folder, calibration, test, labels)
    given = {"costs": costs, "abstain_cost": abstain_cost, "seed": 42, "out": folder / "risk.json"}
    control_risk(**files, max_selective_error=max_selective_error, selective_error_confidence=0.9, **given)
    return artifacts.read(folder / "risk.json", "risk")


COSTS = {"no": {"no": 0, "yes": 1}, "yes": {"no": 5, "yes": 0}}


def test_where_costs_decide_what_is_controlled_is_the_error_of_their_decisions(tmp_path: Path) -> None:
    calibration, test = random_scored(800, 2, seed=1), random_scored(500, 2, seed=2)
    risk = controlled(tmp_path, calibration, test, 0.03, costs=COSTS, abstain_cost=0.4)
    costs = read_costs(COSTS, 0.4, LABELS, "config.yaml")
    assert risk["decided_by"] == "cost"
    chosen = risk["chosen"]
    decided = decide_rows(costs, risk, test.probabilities)
    answered = decided.codes != ABSTAIN
    assert decided.by_cost.any()
    assert decided.by_risk.any()
    assert not (decided.by_cost & decided.by_risk).any()
    assert (chosen["test"]["answered"], chosen["test"]["wrong"]) == (
        answered.sum(),
        (decided.codes != test.truth)[answered].sum(),
    )
    assert chosen["test"]["coverage"] == pytest.approx(answered.mean())
    assert decided.expected[decided.by_risk].tolist() == [0.4] * decided.by_risk.sum()
    nothing = controlled(tmp_path, calibration, test, None, costs=COSTS, abstain_cost=0.4)
    opening = "max_selective_error is not set, so only costs leave rows to a person"
    assert nothing["sentence"].startswith(opening)


def test_over_many_splits_decisions_by_cost_keep_the_guarantee() -> None:
    """Deliberately incorrect decisions where a miss is expensive: the most probable label's threshold would fail."""
    costs = read_costs(COSTS, None, LABELS, "config.yaml")
    population = random_scored(40_000, 2, seed=5)
    codes = decide(costs, population.probabilities).codes
    top_probability, wrong = certainty_of(population.probabilities, codes), codes != population.truth
    broken = 0
    for seed in range(300):
        drawn = np.random.default_rng(seed).choice(len(codes), size=200)
        split = population.take(drawn)
        threshold = find_threshold(rank(split, codes[drawn]), 0.15, 0.9)
        if threshold is not None and (top_probability >= threshold).any():
            broken += wrong[top_probability >= threshold].mean() > 0.15
    assert 0 < broken / 300 <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 300)


def test_the_threshold_is_found_on_calibration_rows_and_measured_on_test_rows(tmp_path: Path) -> None:
    calibration, test = random_scored(300, 2, seed=1), random_scored(200, 2, seed=2)
    risk = controlled(tmp_path, calibration, test, 0.05)
    chosen = risk["chosen"]
    assert chosen["threshold"] == find_threshold(rank(calibration), 0.05, 0.9)
    abstained = abstains(risk, test.probabilities.max(axis=1))
    wrong = test.probabilities.argmax(axis=1) != test.truth
    assert chosen["test"]["coverage"] == pytest.approx((~abstained).mean())
    assert chosen["test"]["selective_error"]["value"] == pytest.approx(wrong[~abstained].mean())
    assert [level["max_selective_error"] for level in risk["levels"]] == [0.01, 0.02, 0.05, 0.1, 0.2]
    assert risk["levels"][2] == chosen
    assert risk["sentence"] == chosen["sentence"]
    assert risk["sentence"].startswith("Rows whose label has a probability of at least 0.")
    assert "are answered, with 90% confidence that at most 5% of answers are incorrect." in risk["sentence"]


def test_stricter_levels_answer_no_more(tmp_path: Path) -> None:
    risk = controlled(tmp_path, random_scored(2000, 2, seed=1), random_scored(200, 2, seed=2), 0.05)
    coverages = [level["test"]["coverage"] for level in risk["levels"]]
    assert coverages == sorted(coverages)
    assert 0 < coverages[0] < coverages[-1]


def test_without_max_selective_error_no_row_is_abstained_from_and_the_levels_are_there(tmp_path: Path) -> None:
    risk = controlled(tmp_path, random_scored(100, 2, seed=1), random_scored(100, 2, seed=2), None)
    assert risk["chosen"] is None
    assert not abstains(risk, random_scored(100, 2, seed=3).probabilities.max(axis=1)).any()
    assert len(risk["levels"]) == 5
    assert risk["sentence"].startswith("max_selective_error is not set, so every row is answered; ")


def test_what_is_not_achievable_abstains_from_every_row(tmp_path: Path) -> None:
    risk = controlled(tmp_path, random_scored(30, 2, seed=1), random_scored(100, 2, seed=2), 0.01)
    assert not risk["chosen"]["achievable"]
    assert risk["sentence"].endswith("Every new row is therefore left to a person.")
    assert abstains(risk, random_scored(100, 2, seed=3).probabilities.max(axis=1)).all()


@pytest.mark.parametrize(("rows", "rows_test"), [(0, 0), (0, 1), (1, 0), (1, 1), (60, 0)])
@pytest.mark.parametrize("max_selective_error", [None, 0.05])
def test_empty_and_one_row_splits_run_and_say_so(
    tmp_path: Path, rows: int, rows_test: int, max_selective_error: float | None
) -> None:
    certain = [of_two(np.full(count, 1.0), np.zeros(count)) for count in (rows, rows_test)]
    risk = controlled(tmp_path, *certain, max_selective_error)
    assert risk["rows"] == {"calibration": rows, "test": rows_test}
    assert (risk["test"]["aurc"]["value"] is None) == (rows_test == 0)
    assert len(risk["test"]["curve"]) == rows_test
    if max_selective_error and rows < 45:
        assert f"and there are {rows}." in risk["sentence"]
    elif not rows_test:
        assert "here are no test rows" in risk["sentence"]
    plot_risk_coverage(tmp_path / "risk.json", tmp_path / "risk.svg")
    assert ("there are no test rows" in (tmp_path / "risk.svg").read_text()) == (rows_test == 0)


def test_a_thousand_labels_are_controlled(tmp_path: Path) -> None:
    labels = [f"label {code}" for code in range(1000)]
    risk = controlled(tmp_path, random_scored(60, 1000, 1), random_scored(40, 1000, 2), 0.2, labels=labels)
    assert risk["test"]["error"]["value"] > 0.5


def test_controlling_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    controlled(tmp_path, random_scored(100, 2, seed=1), random_scored(100, 2, seed=2), 0.2)
    first = (tmp_path / "risk.json").read_bytes()
    controlled(tmp_path, random_scored(100, 2, seed=1), random_scored(100, 2, seed=2), 0.2)
    assert (tmp_path / "risk.json").read_bytes() == first


@pytest.mark.parametrize(
    ("max_selective_error", "shown"),
    [
        (0.1, ["configured: at most 10%", "answered, ", "every row answered: "]),
        (0.001, ["configured: at most 0.1%, not achievable", "every row answered: "]),
        (None, ["most confident rows answered first", "95% interval", "every row answered: "]),
    ],
)
def test_the_picture_shows_the_target_the_threshold_and_what_no_selection_gives(
    tmp_path: Path, max_selective_error: float | None, shown: list[str]
) -> None:
    controlled(tmp_path, random_scored(200, 2, seed=1), random_scored(200, 2, seed=2), max_selective_error)
    plot_risk_coverage(tmp_path / "risk.json", tmp_path / "risk.svg")
    text = (tmp_path / "risk.svg").read_text()
    assert all(words in text for words in shown)
    assert ("threshold " in text) == (max_selective_error == 0.1)
    assert ("configured: " in text) == (max_selective_error is not None)


def test_the_picture_shows_a_threshold_near_1_and_the_target_exactly(tmp_path: Path) -> None:
    risk = controlled(tmp_path, random_scored(200, 2, seed=1), random_scored(200, 2, seed=2), 0.1)
    risk["chosen"] |= {"threshold": 0.99961, "max_selective_error": 0.123456}
    artifacts.write(tmp_path / "risk.json", risk, "risk")
    plot_risk_coverage(tmp_path / "risk.json", tmp_path / "risk.svg")
    text = (tmp_path / "risk.svg").read_text()
    assert "threshold 0.99961: " in text
    assert "configured: at most 12.3456%" in text

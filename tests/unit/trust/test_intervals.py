"""Every interval that is printed contains its estimate, and those of calibration errors the true error."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loramake.evaluation.compare import _differences
from loramake.evaluation.intervals import estimate, estimate_biased, estimate_error
from loramake.evaluation.resampling import resample
from loramake.evaluation.run import evaluate as evaluate_metrics
from loramake.evaluation.verdict import find_verdict
from loramake.trust import calibration_measures, conformal, robustness
from loramake.trust.audit import audit
from loramake.trust.costs import compare_costs, find_policies
from loramake.trust.group_measures import count_rows
from loramake.trust.requirements import REQUIREMENTS, check_requirements
from loramake.trust.risk import find_curve, find_level, measure_ranking, rank
from tests.cases import MODELS, as_scored, calibrated_case, classification, softmax

LABELS = (2, 3, 5)


def drawn_case(seed: int) -> tuple[Any, dict[str, Any]]:
    """Few to many rows, two to five labels, from useless to perfect models, some with ties, zeros and rare labels."""
    generator = np.random.default_rng(seed)
    labels, rows = int(generator.choice(LABELS)), int(generator.choice([1, 2, 5, 20, 60, 200]))
    truth, ours = calibrated_case(rows, labels, seed, temperature=float(generator.choice([0.3, 1, 4, 20])), spread=2)
    truth = np.where(generator.random(rows) < generator.choice([0, 0.5, 0.95]), 0, truth)
    scores = {"loramake": ours}
    for name in MODELS[1:]:
        other = softmax(generator.normal(size=(rows, labels)) + generator.choice([0, 3]) * np.eye(labels)[truth])
        rounded = other.round(int(generator.choice([1, 3, 16]))) + 1e-12
        scores[name] = rounded / rounded.sum(axis=1, keepdims=True)
    return truth, scores


def outside(content: Any, where: str = "") -> Iterator[str]:
    """The estimates in an artifact that are not in their own interval."""
    if isinstance(content, dict):
        value = content.get("value", content.get("error"))
        is_estimate = isinstance(value, float) and content.get("low") is not None
        if is_estimate and not content["low"] <= value <= content["high"]:
            yield f"{where}: {value} is not in {content['low']} to {content['high']}"
        content = content.items()
    elif isinstance(content, list | tuple):
        content = enumerate(content)
    else:
        content = ()
    for key, part in content:
        yield from outside(part, f"{where}.{key}")


def everything_measured(truth: Any, scores: dict[str, Any], seed: int) -> dict[str, Any]:
    """All that the artifacts of evaluation/ and trust/ measure with intervals, on these rows."""
    ours = scores["loramake"]
    labels = ours.shape[1]
    task, scored = classification(labels), as_scored(truth, ours)
    resampled = resample(task, truth, scores, seed)
    models = {name: evaluate_metrics(task, truth, scores[name], resampled[name], seed) for name in scores}
    sets = conformal.fit_sets(scored, "aps", 0.8).predict(ours)
    rows = count_rows(scored, ours.argmax(axis=1), sets, ours.max(axis=1) < 0.6, task)
    cells = pd.Series(np.random.default_rng(seed).choice(["a", "b", "c"], size=len(truth)), name="group", dtype=object)
    overall, columns = audit(rows, [cells], seed)
    calibrated = calibration_measures.evaluate(truth, [ours], seed)[0]
    costs: Any = {"labels": task.labels, "matrix": (1 - np.eye(labels)).tolist(), "abstain_cost": 0.3}
    costs["configured"] = True
    risk: Any = {"chosen": find_level(rank(scored), rank(scored), 0.2, 0.9)}
    policies = find_policies(costs, risk, scores, truth, truth)
    plan: Any = {"features": [{"name": "a", "type": "numeric"}], "feature_format": "{name}", "cell_tokens": None}
    ways = {"as it is": ours, "numbers rounded": scores["majority"], "0": scores["logistic_regression"]}
    ways |= {name: ours for name in robustness.VARIANTS if name not in ways}
    measured = {
        "metrics": {"splits": {"test": {"models": models}}},
        "calibration_measures": {"after": calibrated},
        "conformal": conformal.evaluate(scored, scored, task.labels, "aps", 0.8, seed),
        "risk": {**risk, "test": measure_ranking(scored, seed), "curve": find_curve(rank(scored))},
        "costs": {"test": compare_costs(costs, truth, policies, seed)},
        "audit": {"overall": overall, "columns": columns},
    }
    return {
        **measured,
        "verdict": find_verdict(task.verdict_metric, models, resampled),
        "compare": _differences(task, truth, {"0": ours, "1": scores["majority"]}),
        "robustness": robustness.evaluate(task, truth, ways, plan, [0.1], len(truth), seed),
        "requirements": check_requirements(dict.fromkeys(REQUIREMENTS, 0.5), measured, columns),
    }


@pytest.mark.parametrize("seed", range(25))
def test_every_interval_contains_its_estimate(seed: int) -> None:
    measured = everything_measured(*drawn_case(seed), seed)
    assert list(outside(measured)) == []


def test_a_value_that_all_resamples_exceed_is_the_end_of_its_interval() -> None:
    resampled = np.linspace(0.2, 0.4, 1001)
    result = estimate(0.1, resampled)
    assert result == {"value": 0.1, "low": 0.1, "high": pytest.approx(0.395)}


def test_a_biased_statistic_is_corrected_by_the_bias_of_its_resamples() -> None:
    result = estimate_biased(1.0, np.linspace(0.9, 1.3, 1001))
    assert (result["low"], result["high"]) == (pytest.approx(0.71), pytest.approx(1.09))


@pytest.mark.parametrize(("value", "low"), [(0.05, 0.0), (0.1, 0.0), (0.2, 0.1), (0.3, 0.3)])
def test_an_error_that_chance_shows_may_be_0_and_one_far_beyond_may_not(value: float, low: float) -> None:
    """Chance shows at most 0.1 and resamples at most 0.3: of 0.2, half the way between, half remains."""
    ends = np.array([0.0, *[0.1] * 999]), np.array([0.0, *[0.3] * 999])
    result = estimate_error(value, ends[1], ends[0])
    assert (result["low"], result["high"]) == (pytest.approx(low), 0.3)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
@pytest.mark.parametrize("rows", [70, 200])
def test_intervals_of_calibration_errors_contain_the_true_error_in_about_95_of_100_cases(
    rows: int, temperature: float
) -> None:
    """benchmarks/intervals.py measures it on more cases. Percentiles contain that of calibrated ones in none."""
    names = ("ece", "adaptive_ece", "mce", "classwise_ece", "brier_reliability")
    true = dict.fromkeys(names, 0.0)
    if temperature > 1:
        truth, probabilities = calibrated_case(200_000, 3, seed=999, temperature=temperature)
        values = calibration_measures.compute_measures(truth, probabilities, np.ones((1, len(truth))))
        true = {name: float(values[name][0]) for name in names}
    hits = dict.fromkeys(names, 0)
    for seed in range(25):
        (result,) = calibration_measures.evaluate(*_too_sure(rows, seed, temperature), seed)
        for name in names:
            interval = result["measures"][name]
            hits[name] += interval["low"] - 1e-12 <= true[name] <= interval["high"]
    assert all(count >= 21 for count in hits.values()), hits


def _too_sure(rows: int, seed: int, temperature: float) -> tuple[Any, list[Any]]:
    truth, probabilities = calibrated_case(rows, 3, seed, temperature=temperature)
    return truth, [probabilities]

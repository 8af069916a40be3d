"""Groups of rows side by side, and requirements: agreement with fairlearn and scikit-learn, and the sentences."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from sklearn import metrics as sklearn_metrics

from loramake import artifacts
from loramake.artifacts import load_schema
from loramake.errors import ConfigError, DataError
from loramake.plots.audit import MAX_GROUPS, plot_audit
from loramake.prediction.predictions import Scored, read_scored
from loramake.tables.source import sniff_source
from loramake.tasks import Classification
from loramake.trust import ABSTAIN, audit_by_group
from loramake.trust.audit import audit, audit_groups, check_audit_columns, evaluate
from loramake.trust.cost_matrix import decide_labels
from loramake.trust.group_differences import find_reach
from loramake.trust.group_measures import MEASURES, count_rows
from loramake.trust.groups import MIN_ROWS
from loramake.trust.requirements import FILES, REQUIREMENTS, Measured, check_requirements
from loramake.trust.sentences.requirements import summarize_requirements
from tests.cases import random_case
from tests.files import measure_trust
from tests.formulas import expected_calibration_error
from tests.pictures import texts

NAMES = ["no", "maybe", "perhaps", "surely", "yes"]


def column(cells: Any, name: str = "Sex") -> Any:
    return pd.Series(list(cells), name=name, dtype=object)


def measured_rows(truth: Any, probabilities: Any, sets: Any = None, abstained: Any = None) -> Any:
    count, labels = probabilities.shape
    sets = np.ones((count, labels), dtype=bool) if sets is None else sets
    abstained = np.zeros(count, dtype=bool) if abstained is None else abstained
    names = NAMES[:labels] if labels <= len(NAMES) else [f"label {index}" for index in range(labels)]
    scored = Scored([("csv", row) for row in range(count)], truth, probabilities)
    return count_rows(scored, probabilities.argmax(axis=1), sets, abstained, Classification("y", names))


def audited(truth: Any, probabilities: Any, cells: Any, **rest: Any) -> dict[str, Any]:
    """The one audited column."""
    return audit(measured_rows(truth, probabilities, **rest), [column(cells)], seed=0)[1][0]


def values(group: dict[str, Any]) -> dict[str, Any]:
    return {name: group[name]["value"] for name in MEASURES}


@pytest.mark.parametrize("seed", range(5))
def test_rates_differences_and_ratios_of_two_labels_are_fairlearns(seed: int) -> None:
    truth, probabilities = random_case(300, 2, seed)
    cells = np.random.default_rng(seed).choice(["a", "b", "c"], p=[0.5, 0.3, 0.2], size=300)
    frame = MetricFrame(
        metrics={
            "accuracy": sklearn_metrics.accuracy_score,
            "selection_rate": selection_rate,
            "tpr": true_positive_rate,
            "fpr": false_positive_rate,
        },
        y_true=truth,
        y_pred=probabilities.argmax(axis=1),
        sensitive_features=cells,
    )
    audited_column = audited(truth, probabilities, cells)
    assert [group["name"] for group in audited_column["groups"]] == ["a", "b", "c"]
    for group in audited_column["groups"]:
        for name in frame.by_group:
            assert group[name]["value"] == pytest.approx(frame.by_group[name][group["name"]])
    for name in frame.by_group:
        differences = audited_column["differences"][name]
        assert differences["difference"]["value"] == pytest.approx(frame.difference(method="between_groups")[name])
        assert differences["ratio"]["value"] == pytest.approx(frame.ratio(method="between_groups")[name])
        assert differences["difference"]["lowest"] == frame.by_group[name].idxmin()
        assert differences["difference"]["highest"] == frame.by_group[name].idxmax()


@pytest.mark.parametrize("seed", range(3))
def test_rates_of_more_labels_are_means_of_each_against_the_rest(seed: int) -> None:
    truth, probabilities = random_case(300, 4, seed)
    predicted = probabilities.argmax(axis=1)
    cells = np.random.default_rng(seed + 100).choice(["a", "b", "c"], size=300)
    audited_column = audited(truth, probabilities, cells)
    for group in audited_column["groups"]:
        members = cells == group["name"]
        recall = sklearn_metrics.recall_score(truth[members], predicted[members], average="macro")
        assert group["tpr"]["value"] == pytest.approx(recall)
        assert group["tpr"]["low"] < recall < group["tpr"]["high"]
        false = [false_positive_rate(truth[members] == label, predicted[members] == label) for label in range(4)]
        assert group["fpr"]["value"] == pytest.approx(np.mean(false))
        assert group["selection_rate"]["value"] is None
        for label, entry in enumerate(group["by_label"]):
            assert entry["label"] == NAMES[label]
            assert entry["rows"] == (truth[members] == label).sum()
            assert entry["selection_rate"]["value"] == pytest.approx((predicted[members] == label).mean())
            assert entry["tpr"]["value"] == pytest.approx(
                true_positive_rate(truth[members] == label, predicted[members] == label)
            )
            assert entry["fpr"]["value"] == pytest.approx(false[label])


@pytest.mark.parametrize("seed", range(3))
def test_the_selection_rate_of_more_labels_is_compared_for_the_label_where_it_is_worst(seed: int) -> None:
    truth, probabilities = random_case(300, 4, seed)
    cells = np.random.default_rng(seed + 100).choice(["a", "b", "c"], size=300)
    frames = {
        NAMES[label]: MetricFrame(
            metrics=selection_rate,
            y_true=truth == label,
            y_pred=probabilities.argmax(axis=1) == label,
            sensitive_features=cells,
        )
        for label in range(4)
    }
    audited_column = audited(truth, probabilities, cells)["differences"]["selection_rate"]
    differences = {label: frame.difference() for label, frame in frames.items()}
    ratios = {label: frame.ratio() for label, frame in frames.items()}
    assert audited_column["difference"]["value"] == pytest.approx(max(differences.values()))
    assert audited_column["difference"]["label"] == max(differences, key=differences.__getitem__)
    assert audited_column["ratio"]["value"] == pytest.approx(min(ratios.values()))
    assert audited_column["ratio"]["label"] == min(ratios, key=ratios.__getitem__)


@pytest.mark.parametrize("labels", [2, 4])
def test_the_other_measures_are_those_of_the_rows_of_the_group(labels: int) -> None:
    truth, probabilities = random_case(200, labels, seed=4)
    generator = np.random.default_rng(4)
    cells = generator.choice(["a", "b"], size=200)
    sets, abstained = generator.random((200, labels)) < 0.7, generator.random(200) < 0.2
    for group in audited(truth, probabilities, cells, sets=sets, abstained=abstained)["groups"]:
        members = cells == group["name"]
        assert group["rows"] == members.sum()
        assert group["log_loss"]["value"] == pytest.approx(
            sklearn_metrics.log_loss(truth[members], probabilities[members], labels=range(labels))
        )
        assert group["ece"]["value"] == pytest.approx(
            expected_calibration_error(truth[members], probabilities[members])
        )
        assert group["coverage"]["value"] == pytest.approx(sets[members, truth[members]].mean())
        assert group["mean_set_size"]["value"] == pytest.approx(sets[members].sum(axis=1).mean())
        assert group["abstention"]["value"] == pytest.approx(abstained[members].mean())


def test_the_measures_of_all_rows_come_with_the_groups() -> None:
    truth, probabilities = random_case(150, 2, seed=1)
    overall, _ = audit(measured_rows(truth, probabilities), [], seed=0)
    assert overall["rows"] == 150
    assert overall["accuracy"]["value"] == pytest.approx((probabilities.argmax(axis=1) == truth).mean())
    assert overall["ece"]["value"] == pytest.approx(expected_calibration_error(truth, probabilities))


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_changes_no_group_and_no_value(seed: int) -> None:
    truth, probabilities = random_case(200, 3, seed)
    generator = np.random.default_rng(seed)
    cells = generator.choice(["a", "b", "c", None], size=200)
    order = generator.permutation(200)
    one, other = audited(truth, probabilities, cells), audited(truth[order], probabilities[order], cells[order])
    assert [group["name"] for group in one["groups"]] == [group["name"] for group in other["groups"]]
    for ours, theirs in zip(one["groups"], other["groups"], strict=True):
        for name, value in values(ours).items():
            assert value == pytest.approx(values(theirs)[name]) if value is not None else values(theirs)[name] is None


def test_the_order_of_labels_changes_no_value_of_more_than_two() -> None:
    truth, probabilities = random_case(200, 3, seed=0)
    cells = np.array(["a", "b"] * 100)
    turned = np.array([2, 0, 1])
    one = audited(truth, probabilities, cells)["groups"][0]
    other = audited(turned[truth], probabilities[:, np.argsort(turned)], cells)["groups"][0]
    for name in ("accuracy", "tpr", "fpr", "ece", "log_loss"):
        assert one[name]["value"] == pytest.approx(other[name]["value"])


def test_a_perfect_predictor_treats_all_groups_alike() -> None:
    truth = np.arange(120) % 2
    audited_column = audited(truth, np.eye(2)[truth], ["a", "a", "b", "b"] * 30)
    for group in audited_column["groups"]:
        assert [group[name]["value"] for name in ("accuracy", "tpr", "fpr", "ece")] == [1, 1, 0, 0]
    assert audited_column["differences"]["accuracy"]["difference"]["value"] == 0
    assert audited_column["differences"]["accuracy"]["ratio"]["value"] == 1
    assert audited_column["differences"]["fpr"]["ratio"]["value"] is None


def test_a_constant_predictor_selects_nobody_and_has_no_ratio() -> None:
    truth = np.arange(120) % 2
    audited_column = audited(truth, np.tile([0.75, 0.25], (120, 1)), ["a", "a", "b", "b"] * 30)
    for group in audited_column["groups"]:
        assert [group[name]["value"] for name in ("selection_rate", "tpr", "fpr")] == [0, 0, 0]
        assert group["ece"]["value"] == pytest.approx(0.25)
    assert audited_column["differences"]["selection_rate"]["difference"]["value"] == 0
    assert audited_column["differences"]["selection_rate"]["ratio"]["value"] is None


def test_a_group_without_a_positive_row_has_no_true_positive_rate_and_makes_no_difference() -> None:
    """fairlearn's rate is 0 there, and its difference the largest there can be."""
    truth, probabilities = random_case(300, 2, seed=2)
    cells = np.array(["a", "b", "c"] * 100)
    truth[cells == "c"] = 0
    audited_column = audited(truth, probabilities, cells)
    rates = {group["name"]: group["tpr"]["value"] for group in audited_column["groups"]}
    assert rates["c"] is None
    assert audited_column["differences"]["tpr"]["difference"]["value"] == pytest.approx(abs(rates["a"] - rates["b"]))
    assert true_positive_rate(truth[cells == "c"], probabilities[cells == "c"].argmax(axis=1)) == 0


def test_groups_of_few_rows_are_named_and_left_out_of_the_differences() -> None:
    truth = np.arange(200) % 2
    probabilities = np.eye(2)[truth]
    cells = np.array(["a"] * 90 + ["b"] * (91 - MIN_ROWS) + ["c"] * (MIN_ROWS - 1) + ["d"] * MIN_ROWS)
    cells = np.append(cells, ["a"] * (200 - len(cells)))
    probabilities[cells == "c"] = probabilities[cells == "c"][:, ::-1]
    audited_column = audited(truth, probabilities, cells)
    assert audited_column["too_small"] == ["c"]
    assert {group["name"]: group["small"] for group in audited_column["groups"]} == {
        "a": False,
        "b": False,
        "c": True,
        "d": False,
    }
    assert next(group for group in audited_column["groups"] if group["small"])["accuracy"]["value"] == 0
    assert audited_column["differences"]["accuracy"]["difference"]["value"] == 0
    assert audited_column["sentence"].endswith(f"left out, with fewer than {MIN_ROWS} rows: c.")


def test_one_large_group_cannot_be_compared() -> None:
    truth, probabilities = random_case(60, 2, seed=0)
    audited_column = audited(truth, probabilities, ["a"] * 55 + ["b"] * 5)
    for name in MEASURES:
        assert audited_column["differences"][name]["difference"]["value"] is None
    assert audited_column["sentence"].startswith(f"Sex has fewer than two groups of {MIN_ROWS} rows or more")


def test_the_reach_is_that_of_the_worst_pair_of_groups() -> None:
    errors = np.random.default_rng(0).normal(size=(1000, 4, 2))
    errors[:, 3, 1] = np.nan
    pairs = [np.abs(errors[:, one] - errors[:, other]) for one in range(4) for other in range(one)]
    expected = np.quantile(np.nanmax(np.stack(pairs), axis=(0, 2)), 0.95, method="higher")
    assert find_reach(errors) == pytest.approx(expected)
    errors[:501, 1:] = np.nan
    assert np.isnan(find_reach(errors))


@pytest.mark.parametrize(("worse", "groups"), [(0.0, 2), (0.0, 8), (0.3, 4)])
def test_the_interval_of_the_largest_difference_contains_the_true_one(worse: float, groups: int) -> None:
    """A percentile interval would miss 0 each time: chance makes the largest difference of eight equal groups large."""
    hits = 0
    for seed in range(10):
        generator = np.random.default_rng(seed)
        cells = np.repeat(np.arange(groups), 60)
        right = generator.random(len(cells)) < np.where(cells == 0, 0.8 - worse, 0.8)
        probabilities = np.where(right[:, None], [0.8, 0.2], [0.2, 0.8])
        audited_column = audited(np.zeros(len(cells), dtype=int), probabilities, [f"group {cell}" for cell in cells])
        difference, ratio = (audited_column["differences"]["accuracy"][how] for how in ("difference", "ratio"))
        assert difference["low"] <= difference["value"] <= difference["high"]
        assert ratio["low"] <= ratio["value"] <= ratio["high"]
        hits += difference["low"] <= worse + 1e-9 and difference["high"] >= worse
        hits += ratio["low"] <= (0.8 - worse) / 0.8 <= ratio["high"] + 1e-9
    assert hits >= 18


def test_a_small_group_that_is_all_correct_is_not_known_exactly() -> None:
    """No resample of it has a wrong row: by resampling, two groups would differ for certain that do not differ."""
    cells = ["few"] * 20 + ["many"] * 300
    right = np.array([True] * 20 + [row % 20 > 0 for row in range(300)])
    probabilities = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
    audited_column = audited(np.zeros(320, dtype=int), probabilities, cells)["differences"]["accuracy"]
    assert audited_column["difference"]["value"] == pytest.approx(0.05)
    assert audited_column["difference"]["low"] == 0.0 < 0.07 < audited_column["difference"]["high"]
    both = audited(np.zeros(40, dtype=int), np.tile([0.9, 0.1], (40, 1)), ["a"] * 20 + ["b"] * 20)
    assert both["differences"]["accuracy"]["difference"]["high"] > 0.05


def test_the_ratio_to_a_group_of_which_nobody_is_selected_is_zero_without_an_interval() -> None:
    truth = np.arange(100) % 2
    cells = np.array(["a"] * 50 + ["b"] * 50)
    probabilities = np.where((cells == "a")[:, None], [0.9, 0.1], [0.4, 0.6])
    ratio = audited(truth, probabilities, cells)["differences"]["selection_rate"]["ratio"]
    assert ratio == {"value": 0.0, "low": None, "high": None, "lowest": "a", "highest": "b", "label": None}


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("labels", [2, 3])
def test_no_row_or_one_is_no_error(rows: int, labels: int) -> None:
    truth, probabilities = random_case(rows, labels, seed=0)
    audit_content = content(truth, probabilities, [["a"] * rows, ["7"] * rows])
    artifacts.validate(audit_content, "audit", "audit.json")
    assert [len(entry["groups"]) for entry in audit_content["columns"]] == [rows, rows]
    if not rows:
        assert all(value is None for value in values(audit_content["overall"]).values())


def test_a_thousand_labels_have_rates_of_the_most_frequent_ones() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.random((400, 1000))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    truth = np.append(np.repeat(np.arange(900, 920), 15), generator.integers(0, 900, size=100))
    audit_content = content(truth, probabilities, [["a", "b"] * 200])
    assert audit_content["rates_of"] == [f"label {index}" for index in range(900, 920)]
    artifacts.validate(audit_content, "audit", "audit.json")


def test_probabilities_of_zero_and_one_that_are_wrong_have_a_finite_loss() -> None:
    truth = np.arange(60) % 2
    audit_content = content(truth, np.eye(2)[1 - truth], [["a", "b", "b", "a"] * 15])
    artifacts.validate(audit_content, "audit", "audit.json")
    assert audit_content["overall"]["log_loss"]["value"] == pytest.approx(36.04, abs=0.01)


def content(
    truth: Any, probabilities: Any, cells: list[Any], names: Any = None, requirements: Any = ()
) -> dict[str, Any]:
    rows = measured_rows(truth, probabilities)
    names = names or [f"column {index}" for index in range(len(cells))]
    overall, content = audit(
        rows, [column(values_of_column, name) for values_of_column, name in zip(cells, names, strict=True)], seed=0
    )
    return evaluate(rows, overall, content, list(requirements))


NOTHING = {"value": None, "low": None, "high": None}


def results(**changes: Any) -> dict[str, Any]:
    """The contents that requirements refer to, by artifact; `changes` replace some."""
    between = {"value": 0.8, "low": 0.7, "high": 0.9}
    metrics = dict.fromkeys(("roc_auc", "balanced_accuracy"), between)
    result = {
        "metrics": {"splits": {"test": {"models": {"loramake": {"metrics": metrics}}}}},
        "calibration_measures": {"after": {"measures": {"ece": between, "log_loss": between}}},
        "conformal": {"test": {"coverage": between, "mean_set_size": between}},
        "risk": {"chosen": {"test": {"selective_error": between}}},
        "costs": {"test": {"loramake": {"per_row": between}}},
        "audit": {"overall": {"accuracy": between}},
    }
    return result | changes


def test_there_is_a_requirement_for_each_one_of_the_settings() -> None:
    assert list(REQUIREMENTS) == list(load_schema("config")["properties"]["requirements"]["properties"])


@pytest.mark.parametrize(
    ("limit", "passed", "certain", "sentence"),
    [
        (0.6, True, True, "accuracy of decisions 0.80 is at least 0.6"),
        (0.75, True, False, "accuracy of decisions 0.80 is at least 0.75, though its interval reaches 0.70"),
        (0.8, True, False, "accuracy of decisions 0.80 is at least 0.8, though its interval reaches 0.70"),
        (0.85, False, False, "accuracy of decisions 0.80 is below 0.85, but its interval reaches 0.90"),
        (0.95, False, True, "accuracy of decisions 0.80 is below 0.95"),
    ],
)
def test_a_least_value_is_met_by_the_value_and_the_interval_tells_how_certainly(
    limit: float, passed: bool, certain: bool, sentence: str
) -> None:
    (requirement,) = check_requirements({"min_accuracy": limit}, results(), [])
    assert (requirement["passed"], requirement["certain"], requirement["sentence"]) == (passed, certain, sentence)
    assert requirement["of"] == "trust/audit.json: overall.accuracy"


@pytest.mark.parametrize(
    ("limit", "passed", "sentence"),
    [
        (0.95, True, "calibration error (ECE) 0.80 is at most 0.95"),
        (0.85, True, "calibration error (ECE) 0.80 is at most 0.85, though its interval reaches 0.90"),
        (0.75, False, "calibration error (ECE) 0.80 is above 0.75, but its interval reaches 0.70"),
        (0.5, False, "calibration error (ECE) 0.80 is above 0.5"),
    ],
)
def test_a_largest_value_is_met_from_below(limit: float, passed: bool, sentence: str) -> None:
    (requirement,) = check_requirements({"max_ece": limit}, results(), [])
    assert (requirement["passed"], requirement["sentence"]) == (passed, sentence)


@pytest.mark.parametrize("name", [name for name, what in REQUIREMENTS.items() if isinstance(what, Measured)])
def test_each_measured_requirement_finds_its_value(name: str) -> None:
    (requirement,) = check_requirements({name: 0.8}, results(), [])
    assert [requirement[key] for key in ("value", "low", "high", "passed")] == [0.8, 0.7, 0.9, True]


def test_a_value_without_an_interval_is_neither_sure_nor_in_doubt() -> None:
    changed = results(costs={"test": {"loramake": {"per_row": 0.5}}})
    (requirement,) = check_requirements({"max_cost_per_row": 1}, changed, [])
    assert (requirement["value"], requirement["passed"], requirement["certain"]) == (0.5, True, None)
    assert requirement["sentence"] == "cost per row 0.50 is at most 1"


def test_rounding_does_not_break_a_requirement_and_enough_digits_are_shown() -> None:
    changed = results(calibration_measures={"after": {"measures": {"ece": {**NOTHING, "value": 0.1 + 0.2}}}})
    assert check_requirements({"max_ece": 0.3}, changed, [])[0]["passed"]
    changed["calibration_measures"]["after"]["measures"]["ece"]["value"] = 0.3002
    (requirement,) = check_requirements({"max_ece": 0.3}, changed, [])
    assert requirement["sentence"] == "calibration error (ECE) 0.3002 is above 0.3"


@pytest.mark.parametrize(
    ("requirements", "changes", "why"),
    [
        ({"max_cost_per_row": 1}, {"costs": {"test": None}}, "no costs are set"),
        ({"max_selective_error": 1}, {"risk": {"chosen": None}}, "max_selective_error is not set"),
        (
            {"max_ece": 1},
            {"calibration_measures": {"after": {"measures": {"ece": NOTHING}}}},
            "undefined on these test rows",
        ),
        ({"max_tpr_difference": 1}, {}, "audit_columns is not set"),
    ],
)
def test_what_cannot_be_measured_is_not_met_and_says_why(requirements: Any, changes: Any, why: str) -> None:
    (requirement,) = check_requirements(requirements, results(**changes), [])
    assert (requirement["passed"], requirement["certain"], requirement["value"]) == (False, None, None)
    assert why in requirement["sentence"]


def test_the_groups_that_differ_most_count_and_a_column_without_groups_meets_none() -> None:
    truth = np.arange(100) % 2
    probabilities = np.eye(2)[truth]
    probabilities[:20] = probabilities[:20, ::-1]
    quarters = np.repeat(["a", "b"], 50)
    tenths = np.array(["a", "b"] * 50)
    audit_content = content(truth, probabilities, [tenths, quarters], names=["tenths", "quarters"])["columns"]
    (requirement,) = check_requirements({"max_accuracy_difference": 0.3}, results(), audit_content)
    assert requirement["value"] == pytest.approx(0.4)
    assert requirement["of"] == "trust/audit.json: columns: quarters: differences.accuracy.difference"
    assert requirement["sentence"].startswith("accuracy difference by quarters 0.40 is above 0.3")
    alone = content(truth, probabilities, [tenths, ["a"] * 100], names=["tenths", "alone"])["columns"]
    (requirement,) = check_requirements({"max_accuracy_difference": 1}, results(), alone)
    assert not requirement["passed"]
    assert requirement["sentence"] == (
        "accuracy difference by alone cannot be measured: fewer than two groups have enough rows and a value"
    )
    (requirement,) = check_requirements({"min_selection_rate_ratio": 0}, results(), alone)
    assert requirement["sentence"].endswith("fewer than two groups have enough rows and a value above 0")


def test_a_requirement_is_in_doubt_where_the_interval_of_any_column_reaches_beyond_it() -> None:
    def named(name: str, value: float, low: float, high: float) -> dict[str, Any]:
        one = {"value": value, "low": low, "high": high, "label": None}
        return {"name": name, "differences": {"accuracy": {"difference": one}, "selection_rate": {"ratio": one}}}

    columns = [named("first", 0.5, 0.3, 0.6), named("second", 0.4, 0.1, 0.9)]
    (requirement,) = check_requirements({"max_accuracy_difference": 0.7}, results(), columns)
    assert (requirement["value"], requirement["low"], requirement["high"]) == (0.5, 0.3, 0.9)
    assert (requirement["passed"], requirement["certain"]) == (True, False)
    (requirement,) = check_requirements({"min_selection_rate_ratio": 0.2}, results(), columns)
    assert (requirement["value"], requirement["low"], requirement["high"]) == (0.4, 0.1, 0.6)
    assert (requirement["passed"], requirement["certain"]) == (True, False)


def test_of_more_labels_the_label_that_is_selected_differently_is_named() -> None:
    truth = np.arange(120) % 3
    cells = np.repeat(["a", "b"], 60)
    probabilities = np.eye(3)[np.where(cells == "a", truth, 0)]
    audit_content = content(truth, probabilities, [cells], names=["half"])["columns"]
    (requirement,) = check_requirements({"max_selection_rate_difference": 0.1}, results(), audit_content)
    assert requirement["sentence"].startswith("selection rate difference of no by half 0.67 is above 0.1")


def test_the_summary_counts_and_lists_what_is_not_met_then_what_is_in_doubt() -> None:
    assert summarize_requirements([]) == "No requirements are set."
    judged = check_requirements({"min_accuracy": 0.6, "min_roc_auc": 0.75, "max_cost_per_row": 0.1}, results(), [])
    assert [each["name"] for each in judged] == ["min_roc_auc", "min_accuracy", "max_cost_per_row"]
    assert summarize_requirements(judged) == (
        "2 of 3 requirements are met; cost per row 0.80 is above 0.1; "
        "ROC-AUC 0.80 is at least 0.75, though its interval reaches 0.70."
    )
    assert summarize_requirements(judged[1:2]) == "The only requirement is met."
    assert summarize_requirements(judged[2:]) == "0 of 1 requirements are met; cost per row 0.80 is above 0.1."
    assert summarize_requirements(judged[:2]).startswith("All 2 requirements are met; ROC-AUC")


def test_an_audit_column_has_to_be_a_column_and_not_the_target() -> None:
    names = ["Age", "Sex", "y"]
    check_audit_columns([], names, "y", "config.yaml")
    check_audit_columns(["Age", "Sex"], names, "y", "config.yaml")
    check_audit_columns(["y"], names, None, "config.yaml")
    with pytest.raises(ConfigError, match=r"config\.yaml: audit_columns: 'sex' is not a column \(did you mean Sex\?\)"):
        check_audit_columns(["Age", "sex"], names, "y", "config.yaml")
    with pytest.raises(ConfigError, match=r"audit_columns: y is the target"):
        check_audit_columns(["y"], names, "y", "config.yaml")


def drawn(folder: Path, result: dict[str, Any]) -> list[str]:
    artifacts.write(folder / "audit.json", result, "audit")
    plot_audit(folder / "audit.json", folder / "audit.svg")
    return texts(folder / "audit.svg")


@pytest.mark.parametrize("columns", [1, 3])
def test_the_picture_names_columns_groups_and_their_rows(tmp_path: Path, columns: int) -> None:
    truth, probabilities = random_case(200, 2, seed=0)
    cells = [["F", "F", "F", "M"] * 50, [str(row % 60) for row in range(200)], ["x"] * 195 + [None] * 5]
    shown_texts = drawn(tmp_path, content(truth, probabilities, cells[:columns]))
    assert {"column 0", "F · 150", "M · 50", "accuracy", "selection", "coverage"} <= set(shown_texts)
    assert ("(missing) · 5" in shown_texts) == (columns == 3)
    assert any("fewer than 20 rows" in text for text in shown_texts) == (columns == 3)


def test_the_picture_of_more_labels_leaves_out_what_is_not_defined(tmp_path: Path) -> None:
    truth, probabilities = random_case(100, 3, seed=0)
    shown_texts = drawn(tmp_path, content(truth, probabilities, [["a", "b"] * 50]))
    assert "selection" not in shown_texts
    assert "true positive" in shown_texts


def test_the_picture_without_columns_or_rows_says_so(tmp_path: Path) -> None:
    truth, probabilities = random_case(50, 2, seed=0)
    assert "audit_columns is not set" in drawn(tmp_path, content(truth, probabilities, []))
    empty = random_case(0, 2, seed=0)
    assert "no test row has a group" in drawn(tmp_path, content(*empty, [[]]))


def test_the_picture_is_the_same_each_time_and_draws_names_of_any_script(tmp_path: Path) -> None:
    truth, probabilities = random_case(100, 2, seed=0)
    hostile = ["<script>alert(1)</script>", "$x^2$\x00\n", "日本", "=cmd()", "x" * 200] * 20
    audit_content = content(truth, probabilities, [hostile], names=["</svg>&'\""])
    names = drawn(tmp_path, audit_content)
    assert {"</svg>&'\"", "<script>alert(1)</scrip… · 20", "$x^2$ · 20", "日本 · 20", "=cmd() · 20"} <= set(names)
    first = (tmp_path / "audit.svg").read_bytes()
    plot_audit(tmp_path / "audit.json", tmp_path / "audit.svg")
    assert (tmp_path / "audit.svg").read_bytes() == first


def test_the_picture_of_very_many_columns_shows_the_first_and_counts_the_rest(tmp_path: Path) -> None:
    truth, probabilities = random_case(100, 2, seed=0)
    audit_content = content(truth, probabilities, [["a", "b"] * 50])
    audit_content["columns"] *= MAX_GROUPS // 2 + 7
    assert any(text.endswith("7 more columns are in audit.json") for text in drawn(tmp_path, audit_content))


class Trust:
    """The files of the trust stage, written by its functions, for a table with the columns y, Sex and Age."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table = folder / "table.csv"
        labels = ["no", "yes"]
        truth = measure_trust(folder, labels, {"no": {"no": 0, "yes": 1}, "yes": {"no": 5, "yes": 0}})
        self.write_table(2 * [labels[code] for code in truth])

    def write_table(self, labels: list[str]) -> None:
        cells = [["M" if row % 3 else "F", str(20 + row * 7 % 60)] for row in range(len(labels))]
        lines = [["y", "Sex", "Age"], *([label, *row_cells] for label, row_cells in zip(labels, cells, strict=True))]
        self.table.write_text("".join(",".join(line) + "\n" for line in lines), encoding="utf-8")

    def audit(self, columns: list[str], requirements: dict[str, float], name: str = "audit.json") -> dict[str, Any]:
        folder = self.folder
        audit_groups(
            source=sniff_source(self.table),
            task=folder / "task.json",
            held_out=folder / "held_out.jsonl",
            test=folder / "calibrated_test.jsonl",
            measured={name: folder / f"{name}.json" for name in FILES},
            columns=columns,
            requirements=requirements,
            seed=1,
            out=folder / name,
        )
        content: dict[str, Any] = artifacts.read(folder / name, "audit")
        return content


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return Trust(tmp_path_factory.mktemp("trust"))


def test_the_groups_sets_and_abstentions_are_those_of_the_other_artifacts(trust: Trust) -> None:
    content = trust.audit(["Sex", "Age"], {})
    conformal, risk = (artifacts.read(trust.folder / f"{name}.json", name) for name in ("conformal", "risk"))
    measures = artifacts.read(trust.folder / "calibration_measures.json", "calibration_measures")["after"]["measures"]
    assert content["overall"]["coverage"]["value"] == pytest.approx(conformal["test"]["coverage"]["value"])
    assert content["overall"]["mean_set_size"]["value"] == pytest.approx(conformal["test"]["mean_set_size"])
    assert content["overall"]["abstention"]["value"] == pytest.approx(1 - risk["chosen"]["test"]["coverage"])
    for name in ("ece", "log_loss"):
        assert content["overall"][name]["value"] == pytest.approx(measures[name]["value"])
    scored = read_scored(trust.folder / "calibrated_test.jsonl", ["no", "yes"])
    costs = artifacts.read(trust.folder / "costs.json", "costs")
    decided = decide_labels(costs, scored.probabilities)
    assert (decided != scored.probabilities.argmax(axis=1)).any()
    assert content["overall"]["accuracy"]["value"] == pytest.approx((decided == scored.truth).mean())
    assert content["overall"]["selection_rate"]["value"] == pytest.approx((decided == 1).mean())
    assert [entry["kind"] for entry in content["columns"]] == ["categorical", "numeric"]
    assert [(group["name"], group["rows"]) for group in content["columns"][0]["groups"]] == [("M", 160), ("F", 80)]


def test_requirements_are_read_from_the_artifacts_and_from_the_groups(
    trust: Trust, capsys: pytest.CaptureFixture[str]
) -> None:
    requirements = {name: 0.01 if name.startswith("min_") else 3.0 for name in REQUIREMENTS}
    content = trust.audit(["Sex"], requirements)
    assert content["summary"] == {"passed": len(REQUIREMENTS), "failed": 0}
    assert content["sentence"].startswith(f"All {len(REQUIREMENTS)} requirements are met")
    assert all(each["value"] is not None for each in content["requirements"])
    content = trust.audit(["Sex"], {"min_accuracy": 0.99, "max_accuracy_difference": 0.9})
    assert content["sentence"].startswith("1 of 2 requirements is met; accuracy of decisions 0.")
    said = " ".join(capsys.readouterr().err.split())
    assert "By Sex, accuracy ranges from" in said
    assert "1 of 2 requirements is met" in said


def test_no_columns_and_no_requirements_are_reported(trust: Trust, capsys: pytest.CaptureFixture[str]) -> None:
    content = trust.audit([], {})
    assert content["columns"] == content["requirements"] == []
    assert content["groups_sentence"] == "No groups are compared: audit_columns is not set."
    assert content["sentence"] == "No requirements are set."
    assert "No requirements are set." in capsys.readouterr().err


def test_a_wrong_audit_column_is_refused_in_the_step_too(trust: Trust) -> None:
    with pytest.raises(ConfigError, match="y is the target"):
        trust.audit(["y"], {})


def test_auditing_twice_and_lines_in_another_order_give_the_same_bytes(trust: Trust) -> None:
    trust.audit(["Sex", "Age"], {"min_accuracy": 0.5}, "first.json")
    path = trust.folder / "calibrated_test.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(reversed(lines)), encoding="utf-8")
    trust.audit(["Sex", "Age"], {"min_accuracy": 0.5}, "second.json")
    assert (trust.folder / "first.json").read_bytes() == (trust.folder / "second.json").read_bytes()


# Arrays.


def test_an_audit_of_arrays_is_that_of_the_rule() -> None:
    truth, probabilities = random_case(300, 2, seed=1)
    sex, age = np.random.default_rng(0).choice(["f", "m"], 300), np.random.default_rng(1).integers(20, 80, 300)
    sets = probabilities > 0.4
    decisions = np.where(probabilities.max(axis=1) < 0.55, ABSTAIN, probabilities.argmax(axis=1))
    result = audit_by_group(truth, probabilities, {"sex": sex, "age": age}, decisions, sets)
    rows = measured_rows(truth, probabilities, sets, decisions == ABSTAIN)
    overall, columns = audit(rows, [column(sex, "sex"), column(age.astype(str), "age")], seed=0)
    assert result == {"overall": overall, "columns": columns}
    assert [found["kind"] for found in result["columns"]] == ["categorical", "numeric"]
    assert audit_by_group(truth, probabilities, pd.DataFrame({"sex": sex, "age": age}), decisions, sets) == result


def test_an_audit_of_arrays_leaves_missing_cells_to_a_group_of_their_own() -> None:
    truth, probabilities = random_case(90, 3, seed=1)
    cells = np.array(["a", "b", None] * 30, dtype=object)
    names = [group["name"] for group in audit_by_group(truth, probabilities, {"x": cells})["columns"][0]["groups"]]
    assert names == ["a", "b", "(missing)"]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"truth": [0, 1]}, "the true labels have the shape (2,): give one for each of the 3 rows."),
        ({"truth": [0.0, 1.0, 1.0]}, "the true labels are of the type float64: give each as the index of its column."),
        (
            {"truth": [0, 1, 2]},
            "the true labels run from 0 to 2: give each as the index of one of the 2 columns, from 0.",
        ),
        (
            {"decisions": [0, 1, -2]},
            "the decisions run from -2 to 1: give each as the index of one of the 2 columns, from -1.",
        ),
        ({"sets": [[True, False]]}, "the sets have the shape (1, 2) but the probabilities (3, 2): match them."),
        ({"groups": {"x": ["a"]}}, "x has the shape (1,): give a cell for each of the 3 rows."),
        (
            {"probabilities": [0.5, 0.5, 0.1]},
            "the probabilities have the shape (3,): give a column for each of at least two labels, "
            "as predict_proba does.",
        ),
        (
            {"probabilities": [[0.5, 0.5], [np.nan, 0.5], [0, 1]]},
            "the probabilities of index 1 are not all numbers from 0 to 1: correct or drop the row.",
        ),
        (
            {"probabilities": [[0.5, 0.5], [0.5, 0.2], [0, 1]]},
            "the probabilities of index 1 add up to 0.7: divide each row by its sum.",
        ),
    ],
)
def test_arrays_of_other_shapes_and_values_are_refused(changed: dict[str, Any], sentence: str) -> None:
    arrays = {"truth": [0, 1, 1], "probabilities": [[0.5, 0.5], [0.1, 0.9], [0, 1]], "groups": {}}
    with pytest.raises(DataError) as refused:
        audit_by_group(**(arrays | changed))
    assert str(refused.value) == sentence

"""Cost matrices that are accepted or refused, decisions of least expected cost, and what they cost on test rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from loramake import artifacts
from loramake.errors import ArtifactError, ConfigError
from loramake.evaluation.scores import name_model
from loramake.prediction.predictions import scored_lines
from loramake.settings import check_setting
from loramake.trust.calibration import apply_calibrator, fit_on_half
from loramake.trust.cost_matrix import decide, read_costs
from loramake.trust.costs import decide_by_cost
from loramake.trust.decisions import decide_rows
from loramake.trust.risk import control_risk
from loramake.trust.selective import ABSTAIN
from tests.cases import as_scored
from tests.conftest import task_of

LABELS = ["healthy", "sick"]
COSTS = {"healthy": {"healthy": 0, "sick": 1}, "sick": {"healthy": 10, "sick": 0}}


def configured(matrix: Any, abstain: float | None = None, labels: list[str] | None = None) -> dict[str, Any]:
    matrix = np.asarray(matrix, dtype=np.float64).tolist()
    names = labels or [f"label {code}" for code in range(len(matrix))]
    return {"configured": True, "labels": names, "matrix": matrix, "abstain_cost": abstain}


def random_probabilities(rows: int, labels: int, seed: int, alpha: float = 0.5) -> Any:
    return np.random.default_rng(seed).dirichlet(np.full(labels, alpha), size=rows)


def random_matrix(labels: int, seed: int) -> Any:
    """Whole numbers, so that there are ties; the correct decision is free."""
    matrix = np.random.default_rng(seed).integers(1, 6, size=(labels, labels)).astype(np.float64)
    np.fill_diagonal(matrix, 0.0)
    return matrix


# --- the matrix of config.yaml


def test_a_matrix_is_read_in_the_tasks_order() -> None:
    shuffled = {"sick": {"sick": 0, "healthy": 10}, "healthy": {"sick": 1, "healthy": 0}}
    result = read_costs(shuffled, 2, LABELS, "config.yaml")
    assert result == configured([[0, 1], [10, 0]], 2.0, LABELS)
    assert read_costs(COSTS, None, LABELS, "config.yaml") == result | {"abstain_cost": None}
    assert not read_costs(None, None, LABELS, "config.yaml")["configured"]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("{yes: {yes: 0, no: 5}, no: {yes: 1, no: 0}}", ["no", "yes"]),
        ("{Yes: {Yes: 0, No: 5}, No: {Yes: 1, No: 0}}", ["No", "Yes"]),
        ("{on: {on: 0, off: 5}, off: {on: 1, off: 0}}", ["off", "on"]),
        ("{true: {true: 0, false: 5}, false: {true: 1, false: 0}}", ["False", "True"]),
        ("{1: {1: 0, 0: 5}, 0: {1: 1, 0: 0}}", ["0", "1"]),
        ("{01: {01: 0, 00: 5}, 00: {01: 1, 00: 0}}", ["00", "01"]),
        ("{1.0: {1.0: 0, 0.0: 5}, 0.0: {1.0: 1, 0.0: 0}}", ["0.0", "1.0"]),
        ("{2024-01-02: {2024-01-02: 0, null: 5}, null: {2024-01-02: 1, null: 0}}", ["null", "2024-01-02"]),
        ("{'yes': {yes: 0, 'no': 5}, no: {'yes': 1, no: 0}}", ["no", "yes"]),
        ("{': a': {': a': 0, '2024-02-30': 5}, '2024-02-30': {': a': 1, '2024-02-30': 0}}", ["2024-02-30", ": a"]),
    ],
)
def test_labels_that_yaml_reads_as_something_else_are_matched(text: str, labels: list[str]) -> None:
    costs = yaml.safe_load(text)
    check_setting("costs", costs, "config.yaml")
    result = read_costs(costs, None, labels, "config.yaml")
    assert result is not None
    assert result["matrix"] == [[0.0, 1.0], [5.0, 0.0]]


def test_true_is_not_mistaken_for_the_label_1() -> None:
    with pytest.raises(ConfigError, match=r"True is not a label.*: the labels are 0, 1"):
        read_costs(yaml.safe_load("{yes: {yes: 0, no: 5}, no: {yes: 1, no: 0}}"), None, ["0", "1"], "config.yaml")


def test_a_key_that_may_be_two_labels_is_refused() -> None:
    labels = ["yes", "true", "no"]
    with pytest.raises(ConfigError, match="True may mean yes or true: put the label in quotes"):
        read_costs({True: {}, "no": {}}, None, labels, "config.yaml")


def changed(**rows: Any) -> dict[str, Any]:
    return {**{label: dict(row) for label, row in COSTS.items()}, **rows}


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        (
            changed(sik={"healthy": 1, "sick": 0}),
            r"costs: 'sik' is not a label \(did you mean sick\?\): the labels are",
        ),
        ({"healthy": COSTS["healthy"]}, "costs: the true label 'sick' is missing"),
        ({}, "costs: the true label 'healthy' and 1 more are missing"),
        (changed(sick={"sick": 0}), "costs: sick: the decision 'healthy' is missing"),
        (changed(sick={"sick": 0, "helthy": 3}), r"costs: sick: 'helthy' is not a label \(did you mean healthy\?\)"),
        (changed(sick=10), r"costs: sick: 10 is not a mapping"),
        ([1, 2], r"costs: \[1, 2\] is not a mapping"),
        (changed(sick={"sick": 0, "healthy": "10"}), "costs: sick: healthy: '10' is not a finite number"),
        (changed(sick={"sick": 0, "healthy": None}), "costs: sick: healthy: None is not a finite number"),
        (changed(sick={"sick": 0, "healthy": True}), "costs: sick: healthy: True is not a finite number"),
        (changed(sick={"sick": 0, "healthy": float("nan")}), "costs: sick: healthy: nan is not a finite number"),
        (changed(sick={"sick": 0, "healthy": float("inf")}), "costs: sick: healthy: inf is not a finite number"),
        (
            changed(sick={"sick": 10, "healthy": 0}),
            "costs: sick: the correct decision costs 10 and healthy only 0: is the matrix",
        ),
        (
            changed(sick={"sick": 0, "healthy": -5}),
            "costs: sick: the correct decision costs 0 and healthy only -5: is the matrix",
        ),
        ({label: {"sick": 1, "healthy": 1} for label in LABELS}, "every decision costs the same"),
        ({"sick": {"sick": 2, "healthy": 2}, "healthy": {"sick": 1, "healthy": 1}}, "every decision costs the same"),
    ],
)
def test_a_wrong_matrix_is_refused_by_name(costs: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        read_costs(costs, None, LABELS, "config.yaml")
    assert str(error.value).startswith("config.yaml: costs")


def test_a_label_that_appears_twice_is_refused() -> None:
    costs = {True: {"yes": 0, "no": 1}, "yes": {"yes": 0, "no": 1}, "no": {"yes": 1, "no": 0}}
    with pytest.raises(ConfigError, match="yes appears twice"):
        read_costs(costs, None, ["no", "yes"], "config.yaml")


def test_one_incorrect_decision_of_several_that_is_cheaper_than_the_correct_one_is_refused() -> None:
    costs = named([[0, 1, 1], [-5, 0, 1], [1, 1, 0]], ["a", "b", "c"])
    with pytest.raises(ConfigError, match="costs: b: the correct decision costs 0 and a only -5"):
        read_costs(costs, None, ["a", "b", "c"], "config.yaml")


def test_asking_that_is_cheaper_than_any_decision_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml: abstain_cost: -1 is less than the cost of any decision"):
        read_costs(COSTS, -1, LABELS, "config.yaml")
    assert read_costs(COSTS, 0, LABELS, "config.yaml")["abstain_cost"] == 0


def test_gains_and_correct_decisions_that_cost_something_are_accepted() -> None:
    treating = {"healthy": {"healthy": 0, "sick": 3}, "sick": {"healthy": 20, "sick": 3}}
    gains = {"healthy": {"healthy": 0, "sick": 0}, "sick": {"healthy": 0, "sick": -5}}
    for costs in (treating, gains):
        assert read_costs(costs, None, LABELS, "config.yaml") is not None


def test_a_thousand_labels_are_checked() -> None:
    labels = [str(code) for code in range(1000)]
    costs = {label: {other: int(label != other) for other in labels} for label in labels}
    result = read_costs(costs, None, labels, "config.yaml")
    assert result is not None
    np.testing.assert_array_equal(result["matrix"], 1 - np.eye(1000))


# --- decisions


def reference_decision(matrix: Any, abstain: float | None, probabilities: Any) -> tuple[int, float]:
    """Every decision tried, in the order of preference among equals."""
    order = sorted(range(len(matrix)), key=lambda code: -probabilities[code])
    tried = [(sum(probabilities[true] * matrix[true][code] for true in range(len(matrix))), code) for code in order]
    tried += [] if abstain is None else [(abstain, ABSTAIN)]
    cost, code = tried[0]
    for other, decision in tried[1:]:
        if other < cost - 1e-9:
            cost, code = other, decision
    return code, cost


@pytest.mark.parametrize("abstain", [None, 0.4, 1.5, -1.0])
@pytest.mark.parametrize(("labels", "seed"), [(2, 0), (3, 1), (7, 2), (3, 3)])
def test_the_decision_is_that_of_trying_every_one(labels: int, seed: int, abstain: float | None) -> None:
    probabilities, matrix = random_probabilities(200, labels, seed), random_matrix(labels, seed)
    costs = decide(configured(matrix, abstain), probabilities)
    expected = [reference_decision(matrix, abstain, row) for row in probabilities]
    assert costs.codes.tolist() == [code for code, _ in expected]
    np.testing.assert_allclose(costs.expected, [cost for _, cost in expected])
    assert (costs.codes.dtype, costs.expected.dtype) == (np.int64, np.float64)


def test_of_two_labels_the_costs_set_the_threshold() -> None:
    """Elkan 2001: sick is decided for from p >= cost(false alarm) / (cost(false alarm) + cost(miss)) on."""
    positive = np.array([0.0, 0.05, 1 / 11 - 1e-9, 1 / 11 + 1e-9, 0.5, 1.0])
    costs = decide(configured([[0, 1], [10, 0]]), np.column_stack([1 - positive, positive]))
    assert costs.codes.tolist() == [0, 0, 0, 1, 1, 1]


def test_of_equal_costs_the_most_probable_label_is_decided_for_before_a_person_is_asked() -> None:
    probabilities = np.array([[10 / 11, 1 / 11], [0.1 + 0.2, 0.7]])
    assert decide(configured([[0, 1], [10, 0]]), probabilities[:1]).codes.tolist() == [0]
    costs = configured(1 - np.eye(2), abstain=1 - 0.7)
    assert decide(costs, probabilities[1:]).codes.tolist() == [1]
    three = configured([[0, 1, 1], [1, 0, 0], [1, 0, 0]])
    assert decide(three, np.array([[0.2, 0.3, 0.5], [0.2, 0.5, 0.3]])).codes.tolist() == [2, 1]


def test_equal_costs_of_every_error_give_the_most_probable_label() -> None:
    probabilities = random_probabilities(300, 4, seed=1)
    assert (decide(configured(1 - np.eye(4)), probabilities).codes == probabilities.argmax(axis=1)).all()


def test_without_costs_the_most_probable_label_is_decided_for_at_an_unknown_cost() -> None:
    probabilities = random_probabilities(20, 3, seed=1)
    costs = decide({"configured": False, "matrix": None, "abstain_cost": None}, probabilities)
    assert (costs.codes == probabilities.argmax(axis=1)).all()
    assert np.isnan(costs.expected).all()
    assert decide({"configured": False}, np.zeros((0, 3))).codes.shape == (0,)


def test_permuting_rows_or_labels_changes_no_decision() -> None:
    probabilities, matrix = random_probabilities(150, 4, seed=5), random_matrix(4, seed=5)
    costs = decide(configured(matrix, 1.2), probabilities)
    rows, labels = np.random.default_rng(0).permutation(150), np.array([2, 0, 3, 1])
    by_rows = decide(configured(matrix, 1.2), probabilities[rows])
    np.testing.assert_array_equal(by_rows.codes, costs.codes[rows])
    by_labels = decide(configured(matrix[np.ix_(labels, labels)], 1.2), probabilities[:, labels])
    named = np.where(by_labels.codes == ABSTAIN, ABSTAIN, labels[by_labels.codes])
    np.testing.assert_array_equal(named, costs.codes)
    np.testing.assert_allclose(by_labels.expected, costs.expected)


def test_a_constant_on_all_costs_of_a_true_label_changes_no_decision() -> None:
    """Elkan 2001, section 1: a cost that all decisions share cannot matter."""
    probabilities, matrix = random_probabilities(150, 3, seed=6), random_matrix(3, seed=6)
    moved = configured(matrix + np.array([[3.0], [0.0], [7.0]]))
    np.testing.assert_array_equal(decide(moved, probabilities).codes, decide(configured(matrix), probabilities).codes)


# --- costs.json

NAMES = ("majority", "logistic_regression", "hist_gradient_boosting")


class Files:
    """The inputs of decide_by_cost in a folder; the truth is drawn from the probabilities of `seed`.

    `known` calibration rows have the truth and the probabilities, ours and the baselines', of the first test rows.
    """

    def __init__(self, folder: Path, labels: list[str], rows: int = 150, seed: int = 0, known: int = 0) -> None:
        self.folder, self.labels, self.known = folder, labels, known
        self.max_selective_error: float | None = None
        generator = np.random.default_rng(seed)
        self.ours = random_probabilities(rows, len(labels), seed)
        self.truth = (generator.random((rows, 1)) > self.ours.cumsum(axis=1)[:, :-1]).sum(axis=1)
        self.train = generator.integers(len(labels), size=90) * (generator.random(90) < 0.7)
        self.baselines = {name: random_probabilities(rows, len(labels), seed + 1, alpha=5.0) for name in NAMES}

    def write(self) -> dict[str, Path]:
        def scores(result: Any, rows: int) -> dict[str, Any]:
            named = {"rows": list(range(rows)), "sources": ["csv"] * rows}
            return named | {"probabilities": result[:rows].tolist()}

        models = {
            name: {
                "description": name,
                "splits": {
                    "train": scores(result, 0),
                    "calibration": scores(result, self.known),
                    "test": scores(result, len(self.truth)),
                },
            }
            for name, result in self.baselines.items()
        }
        train = as_scored(self.train, np.full((len(self.train), len(self.labels)), 1 / len(self.labels)))
        artifacts.write(self.folder / "task.json", task_of(self.labels), "task")
        artifacts.write(self.folder / "train.jsonl", scored_lines(train, self.labels), "predictions")
        test = scored_lines(as_scored(self.truth, self.ours), self.labels)
        artifacts.write(self.folder / "test.jsonl", test[::-1], "predictions")
        content = {"features": ["x"], "labels": self.labels, "models": models}
        artifacts.write(self.folder / "baselines.json", content, "baselines")
        calibration = as_scored(self.truth[: self.known], self.ours[: self.known])
        artifacts.write(self.folder / "calibration.jsonl", scored_lines(calibration, self.labels), "predictions")
        calibrator, _ = fit_on_half(calibration, self.labels, "temperature", 42)
        artifacts.write(self.folder / "calibrator.json", calibrator, "calibrator")
        names = ("task.json", "train.jsonl", "calibration.jsonl", "test.jsonl", "baselines.json", "calibrator.json")
        return {Path(name).stem: self.folder / name for name in names}

    def decide(self, costs: Any, abstain_cost: float | None = None) -> dict[str, Any]:
        files, risk, out = self.write(), self.folder / "risk.json", self.folder / "costs.json"
        given = {"costs": costs, "abstain_cost": abstain_cost, "seed": 42}
        read = {"task": files["task"], "held_out": files["calibration"], "test": files["test"]}
        control_risk(
            **read, max_selective_error=self.max_selective_error, selective_error_confidence=0.9, **given, out=risk
        )
        decide_by_cost(**files, risk=risk, **given, out=out)
        return artifacts.read(out, "costs")


def named(matrix: Any, labels: list[str]) -> dict[str, dict[str, float]]:
    return {true: {decision: float(matrix[i][j]) for j, decision in enumerate(labels)} for i, true in enumerate(labels)}


@pytest.mark.parametrize("abstain", [None, 0.6])
@pytest.mark.parametrize("labels", [["no", "yes"], ["a", "b", "c"]])
def test_every_way_to_decide_costs_what_adding_up_row_by_row_gives(
    tmp_path: Path, labels: list[str], abstain: float | None
) -> None:
    files, matrix = Files(tmp_path, labels), random_matrix(len(labels), seed=3)
    test = files.decide(named(matrix, labels), abstain)["test"]

    def paid(decisions: list[int]) -> float:
        pairs = zip(files.truth, decisions, strict=True)
        return sum(abstain if code == ABSTAIN else matrix[true][code] for true, code in pairs)

    def cheapest(probabilities: Any) -> list[int]:
        return [reference_decision(matrix, abstain, row)[0] for row in probabilities]

    frequencies = np.bincount(files.train, minlength=len(labels)) / len(files.train)
    expected = {
        "loramake": cheapest(files.ours),
        "most_probable": files.ours.argmax(axis=1).tolist(),
        "constant": [reference_decision(matrix, abstain, frequencies)[0]] * len(files.truth),
        "perfect": cheapest(np.eye(len(labels))[files.truth]),
    }
    result = {name: test[name] for name in expected} | test["baselines"]
    for name, decisions in (expected | {name: cheapest(files.baselines[name]) for name in NAMES}).items():
        assert result[name]["total"] == pytest.approx(paid(decisions)), name
        assert result[name]["per_row"]["value"] == pytest.approx(paid(decisions) / len(files.truth))
        assert list(result[name]["decisions"].values()) == [decisions.count(code) for code in range(len(labels))]
        assert result[name]["abstentions"] == decisions.count(ABSTAIN)
    per_row = test["loramake"]["per_row"]
    assert per_row["low"] < per_row["value"] < per_row["high"]


def test_the_interval_of_the_cost_is_as_wide_as_the_normal_one(tmp_path: Path) -> None:
    files = Files(tmp_path, LABELS, rows=1000)
    per_row = files.decide(COSTS)["test"]["loramake"]["per_row"]
    codes = decide(configured([[0, 1], [10, 0]]), files.ours).codes
    paid = np.array([[0, 1], [10, 0]])[files.truth, codes]
    width = 2 * 1.96 * paid.std() / np.sqrt(1000)
    assert per_row["high"] - per_row["low"] == pytest.approx(width, rel=0.12)


def test_a_perfect_predictor_pays_what_perfect_knowledge_does(tmp_path: Path) -> None:
    files = Files(tmp_path, ["a", "b", "c"])
    files.ours = np.eye(3)[files.truth]
    matrix = random_matrix(3, seed=1) + 2.0
    test = files.decide(named(matrix, files.labels))["test"]
    assert test["loramake"] == test["perfect"] == test["most_probable"]
    assert test["without_max_selective_error"] is None
    assert test["loramake"]["per_row"] == {"value": 2.0, "low": 2.0, "high": 2.0}
    assert test["difference"]["outcome"] == "better"


def test_the_train_splits_frequencies_as_predictions_pay_what_the_constant_decision_does(tmp_path: Path) -> None:
    files = Files(tmp_path, LABELS)
    frequencies = np.bincount(files.train, minlength=2) / len(files.train)
    files.ours = np.tile(frequencies, (len(files.truth), 1))
    test = files.decide(COSTS)["test"]
    assert test["loramake"] == test["constant"]
    assert test["constant"]["decisions"] == {
        "healthy": 0,
        "sick": 150,
    }  # sick is the rarer label, and the more expensive one to miss


@pytest.mark.parametrize(
    ("ours", "outcome", "said"), [(0.0, "better", "is cheaper than"), (1.0, "worse", "is more expensive than")]
)
def test_the_sentence_says_whether_loramake_wins_or_loses(tmp_path: Path, ours: float, outcome: str, said: str) -> None:
    files = Files(tmp_path, LABELS)
    informative, chance = np.eye(2)[files.truth] * 0.9 + 0.05, np.full((150, 2), 0.5)
    files.ours = chance if ours else informative
    files.baselines["logistic_regression"] = informative if ours else chance
    files.baselines |= {name: chance for name in NAMES if name != "logistic_regression"}
    costs = files.decide(COSTS)
    difference = costs["test"]["difference"]
    assert difference["outcome"] == outcome
    assert difference["low"] <= difference["value"] <= difference["high"]
    best = costs["test"]["baselines"][difference["baseline"]]["per_row"]["value"]
    assert difference["value"] == pytest.approx(costs["test"]["loramake"]["per_row"]["value"] - best)
    assert f"Deciding by cost {said} the best baseline, {name_model(difference['baseline'])}: " in costs["sentence"]


def test_the_same_probabilities_are_level_without_doubt(tmp_path: Path) -> None:
    files = Files(tmp_path, LABELS)
    files.baselines = dict.fromkeys(NAMES, files.ours)
    difference = files.decide(COSTS)["test"]["difference"]
    assert (difference["value"], difference["low"], difference["high"]) == (0.0, 0.0, 0.0)
    assert difference["outcome"] == "level"


def test_decisions_that_cost_more_than_a_constant_one_do_not_pay_off_and_the_sentence_says_so(tmp_path: Path) -> None:
    files = Files(tmp_path, LABELS)
    files.ours = np.eye(2)[1 - files.truth]
    sentence = files.decide(COSTS)["sentence"]
    assert sentence.endswith("does not pay off on these rows: always deciding 'sick' costs less.")


def test_rows_referred_to_a_person_are_counted_and_reported(tmp_path: Path) -> None:
    costs = Files(tmp_path, LABELS).decide(COSTS, abstain_cost=0.3)
    referred = costs["test"]["loramake"]["abstentions"]
    assert 0 < referred < 150
    assert f"It refers {referred / 150:.1%} of rows to a person." in costs["sentence"]
    always = Files(tmp_path, LABELS).decide(COSTS, abstain_cost=0.0)
    assert always["test"]["constant"]["abstentions"] == 150
    assert "always asking a person costs 0" in always["sentence"]


def test_without_costs_it_runs_and_says_so(tmp_path: Path) -> None:
    costs = Files(tmp_path, LABELS).decide(None)
    assert not costs["configured"]
    assert [costs[name] for name in ("matrix", "abstain_cost", "test")] == [None] * 3
    assert costs["sentence"].endswith("costs is not set.")


@pytest.mark.parametrize(("max_selective_error", "referred"), [(0.1, "some"), (0.001, "all")])
def test_what_is_paid_is_for_what_predict_decides_where_max_selective_error_is_set(
    tmp_path: Path, max_selective_error: float, referred: str
) -> None:
    files = Files(tmp_path, LABELS, rows=400, known=300)
    alone = files.decide(COSTS, abstain_cost=0.3)["test"]["loramake"]
    files.max_selective_error = max_selective_error
    costs = files.decide(COSTS, abstain_cost=0.3)
    test, risk = costs["test"], artifacts.read(tmp_path / "risk.json", "risk")
    codes = decide_rows(configured([[0, 1], [10, 0]], 0.3), risk, files.ours).codes
    assert test["loramake"]["abstentions"] == (codes == ABSTAIN).sum() > alone["abstentions"]
    assert (test["loramake"]["abstentions"] == 400) == (referred == "all")
    paid = np.column_stack([[0, 10], [1, 0], [0.3, 0.3]])[files.truth, codes]
    assert test["loramake"]["per_row"]["value"] == pytest.approx(paid.mean())
    assert test["without_max_selective_error"] == alone
    assert f": {alone['per_row']['value']:.2f} per row (" in costs["sentence"]
    ours = test["loramake"]
    ending = f"{ours['per_row']['value']:.2f} per row and refers {ours['abstentions'] / 400:.1%} of rows to a person."
    assert costs["sentence"].endswith(f"With max_selective_error, deciding by cost costs {ending}")
    best = test["baselines"][test["difference"]["baseline"]]["per_row"]["value"]
    assert test["difference"]["value"] == pytest.approx(alone["per_row"]["value"] - best)


def test_baselines_decide_by_calibrated_probabilities_too(tmp_path: Path) -> None:
    files = Files(tmp_path, LABELS, rows=400, known=200)
    sure = files.ours**4 / (files.ours**4).sum(axis=1, keepdims=True)
    files.baselines = dict.fromkeys(NAMES, sure)
    costs = files.decide(COSTS)["test"]["baselines"]["logistic_regression"]
    seen = as_scored(files.truth[:200], sure[:200])
    calibrator, _ = fit_on_half(seen, LABELS, "temperature", 42)
    assert calibrator["temperature"] > 2
    counts = [
        np.bincount(decide(configured([[0, 1], [10, 0]]), each).codes, minlength=2).tolist()
        for each in (sure, apply_calibrator(calibrator, sure))
    ]
    assert list(costs["decisions"].values()) == counts[1] != counts[0]


def test_a_wrong_matrix_leaves_no_file(tmp_path: Path) -> None:
    files = Files(tmp_path, LABELS)
    with pytest.raises(ConfigError, match=r"config\.yaml: costs: the true label 'sick' is missing"):
        files.decide({"healthy": COSTS["healthy"]})
    assert not (tmp_path / "costs.json").exists()


@pytest.mark.parametrize("rows", [0, 1])
def test_few_test_rows_and_no_train_rows_are_no_error(tmp_path: Path, rows: int) -> None:
    files = Files(tmp_path, LABELS, rows=rows)
    files.train = files.train[:0]
    costs = files.decide(COSTS)
    assert costs["test"]["rows"] == rows
    assert costs["test"]["constant"] is None
    assert (costs["test"]["loramake"]["per_row"]["value"] is None) == (rows == 0)
    assert (costs["test"]["difference"]["baseline"] is None) == (rows == 0)
    assert ("There are no test rows" in costs["sentence"]) == (rows == 0)
    assert costs["test"]["difference"]["outcome"] is None
    assert ("Too few test rows to tell whether" in costs["sentence"]) == (rows == 1)


def test_many_labels_of_which_most_never_occur_are_decided(tmp_path: Path) -> None:
    labels = [f"label {code}" for code in range(300)]
    files = Files(tmp_path, labels, rows=20)
    costs = files.decide(named(1 - np.eye(300), labels))
    assert costs["test"]["perfect"]["total"] == 0.0
    assert sum(costs["test"]["loramake"]["decisions"].values()) == 20


def test_a_row_that_a_baseline_lacks_is_refused(tmp_path: Path) -> None:
    files = Files(tmp_path, LABELS)
    paths = files.write()
    lines = artifacts.read(paths["test"], "predictions")
    artifacts.write(paths["test"], lines[:-1], "predictions")
    with pytest.raises(ArtifactError, match="lacks row 2 of csv"):
        decide_by_cost(**paths, risk=tmp_path, costs=COSTS, abstain_cost=None, seed=0, out=tmp_path / "costs.json")


def test_large_costs_are_shown_in_whole_numbers_and_small_ones_with_decimals(tmp_path: Path) -> None:
    files = Files(tmp_path, LABELS)
    small, large = (
        files.decide({true: {decision: cost * scale for decision, cost in row.items()} for true, row in COSTS.items()})
        for scale in (0.001, 1000)
    )
    value = small["test"]["loramake"]["per_row"]["value"]
    assert f": {value:.5f} per row" in small["sentence"]
    assert f": {value * 1e6:,.0f} per row" in large["sentence"]


def test_deciding_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    files = Files(tmp_path, LABELS)
    files.decide(COSTS)
    first = (tmp_path / "costs.json").read_bytes()
    files.decide(COSTS)
    assert (tmp_path / "costs.json").read_bytes() == first


def test_a_cost_may_name_a_label_in_another_spelling() -> None:
    costs = {"HEALTHY": {"healthy": 0, "Sick": 1}, "SICK": {"Healthy": 10, "sick ": 0}}
    assert read_costs(costs, None, LABELS, "c")["matrix"] == read_costs(COSTS, None, LABELS, "c")["matrix"]
    numbers = {0.0: {1.0: 2, 0.0: 0}, 1.0: {0.0: 3, 1.0: 0}}
    assert read_costs(numbers, None, ["0", "1"], "c")["matrix"] == [[0, 2], [3, 0]]
    with pytest.raises(ConfigError, match="healthy appears twice"):
        read_costs({**costs, "healthy": {}}, None, LABELS, "c")
    with pytest.raises(ConfigError, match="'A' is not a label"):
        read_costs({"A": {}}, None, ["b", "c"], "c")

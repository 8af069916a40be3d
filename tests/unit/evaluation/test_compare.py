from typing import Any

import numpy as np
import pytest

from loramake.errors import ConfigError
from loramake.evaluation.compare import Experiment, compare, differing_settings
from loramake.prediction.predictions import Scored
from loramake.tasks import Classification

LABELS = ["a", "b", "c"]


def experiment(name: str, sharpness: float = 1.0, rows: range = range(300), **changed: Any) -> Experiment:
    """Rows of three labels in turn, and probabilities that favour the true one by `sharpness`, with the same noise."""
    noise = np.random.default_rng(1).normal(size=(1000, 3))
    truth = np.array(rows) % 3
    scores = np.exp(noise[np.array(rows)] + sharpness * np.eye(3)[truth])
    test = Scored([("csv", row) for row in rows], truth, scores / scores.sum(axis=1, keepdims=True))
    settings = {"target": "y", "lora_rank": 4, **changed}
    return Experiment(name, settings, {}, {}, Classification("y", LABELS), {"rows": 1000}, test)


def test_an_experiment_does_not_differ_from_itself() -> None:
    comparison = compare(experiment("one"), experiment("two"))
    assert comparison["rows"] == 300
    for difference in comparison["differences"].values():
        assert difference == {"value": 0.0, "low": 0.0, "high": 0.0, "outcome": "level"}
    assert comparison["sentence"] == "two is as good as one: ROC-AUC +0.000 (95% interval +0.000 to +0.000, 300 rows)."


def test_what_is_clearly_better_is_called_better_and_vice_versa() -> None:
    comparison = compare(experiment("one", 0.5), experiment("two", 2.0))
    assert {name: part["outcome"] for name, part in comparison["differences"].items()} == {
        "roc_auc": "better", "accuracy": "better", "balanced_accuracy": "better", "log_loss": "better",
    }  # fmt: skip
    assert comparison["differences"]["log_loss"]["high"] < 0 < comparison["differences"]["roc_auc"]["low"]
    back = compare(experiment("two", 2.0), experiment("one", 0.5))
    assert back["sentence"].startswith("one is worse than two: ROC-AUC -0.")
    assert back["differences"]["roc_auc"]["value"] == -comparison["differences"]["roc_auc"]["value"]


def test_pairing_makes_the_interval_narrower_than_that_of_two_samples() -> None:
    paired = compare(experiment("one", 1.0), experiment("two", 1.1))["differences"]["log_loss"]
    apart = compare(experiment("one", 1.0), experiment("two", 0.0))["differences"]["log_loss"]
    assert paired["high"] - paired["low"] < (apart["high"] - apart["low"]) / 4


def test_only_rows_that_are_tested_in_both_count() -> None:
    comparison = compare(experiment("one"), experiment("two", rows=range(100, 400)))
    assert (comparison["rows"], comparison["only_in_one"]) == (200, 200)
    none = compare(experiment("one"), experiment("two", rows=range(300, 400)))
    assert none["differences"] == {}
    assert "no test row in common" in none["sentence"]


def test_the_order_of_rows_and_labels_changes_nothing() -> None:
    one, two = experiment("one"), experiment("two", 2.0)
    rows = two.test.take(np.arange(300)[::-1])
    test = Scored(rows.keys, 2 - rows.truth, rows.probabilities[:, ::-1])
    turned = Experiment("two", two.settings, {}, {}, Classification("y", LABELS[::-1]), two.table, test)
    assert compare(one, turned) == compare(one, two)


def test_what_predicts_something_else_is_refused() -> None:
    with pytest.raises(ConfigError, match="one and two do not have the same target"):
        compare(experiment("one"), experiment("two", target="z"))


def test_settings_that_are_the_same_are_not_listed() -> None:
    settings = differing_settings([experiment("one"), experiment("two", lora_rank=8, use_dora=True)])
    assert settings == {"lora_rank": [4, 8], "use_dora": [None, True]}

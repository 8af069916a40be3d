from pathlib import Path

import numpy as np
import pytest

from tests.cases import MODELS, four_models
from tests.files import Files


@pytest.mark.parametrize(
    ("signals", "outcome", "opening"),
    [
        ((3.0, 0.5, 0.2), "better", "Better than logistic regression: ROC-AUC 0.9"),
        ((0.2, 0.5, 3.0), "worse", "Worse than gradient boosting: ROC-AUC 0.5"),
        ((1.0, 1.0, 0.2), "level", "As good as logistic regression: ROC-AUC 0.8"),
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


def test_a_test_split_of_one_label_or_none_gets_no_verdict(tmp_path: Path) -> None:
    files = Files(tmp_path, ["no", "yes"])
    files.put("train", *four_models(40, 2, (1.0, 1.0, 1.0)))
    assert files.evaluate()["verdict"]["sentence"].startswith("No comparison")
    truth, scores = four_models(20, 2, (1.0, 1.0, 1.0))
    files.put("test", np.zeros_like(truth), scores)
    verdict = files.evaluate()["verdict"]
    assert verdict["outcome"] is None
    assert verdict["difference"]["value"] is None

from pathlib import Path

import numpy as np

from tests.cases import MODELS, four_models
from tests.files import Files


def test_one_row_in_a_hundred_with_the_positive_label_is_measured(tmp_path: Path) -> None:
    files = Files(tmp_path, ["sound", "fault"])
    truth, scores = four_models(300, 2, (2.0, 1.0, 1.0))
    truth = (np.arange(300) % 100 == 0).astype(int)
    for probabilities in scores.values():
        probabilities[:, 1] = np.clip(probabilities[:, 1] + 0.3 * truth, 0, 1)
        probabilities[:, 0] = 1 - probabilities[:, 1]
    files.put("test", truth, scores)
    metrics = files.evaluate()
    assert metrics["splits"]["test"]["models"]["loramake"]["per_class"][1]["support"] == 3
    assert metrics["verdict"]["outcome"] is not None


def test_labels_that_look_like_numbers_and_one_without_rows_are_kept_apart(tmp_path: Path) -> None:
    files = Files(tmp_path, ["1", "1.0", "01", "10"])
    truth, scores = four_models(80, 4, (3.0, 1.0, 1.0))
    truth[truth == 3] = 0
    files.put("test", truth, scores)
    per_class = files.evaluate()["splits"]["test"]["models"]["loramake"]["per_class"]
    assert [entry["support"] for entry in per_class] == np.bincount(truth, minlength=4).tolist()
    assert per_class[3]["recall"] == {"value": None, "low": None, "high": None}


def test_three_labels_are_evaluated_on_both_splits(tmp_path: Path) -> None:
    files = Files(tmp_path, ["a", "b", "c"])
    files.put("train", *four_models(120, 3, (2.0, 1.0, 1.0)))
    files.put("test", *four_models(60, 3, (2.0, 1.0, 1.0)))
    metrics = files.evaluate()
    assert metrics["positive_label"] is None
    assert [metrics["splits"][split]["rows"] for split in ("train", "test")] == [120, 60]
    assert list(metrics["splits"]["test"]["models"]) == list(MODELS)
    assert metrics["splits"]["test"]["models"]["majority"]["metrics"]["roc_auc"]["value"] == 0.5


def test_evaluating_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    files = Files(tmp_path, ["no", "yes"])
    files.put("train", *four_models(100, 2, (1.0, 1.0, 1.0)))
    files.put("test", *four_models(50, 2, (1.0, 1.0, 1.0)))
    files.evaluate("first.json")
    files.evaluate("second.json")
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "second.json").read_bytes()

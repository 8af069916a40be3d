from pathlib import Path

import numpy as np
import pytest

from loramake.errors import ArtifactError
from loramake.evaluation.scores import read_scores
from tests.cases import MODELS, four_models
from tests.files import Files


def test_the_order_of_lines_does_not_matter_to_the_matching(tmp_path: Path) -> None:
    files = Files(tmp_path, ["no", "yes"])
    truth, scores = four_models(50, 2, (1.0, 1.0, 1.0))
    files.put("test", truth, scores)
    files.lines["test"].reverse()
    paths = files.write()
    codes, by_model = read_scores(paths["test"], paths["baselines"], files.labels, "test")
    np.testing.assert_array_equal(codes, truth[::-1])
    for name in MODELS:
        np.testing.assert_array_equal(by_model[name], scores[name][::-1])


def test_the_order_of_a_lines_labels_does_not_matter(tmp_path: Path) -> None:
    files = Files(tmp_path, ["no", "yes"])
    truth, scores = four_models(10, 2, (1.0, 1.0, 1.0))
    files.put("test", truth, scores)
    for line in files.lines["test"]:
        line["probabilities"] = dict(reversed(line["probabilities"].items()))
    paths = files.write()
    np.testing.assert_array_equal(
        read_scores(paths["test"], paths["baselines"], files.labels, "test")[1]["loramake"], scores["loramake"]
    )


def test_rows_that_one_file_lacks_are_refused_by_name(tmp_path: Path) -> None:
    files = Files(tmp_path, ["no", "yes"])
    files.put("test", *four_models(10, 2, (1.0, 1.0, 1.0)))
    *files.lines["test"], before, last = files.lines["test"]
    with pytest.raises(ArtifactError, match=r"test\.jsonl lacks row 10 of csv, which .*baselines\.json has"):
        files.evaluate()
    files.lines["test"] += [before, last, {**last, "source": "test_csv"}]
    with pytest.raises(ArtifactError, match=r"baselines\.json lacks row 11 of test_csv"):
        files.evaluate()


def test_a_row_that_appears_twice_is_refused(tmp_path: Path) -> None:
    files = Files(tmp_path, ["no", "yes"])
    files.put("test", *four_models(10, 2, (1.0, 1.0, 1.0)))
    files.lines["test"].append(files.lines["test"][0])
    with pytest.raises(ArtifactError, match=r"test\.jsonl contains row 2 of csv twice"):
        files.evaluate()


def test_a_row_without_a_known_label_is_refused(tmp_path: Path) -> None:
    files = Files(tmp_path, ["no", "yes"])
    files.put("test", *four_models(10, 2, (1.0, 1.0, 1.0)))
    files.lines["test"][3]["label"] = None
    with pytest.raises(ArtifactError, match="row 5 of csv has no label"):
        files.evaluate()
    files.lines["test"][3]["label"] = "perhaps"
    with pytest.raises(ArtifactError, match="'perhaps', which is not one of the task's"):
        files.evaluate()

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from loramake.evaluation.areas import weighted_areas
from loramake.evaluation.metrics import compute_metrics
from tests.cases import classification, random_case


@pytest.mark.parametrize("digits", [16, 1])
@pytest.mark.parametrize(("rows", "labels"), [(150, 3), (90, 30), (200, 4)])
def test_areas_by_pairs_and_by_order_equal_scikit_learn(rows: int, labels: int, digits: int) -> None:
    truth, probabilities = random_case(rows, labels, seed=9, digits=digits)
    truth[: rows // 3] = 0  # a label of many rows beside labels of few
    drawn = np.random.default_rng(1).integers(rows, size=(20, rows))
    counts = np.stack([np.bincount(chosen, minlength=rows) for chosen in drawn]).astype(float)
    present = np.unique(truth).tolist()
    areas = weighted_areas(truth, probabilities, counts, present)
    for index, chosen in enumerate(drawn):
        for at, label in enumerate(present):
            positive, scores = truth[chosen] == label, probabilities[chosen, label]
            if not positive.any():
                assert np.isnan(areas[:, index, at]).all()
                continue
            expected = sklearn_metrics.roc_auc_score(positive, scores)
            assert areas[0, index, at] == pytest.approx(expected, abs=1e-12)
            expected = sklearn_metrics.average_precision_score(positive, scores)
            assert areas[1, index, at] == pytest.approx(expected, abs=1e-12)


def test_the_areas_of_many_labels_are_those_of_scikit_learn() -> None:
    truth, probabilities = random_case(400, 25, seed=4)
    metrics = compute_metrics(classification(25), truth, probabilities)
    expected = sklearn_metrics.roc_auc_score(truth, probabilities, multi_class="ovr", average="macro")
    assert metrics["roc_auc"] == pytest.approx(expected, abs=1e-12)
    expected = sklearn_metrics.average_precision_score(np.eye(25)[truth], probabilities, average="macro")
    assert metrics["pr_auc"] == pytest.approx(expected, abs=1e-12)

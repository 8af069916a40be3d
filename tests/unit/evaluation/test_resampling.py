"""Many resamples at once agree with scikit-learn's metrics of each."""

import numpy as np
import pytest

from loramake.evaluation.metrics import compute_metrics
from loramake.evaluation.resampling import compute_weighted
from tests.cases import classification, random_case


@pytest.mark.parametrize("digits", [16, 1])
@pytest.mark.parametrize("labels", [2, 3, 7])
def test_many_resamples_at_once_equal_scikit_learn_on_each(labels: int, digits: int) -> None:
    truth, probabilities = random_case(30, labels, seed=labels, digits=digits)
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    drawn = np.random.default_rng(1).integers(30, size=(60, 30))
    counts = np.stack([np.bincount(rows, minlength=30) for rows in drawn]).astype(float)
    at_once = compute_weighted(classification(labels), truth, probabilities, counts)
    for index, rows in enumerate(drawn):
        one = compute_metrics(classification(labels), truth[rows], probabilities[rows])
        assert list(one) == list(at_once)
        for name, value in one.items():
            np.testing.assert_allclose(at_once[name][index], value, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("labels", [2, 3])
def test_resamples_of_few_rows_are_undefined_where_scikit_learn_is(labels: int) -> None:
    truth, probabilities = random_case(4, labels, seed=3)
    drawn = np.random.default_rng(2).integers(4, size=(200, 4))
    counts = np.stack([np.bincount(rows, minlength=4) for rows in drawn]).astype(float)
    at_once = compute_weighted(classification(labels), truth, probabilities, counts)
    assert np.isnan(at_once["roc_auc"]).any()
    for index, rows in enumerate(drawn):
        for name, value in compute_metrics(classification(labels), truth[rows], probabilities[rows]).items():
            np.testing.assert_allclose(at_once[name][index], value, atol=1e-12, err_msg=name)

"""What a user may pass to the functions on arrays, and what is refused in one sentence."""

import numpy as np
import pytest

from loramake.errors import ConfigError, DataError
from loramake.trust import ConformalPredictor, RiskController, audit_by_group, expected_calibration_error

PROBABILITIES = np.array([[0.2, 0.8], [0.7, 0.3]] * 20)
TRUTH = np.array([1, 0] * 20)


@pytest.mark.parametrize("probabilities", [[[0.1, 0.9], [0.2, 0.3, 0.5]], [["a", "b"]], {"a": 1}, PROBABILITIES * 1j])
def test_what_is_not_a_table_of_numbers_is_refused(probabilities: object) -> None:
    with pytest.raises(DataError, match=r"not a table of numbers: give one of shape \(rows, labels\)"):
        expected_calibration_error([0], probabilities)


@pytest.mark.parametrize("bins", [0, -1, 2.5, None, "15", True])
def test_bins_are_a_whole_number(bins: object) -> None:
    with pytest.raises(ConfigError, match=r"bins is .*: set it to a whole number from 1 up"):
        expected_calibration_error(TRUTH, PROBABILITIES, bins)


@pytest.mark.parametrize("share", ["0.9", None, 0, 1, 90, float("nan")])
def test_a_confidence_is_a_number_between_0_and_1(share: object) -> None:
    with pytest.raises(ConfigError, match=r"conformal_confidence is .*: set it above 0 and below 1"):
        ConformalPredictor(conformal_confidence=share).fit(PROBABILITIES, TRUTH).predict(PROBABILITIES)
    with pytest.raises(ConfigError, match=r"max_selective_error is .*: set it above 0 and below 1"):
        RiskController(max_selective_error=share)


def test_cells_of_a_group_may_all_be_missing() -> None:
    audited = audit_by_group(TRUTH, PROBABILITIES, {"g": [np.nan] * 40})
    assert audited["columns"] == audit_by_group(TRUTH, PROBABILITIES, {"g": [None] * 40})["columns"]


def test_groups_and_sets_of_another_kind_are_refused() -> None:
    with pytest.raises(DataError, match="groups are not columns"):
        audit_by_group(TRUTH, PROBABILITIES, ["a"] * 40)
    with pytest.raises(DataError, match=r"g has the shape \(40, 2\): give a cell for each of the 40 rows"):
        audit_by_group(TRUTH, PROBABILITIES, {"g": PROBABILITIES})
    with pytest.raises(DataError, match="the sets are of the type float64: give true or false"):
        audit_by_group(TRUTH, PROBABILITIES, {}, sets=PROBABILITIES)

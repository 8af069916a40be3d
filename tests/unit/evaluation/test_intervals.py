import numpy as np
import pytest
from scipy.stats import binomtest

from loramake.evaluation.intervals import RESAMPLES, draw_counts, estimate, proportion


def test_a_mostly_undefined_metric_has_no_interval() -> None:
    assert estimate(0.5, np.array([0.5, np.nan, np.nan])) == {"value": 0.5, "low": None, "high": None}


def test_every_resample_has_as_many_rows_as_the_split() -> None:
    blocks = list(draw_counts(100_000, seed=0))
    assert sum(len(block) for block in blocks) == RESAMPLES
    assert all((block.sum(axis=1) == 100_000).all() for block in blocks)


@pytest.mark.parametrize(("hits", "rows"), [(0, 7), (7, 7), (3, 11), (900, 1000), (1, 1)])
def test_the_interval_of_a_share_is_wilsons(hits: int, rows: int) -> None:
    interval = binomtest(hits, rows).proportion_ci(0.95, method="wilson")
    share = proportion(hits, rows)
    assert share["value"] == hits / rows
    assert share["low"] == pytest.approx(interval.low, abs=1e-12)
    assert share["high"] == pytest.approx(interval.high, abs=1e-12)

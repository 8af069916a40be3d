"""Measures with intervals: by bootstrap resamples of rows, or by a formula for shares of rows."""

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

from loramake.artifact_types.shared import Estimate
from loramake.console import Advance
from loramake.prediction.predictions import Floats

RESAMPLES = 1000

CONFIDENCE = 0.95

CELLS = 400_000
"""Counts in memory at once while resampling: few enough to stay in the processor's cache."""

UNDEFINED: Estimate = {"value": None, "low": None, "high": None}


def defined(value: float | None) -> float:
    """The value, which the caller knows to be defined."""
    if value is None:
        raise ValueError("a measure that should be defined is not")
    return value


def draw_counts(rows: int, seed: int, cells: int = CELLS, advance: Advance | None = None) -> Iterator[Floats]:
    """How often each row is drawn in each resample, in blocks of shape (some resamples, rows) of at most `cells`.

    `advance` is called for a block when the next one is requested.
    """
    generator = np.random.default_rng(seed)
    block = max(1, cells // max(1, rows))
    for start in range(0, RESAMPLES, block):
        size = min(block, RESAMPLES - start)
        drawn = generator.integers(max(1, rows), size=(size, rows)) + rows * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * rows).reshape(size, rows).astype(np.float64)
        if advance is not None:
            advance(start + size, RESAMPLES)


def estimate(value: float, resampled: Floats) -> Estimate:
    """A value with its percentile-bootstrap interval (Efron and Tibshirani 1993, chapter 13).

    Resamples where the metric is undefined are dropped; where that is more than half, there is no interval.
    """
    defined = resampled[~np.isnan(resampled)]
    if np.isnan(value) or 2 * len(defined) < len(resampled):
        return {**UNDEFINED, "value": _number(value)}
    low, high = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {"value": _number(value), "low": float(low), "high": float(high)}


def proportion(hits: float, rows: float) -> Estimate:
    """A share of rows with Wilson's score interval (1927), which has a width even if all rows agree; null without rows.

    In closed form, since scipy's binomtest runs a test for each share, and there may be one for each of 1,000 labels.
    """
    if rows == 0:
        return UNDEFINED
    share, weight = hits / rows, NormalDist().inv_cdf((1 + CONFIDENCE) / 2) ** 2 / rows
    middle = (share + weight / 2) / (1 + weight)
    half = math.sqrt(weight * (share * (1 - share) + weight / 4)) / (1 + weight)
    low, high = (min(max(edge, 0.0), 1.0) for edge in (middle - half, middle + half))
    return {
        "value": float(share),
        "low": 0.0 if hits == 0 else float(low),
        "high": 1.0 if hits == rows else float(high),
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)

"""Measures with intervals: by bootstrap resamples of rows, or by a formula for shares of rows."""

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

from loramake.arrays import Floats
from loramake.artifact_types.shared import Estimate
from loramake.console import Advance

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
    """A value with its percentile-bootstrap interval (Efron and Tibshirani 1993, chapter 13), extended to the value.

    That it has to be extended is rare: of a statistic whose resamples are biased. Resamples where the metric is
    undefined are dropped; where that is more than half, there is no interval.
    """
    ends = _percentiles(value, resampled)
    return {**UNDEFINED, "value": _number(value)} if ends is None else _containing(value, *ends)


def estimate_biased(value: float, resampled: Floats, most: float = math.inf) -> Estimate:
    """A value with its basic bootstrap interval: the percentile interval mirrored at the value.

    For a statistic whose bias does not depend on the unknown truth, such as a sum of squares: resampling adds the same
    bias once more, which mirroring subtracts (Davison and Hinkley 1997, section 5.2). Extended to the value, and not
    beyond `most`.
    """
    ends = _percentiles(value, resampled)
    if ends is None:
        return {**UNDEFINED, "value": _number(value)}
    return _containing(value, *(min(2 * value - end, max(most, value)) for end in ends))


def estimate_error(value: float, resampled: Floats, if_perfect: Floats) -> Estimate:
    """A distance from perfection, such as the ECE, with an interval that contains 0 unless chance would rarely show it.

    A distance is never below 0, so chance makes it larger: of perfect probabilities always, and of imperfect ones the
    less, the more imperfect they are. Percentiles of resamples add that bias a second time, and the bias-corrected
    ones (BC, BCa; Efron 1987) are undefined where all resamples are larger than the value. So the lower end is found
    by inverting a test (Carpenter 1999, "Test inversion bootstrap confidence intervals"): it is the smallest distance
    of which a value as large as the observed one is not improbable. Two such distances are known: 0, of which
    `if_perfect` are draws of the value, and the value itself, of which `resampled` are; between them, the upper
    percentile is interpolated linearly, which is conservative, since a distance is convex. The upper end is that of the
    percentile interval, which the bias only makes conservative. benchmarks/intervals.py measures the coverage.
    """
    ends = _percentiles(value, resampled)
    if ends is None:
        return {**UNDEFINED, "value": _number(value)}
    high = max(ends[1], value)
    chance = float(np.quantile(if_perfect, (1 + CONFIDENCE) / 2))
    low = value * (value - chance) / (high - chance) if value > chance else 0.0
    return _containing(value, low, high)


def _percentiles(value: float, resampled: Floats) -> tuple[float, float] | None:
    """The ends of the percentile interval; None where the value, or more than half of the resamples, is undefined."""
    defined = resampled[~np.isnan(resampled)]
    if np.isnan(value) or 2 * len(defined) < len(resampled):
        return None
    low, high = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]).tolist()
    return low, high


def _containing(value: float, one: float, other: float) -> Estimate:
    """The value, and the interval between two ends and the value itself."""
    return {"value": float(value), "low": float(min(one, other, value)), "high": float(max(one, other, value))}


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

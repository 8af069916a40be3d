"""Calibration errors as the papers write them, row by row: what the library's measures are held to."""

from itertools import pairwise
from typing import Any

import numpy as np


def guo_bins(confidence: Any, bins: int = 15) -> list[Any]:
    """Guo et al. 2017, section 2: bin m of M holds the rows of confidence in ((m - 1)/M, m/M]; 0 joins the first."""
    edges = [m / bins for m in range(bins + 1)]
    edges[0] = -1.0
    return [np.flatnonzero((confidence > low) & (confidence <= high)) for low, high in pairwise(edges)]


def gap(bin_: Any, sure: Any, true: Any) -> float:
    """How far the rows of a bin are from being as often true as they are sure of it."""
    return abs(float(np.mean(true[bin_]) - np.mean(sure[bin_]))) if len(bin_) else 0.0


def calibration_error(bins: list[Any], sure: Any, true: Any) -> float:
    """The gaps of the bins, each by its share of the rows."""
    return sum(len(bin_) / len(sure) * gap(bin_, sure, true) for bin_ in bins)


def expected_calibration_error(truth: Any, probabilities: Any) -> float:
    """Guo et al. 2017, equation 3."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    return calibration_error(guo_bins(confidence), confidence, right)

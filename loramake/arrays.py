"""The arrays that every measurement is made of, and the check of those that a user passes in."""

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loramake.errors import ConfigError, DataError

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

_LARGEST_DEVIATION = 1e-3
"""By which the probabilities of a row may miss a sum of 1."""


def check_probabilities(probabilities: ArrayLike) -> Floats:
    """P(label | row), shape (rows, labels); DataError unless each row has numbers from 0 to 1 that add up to 1."""
    try:
        given = np.asarray(probabilities)
        checked = np.asarray(given if given.dtype.kind in "biuf" else given.astype(np.str_), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("the probabilities are not a table of numbers: give one of shape (rows, labels).") from error
    if checked.ndim != 2 or checked.shape[1] < 2:
        raise DataError(
            f"the probabilities have the shape {checked.shape}: give a column for each of at least two labels, as "
            "predict_proba does."
        )
    # NaN compares as false.
    rows = np.flatnonzero(~((checked >= 0) & (checked <= 1)).all(axis=1))
    if len(rows):
        raise DataError(
            f"the probabilities of index {rows[0]} are not all numbers from 0 to 1: correct or drop the row."
        )
    rows = np.flatnonzero(np.abs(checked.sum(axis=1) - 1) > _LARGEST_DEVIATION)
    if len(rows):
        total = checked[rows[0]].sum()
        raise DataError(f"the probabilities of index {rows[0]} add up to {total:g}: divide each row by its sum.")
    return checked


def check_share(share: object, name: str) -> float:
    """The share as a number; ConfigError, with its name, unless it is one above 0 and below 1."""
    if isinstance(share, bool) or not isinstance(share, Real) or not 0 < float(share) < 1:
        raise ConfigError(f"{name} is {share!r}: set it above 0 and below 1, such as 0.9.")
    return float(share)


def check_truth(truth: ArrayLike, probabilities: Floats) -> Codes:
    """The true labels as columns of `probabilities` (rows, labels), shape (rows,); DataError for anything else."""
    return check_codes(truth, probabilities, "true labels")


def check_codes(codes: ArrayLike, probabilities: Floats, called: str, least: int = 0) -> Codes:
    """Indices of columns of `probabilities`, from `least`, shape (rows,); `called` names them in a DataError."""
    checked = np.asarray(codes)
    rows, labels = probabilities.shape
    if checked.shape != (rows,):
        raise DataError(f"the {called} have the shape {checked.shape}: give one for each of the {rows:,} rows.")
    if rows == 0:
        return np.zeros(0, dtype=np.int64)
    if not (np.issubdtype(checked.dtype, np.integer) or checked.dtype == np.bool_):
        raise DataError(f"the {called} are of the type {checked.dtype}: give each as the index of its column.")
    if not least <= checked.min() <= checked.max() < labels:
        raise DataError(
            f"the {called} run from {checked.min()} to {checked.max()}: give each as the index of one of the {labels} "
            f"columns, from {least}."
        )
    return checked.astype(np.int64)

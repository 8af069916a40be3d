"""The values of a column of categories, as short hashes, so that a new one is noticed without a copy of the table."""

import hashlib
from collections.abc import Iterable

import pandas as pd

MOST_VALUES = 10_000
"""A column with more values than this is not remembered."""
_DIGITS = 8


def plain_value(cell: str) -> str:
    """A category without regard to case and runs of white space."""
    return " ".join(cell.split()).casefold()


def hash_values(values: Iterable[str] | pd.Index) -> str | None:
    """The hashes of all values in ascending order, of eight hexadecimal digits each; None of too many values."""
    hashes = sorted({hash_value(value) for value in values})
    return "".join(hashes) if len(hashes) <= MOST_VALUES else None


def hash_value(cell: str) -> str:
    """The hash of one value; of 10,000 known ones, a new one equals some with a probability of 2 in a million."""
    return hashlib.sha256(" ".join(cell.split()).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def split_hashes(hashes: str) -> frozenset[str]:
    """The hashes in the text of `hash_values`."""
    return frozenset(hashes[start : start + _DIGITS] for start in range(0, len(hashes), _DIGITS))

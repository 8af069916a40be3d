"""Which cells are the same value, however they are written. Knows nothing of targets."""

import re
import unicodedata
from collections.abc import Callable
from decimal import Context

import pandas as pd

NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?")
"""A number in plain text; 007 is a code."""

_LONGEST_NUMBER = 100
_EXACT = Context(prec=_LONGEST_NUMBER)
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))


def normalise_text(cell: str) -> str:
    """A cell in Unicode's composed form, with single spaces between words and nothing invisible.

    A cell of invisible characters alone stays as it is.
    """
    composed = unicodedata.normalize("NFC", cell.translate(_INVISIBLE))
    return " ".join(composed.split()) or cell


def value_key(cell: str) -> str:
    """A text that is the same for equal numbers, and for words that differ only in case, spaces or Unicode form."""
    text = normalise_text(unicodedata.normalize("NFKC", cell)).casefold()
    if len(text) > _LONGEST_NUMBER or not NUMBER.fullmatch(text):
        return text
    number = _EXACT.create_decimal(text).normalize(_EXACT)
    return str(number) if number else "0"


def map_cells(column: "pd.Series[str]", function: Callable[[str], str]) -> "pd.Series[str]":
    """The function's value for each cell, None for missing ones; computed once for each distinct cell."""
    values = {cell: function(cell) for cell in column.dropna().unique()}
    return pd.Series([values.get(cell) for cell in column], index=column.index, name=column.name, dtype=object)

"""Which cells of a table count as missing, by the kind of their column."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loramake.tables.numbers import to_numbers

ALL = "*"
"""In the setting missing_values: every column that it does not name."""

Mask = NDArray[np.bool_]


def _spelled(words: Iterable[str]) -> frozenset[str]:
    """The words in every usual case: comparing whole columns in lower case would be slow."""
    return frozenset(spelled for word in words for spelled in (word, word.upper(), word.capitalize(), word.title()))


_IN_ANY_COLUMN = _spelled({"?", "nan", "NaN", "NaT", "<na>", "#n/a", "(null)", "(blank)", r"\n"})
"""Words that no category is called."""
_DOUBTFUL = _spelled({"na", "n/a", "n.a.", "null", "none"})
"""Words that may be a category: NA is Namibia, and None an answer."""
_IN_NUMBERS = _spelled(
    {
        *("-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "*", "**", "nil", "nd", "n.d.", "n/k", "nk", "unk"),
        *("missing", "unknown", "not available", "not applicable", "not known", "not recorded", "not reported"),
        *("#na", "#value!", "#ref!", "#div/0!", "#num!", "#name?", "#null!", "tbd", "tba"),
    }
)
"""Words that stand for no number and no date."""
_REAL_SHARE = 0.01
"""From this share of the filled cells on, a doubtful word is a category."""


def is_missing_number(cells: pd.Index) -> Mask:
    """Which cells count as missing in a column of numbers or dates, shape (cells,)."""
    return cells.isin(_IN_ANY_COLUMN | _DOUBTFUL | _IN_NUMBERS)


def find_doubtful(counts: "pd.Series[int]") -> list[str]:
    """The doubtful words that make up a real share of a column's cells (`counts`: rows by cell): categories."""
    is_real = (counts.to_numpy() >= _REAL_SHARE * counts.sum()) & counts.index.isin(_DOUBTFUL)
    return sorted(map(str, counts.index[is_real]))


def is_missing_word(cells: pd.Index, kept: Sequence[str]) -> Mask:
    """Which cells count as missing in a column of words, of which `kept` are categories, shape (cells,)."""
    return cells.isin((_IN_ANY_COLUMN | _DOUBTFUL) - set(kept))


def is_listed(cells: pd.Index, words: Sequence[str]) -> Mask:
    """Which cells are one of the words of the setting, in any case, or the same number, shape (cells,)."""
    listed = cells.str.lower().isin([word.lower() for word in words])
    numbers = set(to_numbers(pd.Series(list(words), dtype=object)).dropna())
    return np.asarray(listed | to_numbers(pd.Series(cells, dtype=object)).isin(numbers).to_numpy())

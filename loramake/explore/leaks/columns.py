"""A column as the leak checks see it: codes of its words, and its numbers, dates or order of ids."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from loramake.explore.leaks.evidence import FILLED, Labels, cut_into_intervals, recalls_of
from loramake.explore.leaks.words import normal_codes
from loramake.tables.numbers import to_numbers

FEW_VALUES = 20


@dataclass(frozen=True, eq=False)
class Column:
    """A column: a code for each row (-1 where missing), the word of each code, numbers or dates if most have one."""

    name: str
    kind: str
    labels: Labels
    codes: np.ndarray
    words: np.ndarray
    numbers: np.ndarray | None

    @cached_property
    def tidy(self) -> np.ndarray:
        """Codes of the normalised words; for numbers, and for too many words, the codes themselves."""
        if self.numbers is not None or len(self.words) > 1000:
            return self.codes
        return np.asarray(np.append(normal_codes(self.words), -1)[self.codes])

    @cached_property
    def values(self) -> int:
        return int(self.tidy.max(initial=-1)) + 1

    @cached_property
    def by_filled(self) -> np.ndarray:
        """Rows that are empty and that are filled, by label, of shape (2, labels)."""
        filled = self.labels.cross(np.where(self.codes >= 0, 0, -1)).sum(axis=0)
        return np.array([self.labels.rows - filled, filled])

    @property
    def is_mostly_filled(self) -> bool:
        return bool(np.mean(self.codes >= 0) >= FILLED)

    @cached_property
    def strength(self) -> float:
        """Mean recall over the labels by this column alone; 0 for too many words."""
        if self.values <= FEW_VALUES:
            return float(recalls_of(self.labels.cross(self.tidy), FEW_VALUES).mean())
        return (
            0.0
            if self.numbers is None
            else float(recalls_of(cut_into_intervals(self.numbers, self.labels), FEW_VALUES).mean())
        )


def read_column(cells: "pd.Series[str]", kind: str, order: np.ndarray, labels: Labels) -> Column:
    codes, words = pd.factorize(cells)
    codes = codes[order]
    numbers = _read_numbers(pd.Series(words, dtype=object), kind)
    if numbers is not None:
        numbers = np.append(numbers, np.nan)[codes]
    if numbers is not None and np.isnan(numbers).mean() > 1 - FILLED:
        numbers = None
    return Column(str(cells.name), kind, labels, codes, np.asarray(words), numbers)


def _read_numbers(words: "pd.Series[str]", kind: str) -> np.ndarray | None:
    """Numbers, seconds of dates, and for ids their rank in an order with P9 before P10; None for the rest."""
    if kind == "date":
        dates = pd.to_datetime(words, errors="coerce", format="ISO8601", utc=True)
        return (dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy()
    if kind not in ("numeric", "id"):
        return None
    numbers = to_numbers(words)
    if kind == "id" and numbers.isna().any():
        padded = words.str.replace(r"\d+", lambda digits: digits[0].zfill(20), regex=True)
        return padded.rank(method="dense").to_numpy()
    return numbers.to_numpy()

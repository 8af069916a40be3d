"""What is unusual about a new cell: training saw nothing like it, or it may mean two things."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from loramake.artifact_types.explore import ProfileColumn
from loramake.tables.categories import hash_value, plain_value, split_hashes
from loramake.tables.dates import to_days
from loramake.tables.numbers import to_numbers
from loramake.text import shorten

UNCLEAR, NO_CELL = "unclear", "no cell"
NOT_A_NUMBER, NOT_A_DATE, FAR_OUTSIDE, NEW_CATEGORY = "not a number", "not a date", "far outside", "new category"
KINDS = {
    UNCLEAR: ("not predicted, since it is unclear", "not predicted, since they are unclear"),
    NO_CELL: ("row without any value", "rows without any value"),
    NOT_A_NUMBER: ("not a number", "not numbers"),
    NOT_A_DATE: ("not a date", "not dates"),
    FAR_OUTSIDE: ("far outside the range of training", "far outside the range of training"),
    NEW_CATEGORY: ("a new category", "new categories"),
}
"""What a summary says of one cell, and of several."""
_SHOWN = 3


class Remark(NamedTuple):
    """What is unusual about a row."""

    row: int
    """Index in its batch."""
    column: str | None
    kind: str
    text: str
    """A sentence without a full stop."""


@dataclass(frozen=True)
class Training:
    """What training saw of a column."""

    name: str
    holds: str | None = None
    """`number` or `date` if all its cells were."""
    range: tuple[float, float] | None = None
    """The smallest and the largest number."""
    known: frozenset[str] | None = None
    """The hashes of all categories; None if they are not known."""
    spellings: dict[str, str] = field(default_factory=dict)
    """The most frequent categories, by how they are written without regard to case."""

    @classmethod
    def of(cls, column: ProfileColumn) -> "Training":
        """From an entry of profile.json."""
        quantiles, hashes, values = column["quantiles"], column["value_hashes"], column["top_values"]
        kinds = {"numeric": "number", "date": "date"}
        plain = [plain_value(entry["value"]) for entry in values]
        return cls(
            column["name"],
            kinds.get(column["type"]) if column["words"] == 0 else None,
            None if quantiles is None else (quantiles["0"], quantiles["1"]),
            None if hashes is None else split_hashes(hashes),
            {key: entry["value"] for key, entry in zip(plain, values, strict=True) if plain.count(key) == 1}
            if column["type"] == "categorical"
            else {},
        )

    def knows(self, cell: str) -> bool:
        """Whether the cell is one of training's categories."""
        return self.known is not None and hash_value(cell) in self.known

    def respell(self, cell: str) -> str:
        """A new category as training spelt it, if it differs from a frequent one only in case or white space."""
        return cell if self.known is None or self.knows(cell) else self.spellings.get(plain_value(cell), cell)

    def remarks(self, cells: list[str | None]) -> dict[int, tuple[str, str]]:
        """By the index of each cell (None if missing) that there is a remark on: its kind and its text."""
        column = pd.Series(cells, dtype=object)
        if self.known is not None:
            odd = [index for index, cell in enumerate(cells) if cell is not None and not self.knows(cell)]
            return {index: (NEW_CATEGORY, f"{self.show(cells[index])} was never seen in training") for index in odd}
        if self.holds == "date":
            odd = np.flatnonzero(to_days(column).isna() & column.notna()).tolist()
            return {index: (NOT_A_DATE, f"{self.show(cells[index])} is not a date") for index in odd}
        if self.range is None:
            return {}
        numbers = to_numbers(column)
        low, high = self.range
        far = ~numbers.between(low - (high - low), high + (high - low)) & numbers.notna()
        words = numbers.isna() & column.notna() & (self.holds == "number")
        return {
            index: (NOT_A_NUMBER, f"{self.show(cells[index])} is not a number")
            for index in np.flatnonzero(words).tolist()
        } | {
            index: (FAR_OUTSIDE, f"{self.show(cells[index])} is far outside {low:g} to {high:g}")
            for index in np.flatnonzero(far).tolist()
        }

    def show(self, cell: str | None) -> str:
        """The column and one of its cells, in a sentence."""
        return f"{shorten(self.name, 40)} {shorten(cell, 40)!r}"


def join_remarks(remarks: list[Remark]) -> str:
    """Remarks on one row as one text."""
    texts = [remark.text for remark in remarks]
    return "; ".join(texts[:_SHOWN]) + (f"; and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else "")

"""The columns of an experiment, and new cells as the training CSV would have written them.

Whatever new rows look like, the model is given numbers, dates, flags and categories as it was given those of training;
what cannot be is refused, and what training never saw is remarked on.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from loramake.artifact_types.explore import Profile
from loramake.artifact_types.prepare import Plan
from loramake.errors import DataError, nearest
from loramake.serving.remarks import NO_CELL, UNCLEAR, Remark, Training
from loramake.tables.adapted import AdaptedReading, adapt
from loramake.tables.formats import NOT_TEXT, wordings
from loramake.tables.reading import align_names, normal_form
from loramake.tables.readings import Reading


class NewCells(NamedTuple):
    """New rows as the model is given them."""

    cells: pd.DataFrame
    """Text cells of the features, missing ones None; the index counts up."""
    remarks: list[Remark]
    """What is unusual about cells or rows."""


@dataclass(frozen=True)
class Columns:
    """The columns of an experiment."""

    features: tuple[str, ...]
    """The features, in the plan's order."""
    others: tuple[str, ...]
    """The columns that the plan dropped: training saw them but does not use them."""
    target: str
    readings: Mapping[str, Reading]
    """How the CSV's cells of each feature were read."""
    training: Mapping[str, Training] = field(default_factory=dict)
    """What training saw of each feature."""

    @classmethod
    def of(cls, plan: Plan, profile: Profile) -> "Columns":
        """From plan.yaml and profile.json."""
        columns = {column["name"]: column for column in profile["columns"]}
        features = tuple(feature["name"] for feature in plan["features"])
        return cls(
            features,
            tuple(entry["name"] for entry in plan["dropped"]),
            plan["target"],
            {name: Reading.of(columns[name]) for name in features},
            {name: Training.of(columns[name]) for name in features},
        )

    def align(self, names: Sequence[str], where: str) -> list[str]:
        """The names, with those that differ from a feature's only in case or spaces replaced by it.

        DataError, with the nearest name, if a feature is missing or repeated.
        """
        aligned = align_names(names, self.features)
        for name in self.features:
            if name not in aligned:
                near = nearest(name, [other for other in aligned if other not in self.features])
                raise DataError(
                    f"{where} lacks the column {name!r}{near}, which the model was trained on: add it, empty where "
                    "unknown."
                )
            if aligned.count(name) > 1:
                raise DataError(f"{where} has the column {name!r} more than once: rename or drop one of them.")
        return aligned

    def unknown(self, names: Iterable[str]) -> list[str]:
        """The names that training never saw."""
        seen = {*self.features, *self.others, self.target}
        return [name for name in dict.fromkeys(names) if name not in seen]

    def as_text(self, table: pd.DataFrame, where: str, unit: str = "index", first: int = 0) -> pd.DataFrame:
        """The features of a table of any cells as text; numbers and other values that are not text are marked as read.

        The table's columns are named as by `align`. DataError for a cell that is no single value, named by its row's
        `unit`, counted from `first`.
        """
        columns = {
            name: [self._text(name, value, f"{where}, {unit} {row}") for row, value in enumerate(table[name], first)]
            for name in self.features
        }
        return pd.DataFrame(columns, index=range(len(table)), dtype=object)

    def _text(self, name: str, value: Any, where: str) -> "str | Read | None":
        if isinstance(value, str):
            text = normal_form(value.strip())
        else:
            written = wordings(value)
            if written is None:
                kind = type(value).__name__
                raise DataError(f"{where}: the column {name!r} contains a {kind}: give it one text or one number.")
            training = self.training.get(name)
            text = next((word for word in written if training is not None and training.knows(word)), written[0])
        if NOT_TEXT.search(text):
            raise DataError(f"{where}: the column {name!r} contains a character that no text file can: fix that cell.")
        return None if text == "" else text if isinstance(value, str) else Read(text)

    def adapt(self, counts: Mapping[str, "pd.Series[int]"]) -> dict[str, AdaptedReading]:
        """How a source of new rows writes each feature; `counts` are the rows by cell of some of its text cells."""
        return {name: adapt(self.readings[name], counts[name]) for name in self.features}

    def read(self, table: pd.DataFrame, adapted: Mapping[str, AdaptedReading]) -> NewCells:
        """Text cells, blank ones None, and those from `as_text`, as the model is given them, with remarks."""
        columns, remarks = {}, []
        for name in self.features:
            cells, remarked = self._read_column(name, table[name], adapted[name])
            columns[name] = cells
            remarks += remarked
        read = pd.DataFrame(columns, index=range(len(table)), dtype=object)
        empty = np.flatnonzero(read.isna().all(axis="columns")).tolist()
        remarks += [Remark(row, None, NO_CELL, "every feature is missing") for row in empty]
        return NewCells(read, remarks)

    def _read_column(
        self, name: str, column: "pd.Series[Any]", adapted: AdaptedReading
    ) -> tuple[list[str | None], list[Remark]]:
        codes, written = pd.factorize(column)
        training, reading = self.training.get(name, Training(name)), self.readings[name]
        missing = reading.is_missing(pd.Index([str(cell) for cell in written], dtype=object))
        read = _read_cells(list(written), adapted)
        unclear = [code for code, text in enumerate(read) if text is None and not missing[code]]
        texts = reading.without_listed(
            [
                None if text is None or is_missing else training.respell(text)
                for text, is_missing in zip(read, missing, strict=True)
            ]
        )
        by_code = training.remarks(texts) | {
            code: (UNCLEAR, f"{training.show(written[code])} {adapted.explain(written[code])}") for code in unclear
        }
        remarks = [Remark(row, name, *by_code[code]) for row, code in enumerate(codes.tolist()) if code in by_code]
        return [texts[code] if code >= 0 else None for code in codes.tolist()], remarks


def _read_cells(written: list[str], adapted: AdaptedReading) -> list[str | None]:
    """Distinct cells as the model is given them; None if one is unclear."""
    changed = adapted.read_cells([cell for cell in written if not isinstance(cell, Read)])
    return [adapted.read_typed(str(cell)) if isinstance(cell, Read) else changed.get(cell, cell) for cell in written]


class Read(str):
    """A cell that was a number, a date or a truth value, not text: how it was written is not in doubt."""

    __slots__ = ()


def count_text(column: "pd.Series[Any]") -> "pd.Series[int]":
    """The rows by cell of a column's text cells."""
    is_text = np.array([isinstance(cell, str) and not isinstance(cell, Read) for cell in column], dtype=bool)
    return column[is_text].value_counts()


def count_remarks(remarks: Iterable[Remark]) -> Counter[tuple[str | None, str]]:
    """The cells by column and kind of remark."""
    return Counter((remark.column, remark.kind) for remark in remarks)

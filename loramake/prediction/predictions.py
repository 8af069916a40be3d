"""Predictions of labelled rows as arrays: the input of every measurement."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from loramake import artifacts, schemas
from loramake.arrays import Codes, Floats
from loramake.artifact_types.prediction import Prediction
from loramake.errors import ArtifactError
from loramake.tables.source import Key, row_number


class Scored(NamedTuple):
    """Rows of one split, in the file's order."""

    keys: list[Key]
    truth: Codes
    """Code of the true label, shape (rows,)."""
    probabilities: Floats
    """P(label | row), shape (rows, labels)."""

    def take(self, indices: Sequence[int] | Codes) -> "Scored":
        """The rows at these indices, in this order."""
        order = np.asarray(indices, dtype=np.int64)
        return Scored([self.keys[index] for index in order.tolist()], self.truth[order], self.probabilities[order])

    def pick(self, keys: Sequence[Key]) -> "Scored":
        """The rows of these keys, in this order."""
        indices = {key: index for index, key in enumerate(self.keys)}
        return self.take([indices[key] for key in keys])

    def in_order(self) -> "Scored":
        """The rows in the order of their keys, so that seeded draws do not depend on the file's order."""
        return self.take(sorted(range(len(self.keys)), key=self.keys.__getitem__))


def read_scored(predictions: str | Path, labels: list[str], max_rows: int | None = None) -> Scored:
    """The rows of a predictions file (JSON lines), their true labels and their probabilities in the order of `labels`.

    `max_rows` is the number of rows by another artifact. ArtifactError where a row appears twice, its label is not
    known, or a probability is missing.
    """
    lines = _by_row(artifacts.read(predictions, schemas.PREDICTIONS, max_rows), predictions)
    codes = {label: code for code, label in enumerate(labels)}
    truth = [_code(line["label"], codes, f"{predictions}: {name_of(key)}") for key, line in lines.items()]
    probabilities = [
        _ordered(line["probabilities"], labels, f"{predictions}: {name_of(key)}") for key, line in lines.items()
    ]
    return Scored(list(lines), np.array(truth, dtype=np.int64), as_matrix(probabilities, labels))


def scored_lines(scored: Scored, labels: list[str]) -> list[Prediction]:
    """The lines of a predictions file that `read_scored` reads as these arrays."""
    return [
        {
            "row": row,
            "source": source,
            "label": labels[truth],
            "predicted": labels[int(probabilities.argmax())],
            "probabilities": dict(zip(labels, probabilities.tolist(), strict=True)),
        }
        for (source, row), truth, probabilities in zip(*scored, strict=True)
    ]


def _by_row(lines: list[Prediction], where: str | Path) -> dict[Key, Prediction]:
    lines_by_key: dict[Key, Prediction] = {}
    for line in lines:
        key = (line["source"], line["row"])
        if key in lines_by_key:
            raise ArtifactError(f"{where} contains {name_of(key)} twice: delete it and run the same command again.")
        lines_by_key[key] = line
    return lines_by_key


def name_of(key: Key) -> str:
    """A row as a person reads it."""
    source, row = key
    return f"row {row_number(row)} of {source}"


def _code(label: str | None, codes: dict[str, int], where: str) -> int:
    if label is None or label not in codes:
        problem = "has no label" if label is None else f"has the label {label!r}, which is not one of the task's"
        raise ArtifactError(f"{where} {problem}: delete the file and run the same command again.")
    return codes[label]


def _ordered(probabilities: dict[str, float], labels: list[str], where: str) -> list[float]:
    if set(probabilities) != set(labels):
        raise ArtifactError(f"{where} does not have a probability for each label: delete the file and run again.")
    return [probabilities[label] for label in labels]


def as_matrix(rows: list[list[float]], labels: list[str]) -> Floats:
    """Rows of probabilities as an array, shape (rows, labels) also where there is no row."""
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(labels))

"""Predictions of rows whose label is known, as arrays: what everything that measures begins with."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loramake import artifacts, schemas
from loramake.artifact_types.prediction import Prediction
from loramake.errors import ArtifactError
from loramake.tables.source import Key

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


class Scored(NamedTuple):
    """Rows of one split, in the file's order."""

    keys: list[Key]
    truth: Codes
    """Place of the true label among the labels, shape (rows,)."""
    probabilities: Floats
    """P(label | row), shape (rows, labels)."""

    def take(self, places: Sequence[int] | Codes) -> "Scored":
        """The rows at these places, in this order."""
        at = np.asarray(places, dtype=np.int64)
        return Scored([self.keys[place] for place in at.tolist()], self.truth[at], self.probabilities[at])

    def pick(self, keys: Sequence[Key]) -> "Scored":
        """The rows of these keys, in this order."""
        places = {key: place for place, key in enumerate(self.keys)}
        return self.take([places[key] for key in keys])

    def in_order(self) -> "Scored":
        """The rows in the order of their keys, so that what is drawn by a seed does not depend on the file's."""
        return self.take(sorted(range(len(self.keys)), key=self.keys.__getitem__))


def read_scored(predictions: str | Path, labels: list[str], max_rows: int | None = None) -> Scored:
    """The rows of a predictions file (JSON lines), their true labels and their probabilities in the order of `labels`.

    `max_rows` is how many there are by another artifact. ArtifactError where a row stands there twice, its label is not
    known, or a probability is missing.
    """
    lines = _by_row(artifacts.read(predictions, schemas.PREDICTIONS, max_rows), predictions)
    places = {label: place for place, label in enumerate(labels)}
    truth = [_code(line["label"], places, f"{predictions}: {name_of(key)}") for key, line in lines.items()]
    found = [_ordered(line["probabilities"], labels, f"{predictions}: {name_of(key)}") for key, line in lines.items()]
    return Scored(list(lines), np.array(truth, dtype=np.int64), as_matrix(found, labels))


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
    found: dict[Key, Prediction] = {}
    for line in lines:
        key = (line["source"], line["row"])
        if key in found:
            raise ArtifactError(f"{where} holds {name_of(key)} twice: delete it and run the same command again.")
        found[key] = line
    return found


def name_of(key: Key) -> str:
    """A row as errors name it."""
    return f"row {key[1]} of {key[0]}"


def _code(label: str | None, places: dict[str, int], where: str) -> int:
    if label is None or label not in places:
        known = "has no label" if label is None else f"has the label {label!r}, which the task does not know"
        raise ArtifactError(f"{where} {known}: delete the file and run the same command again.")
    return places[label]


def _ordered(probabilities: dict[str, float], labels: list[str], where: str) -> list[float]:
    if set(probabilities) != set(labels):
        raise ArtifactError(f"{where} does not have a probability for each label: delete the file and run again.")
    return [probabilities[label] for label in labels]


def as_matrix(rows: list[list[float]], labels: list[str]) -> Floats:
    """Rows of probabilities as an array, shape (rows, labels) also where there is no row."""
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(labels))

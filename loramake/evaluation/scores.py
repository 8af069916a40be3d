"""The probabilities of loramake and of every baseline for the same rows, side by side."""

from pathlib import Path

from loramake import artifacts, schemas
from loramake.arrays import Codes, Floats
from loramake.artifact_types.evaluation import BaselineSplit
from loramake.errors import ArtifactError
from loramake.prediction.predictions import as_matrix, name_of, read_scored
from loramake.tables.source import Key

LORAMAKE = "loramake"
_NAMES = {
    "majority": "the most frequent label",
    "logistic_regression": "logistic regression",
    "hist_gradient_boosting": "gradient boosting",
}

Scores = dict[str, Floats]
"""P(label | row) by model, each of shape (rows, labels), the rows the same."""


def name_model(model: str) -> str:
    """What people call it: gradient boosting, for hist_gradient_boosting."""
    return _NAMES.get(model, model)


def read_scores(
    predictions: str | Path, baselines: str | Path, labels: list[str], split: BaselineSplit
) -> tuple[Codes, Scores]:
    """True labels (codes, shape (rows,)) and the scores of loramake and of every baseline, rows matched.

    ArtifactError where the two files do not contain the same rows and labels, or a row's true label is unknown.
    """
    scored = read_scored(predictions, labels)
    content = artifacts.read(baselines, schemas.BASELINES)
    if content["labels"] != labels:
        raise ArtifactError(f"{baselines} is for other labels: delete it and run the same command again.")
    scores = {LORAMAKE: scored.probabilities}
    for name, model in content["models"].items():
        predicted = model["splits"][split]
        keys = zip(predicted["sources"], predicted["rows"], strict=True)
        rows = dict(zip(keys, predicted["probabilities"], strict=True))
        _check_same_rows(set(scored.keys), set(rows), predictions, baselines)
        scores[name] = as_matrix([rows[key] for key in scored.keys], labels)
    return scored.truth, scores


def _check_same_rows(ours: set[Key], theirs: set[Key], predictions: str | Path, baselines: str | Path) -> None:
    for there, here, absent in ((ours, theirs, baselines), (theirs, ours, predictions)):
        if extra := sorted(there - here):
            raise ArtifactError(
                f"{absent} lacks {name_of(extra[0])}, which {predictions if absent == baselines else baselines} has: "
                f"delete both and run the same command again."
            )

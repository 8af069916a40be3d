"""Synthetic rows: their labels, and what a predictor says of them."""

from typing import Any

import numpy as np

from loramake.prediction.predictions import Scored
from loramake.tasks import Classification

MODELS = ("loramake", "majority", "logistic_regression", "hist_gradient_boosting")
"""In the order of the artifacts: ours, then the baselines."""


def names(count: int) -> list[str]:
    return [f"label {place}" for place in range(count)]


def classification(count: int) -> Classification:
    """A task of so many labels."""
    return Classification("y", names(count))


def softmax(scores: Any) -> Any:
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def random_case(rows: int, labels: int, seed: int, signal: float = 1.0, digits: int = 16) -> tuple[Any, Any]:
    """Label codes and probabilities that know `signal` of them; few digits make ties."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(labels, size=rows)
    scores = generator.normal(size=(rows, labels))
    scores[np.arange(rows), truth] += signal
    return truth, softmax(scores).round(digits)


def four_models(rows: int, labels: int, signals: tuple[float, float, float]) -> tuple[Any, dict[str, Any]]:
    """Truth, and loramake, logistic regression and boosting that know so much of it."""
    truth, ours = random_case(rows, labels, seed=11, signal=signals[0])
    scores = {"loramake": ours, "majority": np.full((rows, labels), 1 / labels)}
    for place, name in enumerate(MODELS[2:], 1):
        generator = np.random.default_rng(place)
        logits = generator.normal(size=(rows, labels))
        logits[np.arange(rows), truth] += signals[place]
        scores[name] = softmax(logits)
    return truth, scores


def calibrated_case(
    rows: int, labels: int, seed: int, temperature: float = 1.0, spread: float = 2.0
) -> tuple[Any, Any]:
    """True labels drawn from a model's calibrated probabilities, and those it says, too sure by `temperature`."""
    generator = np.random.default_rng(seed)
    scores = spread * generator.normal(size=(rows, labels))
    truth = (softmax(scores).cumsum(axis=1) > generator.random((rows, 1))).argmax(axis=1)
    return truth, softmax(temperature * scores)


def as_scored(truth: Any, probabilities: Any, source: str = "csv") -> Scored:
    return Scored([(source, row) for row in range(len(truth))], np.asarray(truth, dtype=np.int64), probabilities)


def shuffled(rows: Scored, seed: int) -> Scored:
    order = np.random.default_rng(seed).permutation(len(rows.keys))
    return Scored([rows.keys[place] for place in order], rows.truth[order], rows.probabilities[order])


def random_scored(rows: int, labels: int, seed: int, digits: int = 16) -> Scored:
    """Calibrated predictions; few digits make ties."""
    truth, probabilities, _ = _drawn(rows, labels, seed)
    return as_scored(truth, probabilities.round(digits))


def blurred_scored(rows: int, labels: int, seed: int, digits: int | None = None) -> Scored:
    """Rows whose labels are drawn from probabilities; the predictor is told others. Few digits make ties and zeros."""
    truth, probabilities, generator = _drawn(rows, labels, seed)
    told = 0.8 * probabilities + 0.2 * generator.dirichlet(np.ones(labels), rows)
    if digits is not None:
        told = told.round(digits) + 10.0**-9 * (told == told.max(axis=1, keepdims=True))
        told /= told.sum(axis=1, keepdims=True)
    return as_scored(truth, told)


def _drawn(rows: int, labels: int, seed: int) -> tuple[Any, Any, np.random.Generator]:
    """Label codes, the probabilities that they are drawn from, and the generator for what else is drawn."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.full(labels, 0.4), size=rows)
    truth = (generator.random((rows, 1)) > probabilities.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return truth, probabilities, generator

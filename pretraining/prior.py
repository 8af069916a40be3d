"""Synthetic tables to pretrain on: random columns, names, categories, missing cells, and labels by a random rule.

The columns hang together through common causes (a linear factor model, each column a monotone function of its own
score), and the rule is additive: each column that counts gives each label a random smooth function of its cell, or a
random number for each of its words. Nothing here is taken from a real table: names and categories are words of
words.txt, drawn at random. In the spirit of TabPFN's prior (arXiv 2207.01848), but the rule is kept with the table,
since the pretraining states it to the model.
"""

import random
import string
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from tokenizer import BINS, LABELS

Floats = NDArray[np.float64]

MISSING_CELL = BINS
DEGREES = (1, 2, 3)
BASES = 2 + len(DEGREES)
"""Functions of a cell that a rule weighs: one, Legendre polynomials of the bin, whether it is missing."""

_MOST_LEVELS = 7
_SPREADS = np.array([0.0, 1.0, 0.35, 0.25, 0.8])
"""Standard deviation of a rule's weight of each basis."""
_CENTRES = (2 * np.arange(BINS) + 1) / BINS - 1
_POLYNOMIALS = [np.sqrt(2 * degree + 1) * np.polynomial.legendre.Legendre.basis(degree)(_CENTRES) for degree in DEGREES]
CELL_BASES = np.zeros((BINS + 1, BASES))
"""What each bin, and last a missing cell, gives to each basis, shape (BINS + 1, BASES)."""
CELL_BASES[:BINS, 1:-1] = np.stack(_POLYNOMIALS, axis=1)
CELL_BASES[MISSING_CELL, -1] = 1.0


@dataclass(frozen=True)
class Column:
    """A column of a synthetic table and what it gives to the labels."""

    name: str
    words: list[str]
    """Its categories; none where it holds numbers."""
    cells: NDArray[np.int64]
    """Per row the bin, the number of the word, or MISSING_CELL."""
    effects: Floats
    """What a unit of each basis gives to the score of each label, shape (LABELS, BASES)."""
    word_effects: Floats
    """What each word gives to the score of each label, shape (words, LABELS)."""

    def scores(self) -> Floats:
        """What the column gives to the score of each label, shape (rows, LABELS)."""
        scores: Floats = self.by_cell()[self.cells]
        return scores

    def by_cell(self) -> Floats:
        """What each cell gives to the score of each label, shape (BINS + 1, LABELS)."""
        given: Floats = CELL_BASES @ self.effects.T
        given[: len(self.words)] = self.word_effects
        return given


@dataclass(frozen=True)
class Table:
    """The columns, the target's name, and how likely each label is in each row."""

    target: str
    columns: list[Column]
    bias: Floats
    """The score that each label has by itself, shape (LABELS,)."""
    probabilities: Floats
    """Shape (rows, LABELS); labels that the table does not have are 0."""


class Prior:
    """Draws tables; the same seed gives the same ones in the same order."""

    def __init__(self, words: list[str], seed: list[int], many_labels: float) -> None:
        """`many_labels` is the share of tables with more than two."""
        self._words = words
        self._many_labels = many_labels
        self._rng = np.random.default_rng(seed)
        self._text = random.Random(str(seed))

    def table(self, rows: int, width: int) -> Table:
        """A table of `width` columns, two labels or more, and an additive rule."""
        rng = self._rng
        count = int(rng.integers(3, LABELS + 1)) if rng.random() < self._many_labels else 2
        has = np.arange(LABELS) < count
        ranks, missing = self._ranks(rows, width), rng.choice([0, 0, 0.05, 0.2])
        of_words = rng.random(width) < rng.choice([0, 0.25, 0.6])
        common = f"{self.name()}_" if rng.random() < 0.1 else ""
        columns = [
            self._column(common + self.name(), ranks[:, place], bool(of_words[place]), missing, weight * has)
            for place, weight in enumerate(self._weights(width))
        ]
        bias = rng.normal(scale=0.7, size=LABELS) * has
        scores = bias + sum(column.scores() for column in columns)
        return Table(self.name(), columns, bias, _softmax(scores, count))

    def _ranks(self, rows: int, width: int) -> Floats:
        """Where each row stands in each column, from 0 to 1, uniform; columns correlate through common causes."""
        rng = self._rng
        causes = max(1, width // 3)
        loadings = rng.normal(size=(causes, width)) * rng.choice([0, 0.5, 1.5]) / np.sqrt(causes)
        scores = rng.normal(size=(rows, causes)) @ loadings + rng.normal(size=(rows, width))
        ranks: Floats = ndtr(scores / np.sqrt((loadings**2).sum(axis=0) + 1))
        return ranks

    def _weights(self, width: int) -> Floats:
        """How much each column counts, shape (width,): few or many do, and their whole is of a drawn strength."""
        rng = self._rng
        counts = rng.random(width) < rng.uniform(0.3, 1)
        counts[rng.integers(width)] = True
        weights = counts * rng.gamma(2, 0.5, size=width)
        scaled: Floats = weights * np.exp(rng.normal(0.5, 0.6)) / np.sqrt((weights**2).sum())
        return scaled

    def _column(self, name: str, ranks: Floats, of_words: bool, missing: float, weights: Floats) -> Column:
        rng = self._rng
        levels = self._level_count() if of_words or rng.random() < 0.3 else 0
        words = self._categories(levels) if of_words else []
        effects = rng.normal(size=(LABELS, BASES)) * _SPREADS * weights[:, None]
        word_effects = rng.normal(size=(len(words), LABELS)) * weights
        if of_words:
            effects[:, :-1] = 0
        cells = self._cells(ranks, levels, of_words)
        if missing and rng.random() < 0.5:
            cells = np.where(rng.random(len(cells)) < missing, MISSING_CELL, cells)
        return Column(name, words, cells, effects, word_effects)

    def _cells(self, ranks: Floats, levels: int, of_words: bool) -> NDArray[np.int64]:
        """The bin of each rank, or its level; of a few repeated numbers, the bin in the middle of each one's rows."""
        if not levels:
            return _bins(ranks)
        edges = np.concatenate([[0], np.cumsum(self._rng.dirichlet(np.full(levels, 2.0)))])
        cells = np.clip(np.searchsorted(edges, ranks) - 1, 0, levels - 1)
        if of_words:
            return cells
        return _bins((edges[:-1] + edges[1:]) / 2)[cells]

    def _level_count(self) -> int:
        """How many different cells a column of few has: often two."""
        return 2 if self._rng.random() < 0.3 else int(self._rng.integers(2, _MOST_LEVELS + 1))

    def name(self) -> str:
        """A header: a letter and a number, or one to three words, joined as people join them."""
        text = self._text
        if text.random() < 0.1:
            return text.choice(string.ascii_letters) + (str(text.randrange(100)) if text.random() < 0.7 else "")
        words = text.choices(self._words, k=text.choices([1, 2, 3], [14, 4, 1])[0])
        camel, plain, capital = "".join(word.title() for word in words), " ".join(words), " ".join(words).capitalize()
        return text.choices([camel, plain, capital, "_".join(words).lower()], [2, 4, 2, 3])[0]

    def _categories(self, count: int) -> list[str]:
        """Letters, digits or words."""
        text = self._text
        style = text.choice(["letters", "numbers", "titles", "words"])
        if style == "letters":
            return text.sample(string.ascii_uppercase, count)
        if style == "numbers":
            return [str(number) for number in range(count)]
        words = text.sample(self._words, count)
        return [word.title() for word in words] if style == "titles" else words


def _bins(ranks: Floats) -> NDArray[np.int64]:
    """The bin of ranks from 0 to 1."""
    return np.minimum((ranks * BINS).astype(int), BINS - 1)


def _softmax(scores: Floats, count: int) -> Floats:
    """Probabilities of the first `count` labels, 0 for the others."""
    own = np.exp(scores[:, :count] - scores[:, :count].max(axis=1, keepdims=True))
    return np.pad(own / own.sum(axis=1, keepdims=True), ((0, 0), (0, LABELS - count)))

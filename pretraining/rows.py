"""From synthetic tables to batches of token ids, the rule of each table stated beside the tokens it speaks of."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from prior import BASES, Column, Floats, Prior, Table
from tokenizer import (
    BINS,
    CATEGORIES,
    COLUMNS,
    END,
    LABELS,
    MISSING,
    START,
    bin_token,
    category_token,
    cell_token,
    label_token,
)

EFFECTS = LABELS * BASES
"""Numbers that say what a token stands for: what each basis of the cell gives to each label."""

LENGTHS = np.array([1.5, 2.0, 2.5, 3.0, 1.5])
"""How long the vector is that states an effect of one, by basis. An adapter learns a short one first: the word of a
category, which stands in few rows, before the line of a number, and that before its curve."""

PLAIN = 0.1
"""Share of the columns that are written as name and cell, as those are for which the pipeline has no token left."""
DIRECT = 0.3
"""Share of the columns of numbers of which is stated what each cell gives, not what the column gives as a curve."""


@dataclass(frozen=True)
class Batch:
    """Rows of several tables, padded on the right."""

    ids: torch.Tensor
    """Prompt, label, padding: int64 (rows, length)."""
    ends: torch.Tensor
    """Place of the prompt's last token, from which the label is told: int64 (rows,)."""
    probabilities: torch.Tensor
    """Of each label: float32 (rows, LABELS)."""
    stated: tuple[torch.Tensor, torch.Tensor]
    """Rows and places of the tokens beside which a rule is stated."""
    effects: torch.Tensor
    """What is stated there: float32 (stated, EFFECTS)."""


@dataclass
class _Row:
    ids: list[int]
    places: list[int] = field(default_factory=list)
    effects: list[Floats] = field(default_factory=list)

    def state(self, effects: Floats) -> None:
        """Say of the last token what it gives."""
        self.places.append(len(self.ids) - 1)
        self.effects.append(effects)


class RowEncoder:
    """Writes rows as the pipeline and LlamaFactory do under the base's own card and chat template."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}
        self._start, self._newline = self._ids(f"{START}user\n"), self._ids("\n")
        self._close = self._ids(f"{END}\n{START}assistant\n")

    @cached_property
    def labels(self) -> list[int]:
        """Token of each label."""
        return [self._ids(label_token(place))[0] for place in range(LABELS)]

    def is_short(self, word: str) -> bool:
        """Whether a word is one token."""
        return len(self._ids(f" {word}")) == 1

    def _ids(self, text: str) -> list[int]:
        if text not in self._known:
            self._known[text] = self._tokenizer(text, add_special_tokens=False).input_ids
        return self._known[text]

    def rows(self, table: Table, rng: np.random.Generator) -> list[_Row]:
        """The prompt of each row, and beside which tokens the rule is stated."""
        target, bias = [*self._start, *self._ids(f"{table.target}:")], _constant(table.bias)
        rows = [_Row(list(target)) for _ in table.probabilities]
        for row in rows:
            row.state(bias)
            row.ids += self._newline
        places, category = self._places(len(table.columns), rng), int(rng.integers(CATEGORIES))
        for number, (place, column) in enumerate(zip(places, table.columns, strict=True)):
            cells = [cell_token(place, cell) for cell in range(BINS + 1)]
            for word in range(len(column.words)):
                cells[word] = category_token((category + word) % CATEGORIES)
            category += len(column.words)
            if rng.random() < PLAIN:
                cells = [f"{column.name} {cell}" for cell in _plain(column)]
            # Only the first column's tokens are known without the space before them.
            space = "" if number == 0 and place == 0 else " "
            self._write(column, [self._ids(space + cell) for cell in cells], rows, rng)
        for row in rows:
            row.ids += self._close
        return rows

    def _places(self, width: int, rng: np.random.Generator) -> list[int]:
        """Which columns these are: the first ones, or any, so that the tokens of all of them are met."""
        if rng.random() < 0.5:
            return list(range(width))
        return sorted(rng.choice(COLUMNS, size=width, replace=False).tolist())

    def _write(self, column: Column, cells: list[list[int]], rows: list[_Row], rng: np.random.Generator) -> None:
        """A column's cell in every row, and beside it what it gives: a number, or any of its column's numbers."""
        given = [_constant(scores) for scores in column.by_cell()]
        if rng.random() >= DIRECT:
            given[len(column.words) :] = [_stated(column.effects)] * (len(given) - len(column.words))
        for row, cell in zip(rows, column.cells, strict=True):
            row.ids += cells[cell]
            row.state(given[cell])


def _plain(column: Column) -> list[str]:
    """Each cell as it is written behind a name: a word, a bin, or the mark of a missing one."""
    return [*column.words, *map(bin_token, range(len(column.words), BINS)), MISSING]


def _constant(scores: Floats) -> Floats:
    """What states these scores whatever the cell holds, shape (EFFECTS,)."""
    effects = np.zeros((LABELS, BASES))
    effects[:, 0] = scores
    return _stated(effects)


def _stated(effects: Floats) -> Floats:
    """What states these effects (LABELS, BASES), shape (EFFECTS,)."""
    return (effects * LENGTHS).reshape(-1)


def make_batch(
    prior: Prior, encoder: RowEncoder, rng: np.random.Generator, widths: list[int], rows_per_table: int
) -> Batch:
    """A table of each width, some rows of each, with a label drawn for each row."""
    tables = [prior.table(rows_per_table, width) for width in widths]
    rows = [row for table in tables for row in encoder.rows(table, rng)]
    probabilities = np.concatenate([table.probabilities for table in tables])
    drawn = (probabilities.cumsum(axis=1) > rng.random(len(rows))[:, None]).argmax(axis=1)
    ids = np.zeros((len(rows), max(len(row.ids) for row in rows) + 1), dtype=np.int64)
    for number, (row, label) in enumerate(zip(rows, drawn, strict=True)):
        ids[number, : len(row.ids) + 1] = [*row.ids, encoder.labels[label]]
    places = [place for row in rows for place in row.places]
    counts = [len(row.places) for row in rows]
    return Batch(
        torch.from_numpy(ids),
        torch.tensor([len(row.ids) - 1 for row in rows]),
        torch.from_numpy(probabilities).float(),
        (torch.arange(len(rows)).repeat_interleave(torch.tensor(counts)), torch.tensor(places)),
        torch.from_numpy(np.array([effects for row in rows for effects in row.effects])).float(),
    )

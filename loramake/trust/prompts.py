"""Splits prompts that follow a plan into the text of each cell, and joins cells into prompts again."""

import itertools
import re
from collections.abc import Sequence

from loramake.artifact_types.prepare import CellTokens, Plan


def split_prompt(text: str, names: Sequence[str], plan: Plan) -> list[str] | None:
    """The text of each feature's cell in a prompt that follows the plan.

    None where the prompt does not follow it, or where the text of the cells makes it ambiguous. Where the plan has
    tokens for cells, every cell must have one.
    """
    if plan["cell_tokens"] is not None:
        tokens: list[str] = text.split(plan["feature_separator"])
        pattern = _token_pattern(plan["cell_tokens"])
        return tokens if len(tokens) == len(names) and all(map(pattern.fullmatch, tokens)) else None
    first, *inner, last = _delimiters(names, plan)
    if not (text.startswith(first) and text.endswith(last) and len(text) >= len(first) + len(last)):
        return None
    begin, end = len(first), len(text) - len(last)
    positions = _leftmost(text, inner, begin, end)
    if positions is None or positions != _rightmost(text, inner, begin, end):
        return None
    starts = [begin, *(position + len(delimiter) for position, delimiter in zip(positions, inner, strict=True))]
    cells = [text[start:stop] for start, stop in zip(starts, [*positions, end], strict=True)]
    return cells if join_prompt(names, cells, plan) == text else None


def join_prompt(names: Sequence[str], cells: Sequence[str], plan: Plan) -> str:
    """A prompt that follows the plan, from the names of features and the text of their cells."""
    if plan["cell_tokens"] is not None:
        return str(plan["feature_separator"]).join(cells)
    first, *others = _delimiters(names, plan)
    return first + "".join(cell + delimiter for cell, delimiter in zip(cells, others, strict=True))


def _token_pattern(cell_tokens: CellTokens) -> re.Pattern[str]:
    """Matches the token of a cell: a number, a missing cell, or a category."""
    forms = [re.split(r"\{\w*\}", cell_tokens[kind]) for kind in ("number", "missing", "category")]
    return re.compile("|".join(r"\d+".join(map(re.escape, parts)) for parts in forms))


def _delimiters(names: Sequence[str], plan: Plan) -> list[str]:
    """The text before the first cell, between each two cells, and after the last one."""
    around = [plan["feature_format"].format(name=name, value="\0").split("\0") for name in names]
    separator = plan["feature_separator"]
    between = [before[-1] + separator + after[0] for before, after in itertools.pairwise(around)]
    return [around[0][0], *between, around[-1][-1]]


def _leftmost(text: str, delimiters: Sequence[str], begin: int, end: int) -> list[int] | None:
    """The leftmost positions of the delimiters, in this order; None where one is missing."""
    positions = []
    for delimiter in delimiters:
        position = text.find(delimiter, begin, end)
        if position < 0:
            return None
        positions.append(position)
        begin = position + len(delimiter)
    return positions


def _rightmost(text: str, delimiters: Sequence[str], begin: int, end: int) -> list[int]:
    """The rightmost positions of the delimiters, all of which are present."""
    positions = []
    for delimiter in reversed(delimiters):
        end = text.rfind(delimiter, begin, end)
        positions.append(end)
    return positions[::-1]

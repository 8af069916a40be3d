"""Prompts that are written as a plan says, taken apart into what stands for each cell, and put together otherwise."""

import itertools
import re
from collections.abc import Sequence

from loramake.artifact_types.prepare import CellTokens, Plan


def split_prompt(text: str, names: Sequence[str], plan: Plan) -> list[str] | None:
    """What stands for each feature's cell in a prompt that is written as the plan says.

    None where it is not, or where cells hold such text that it could be read in more than one way. Where the plan has
    tokens for cells, every cell has to have one.
    """
    if plan["cell_tokens"] is not None:
        tokens: list[str] = text.split(plan["feature_separator"])
        pattern = _token_pattern(plan["cell_tokens"])
        return tokens if len(tokens) == len(names) and all(map(pattern.fullmatch, tokens)) else None
    signs = _signs_between(names, plan)
    first, *inner, last = signs
    if not (text.startswith(first) and text.endswith(last) and len(text) >= len(first) + len(last)):
        return None
    begin, end = len(first), len(text) - len(last)
    found = _places(text, inner, begin, end)
    if found is None or found != _places_from_behind(text, inner, begin, end):
        return None
    starts = [begin, *(place + len(sign) for place, sign in zip(found, inner, strict=True))]
    cells = [text[start:stop] for start, stop in zip(starts, [*found, end], strict=True)]
    return cells if join_prompt(names, cells, plan) == text else None


def join_prompt(names: Sequence[str], cells: Sequence[str], plan: Plan) -> str:
    """A prompt as the plan says, from the names of features and what stands for their cells."""
    if plan["cell_tokens"] is not None:
        return str(plan["feature_separator"]).join(cells)
    signs = _signs_between(names, plan)
    return signs[0] + "".join(cell + sign for cell, sign in zip(cells, signs[1:], strict=True))


def _token_pattern(cell_tokens: CellTokens) -> re.Pattern[str]:
    """What a token for a cell looks like: of a number, of a missing one, of a category."""
    forms = [re.split(r"\{\w*\}", cell_tokens[kind]) for kind in ("number", "missing", "category")]
    return re.compile("|".join(r"\d+".join(map(re.escape, parts)) for parts in forms))


def _signs_between(names: Sequence[str], plan: Plan) -> list[str]:
    """The text before the first cell, between two cells each, and behind the last one."""
    around = [plan["feature_format"].format(name=name, value="\0").split("\0") for name in names]
    separator = plan["feature_separator"]
    between = [before[-1] + separator + after[0] for before, after in itertools.pairwise(around)]
    return [around[0][0], *between, around[-1][-1]]


def _places(text: str, signs: Sequence[str], begin: int, end: int) -> list[int] | None:
    """Where the signs stand, each as far to the left as can be."""
    found = []
    for sign in signs:
        place = text.find(sign, begin, end)
        if place < 0:
            return None
        found.append(place)
        begin = place + len(sign)
    return found


def _places_from_behind(text: str, signs: Sequence[str], begin: int, end: int) -> list[int]:
    """Where the signs stand, each as far to the right as can be; they are known to stand there."""
    found = []
    for sign in reversed(signs):
        end = text.rfind(sign, begin, end)
        found.append(end)
    return found[::-1]

"""A cost matrix, and the decisions of least expected cost under it.

The expected cost of a decision is the mean of its costs over the true labels, weighted by their probabilities; the
cheapest decision is Bayes-optimal where the probabilities are correct (Elkan 2001, "The foundations of cost-sensitive
learning", section 1). Asking a person is one more decision, which costs the same whatever the true label.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from loramake.arrays import Codes, Floats
from loramake.artifact_types.trust import CostMatrix
from loramake.errors import ConfigError, nearest
from loramake.parsing import ParsingError
from loramake.parsing.yaml_text import parse_yaml
from loramake.tasks.labels import match_label
from loramake.trust.selective import ABSTAIN

_ROUNDING = 1e-12
"""Expected costs that differ by less than this share of the largest cost are equal."""
_SHOWN = 5
"""Labels listed in an error."""


class Cheapest(NamedTuple):
    """The decision of least expected cost for each row, and that cost."""

    codes: Codes
    """Code of the label, or ABSTAIN, shape (rows,)."""
    expected: Floats
    """Shape (rows,); NaN where no costs are set."""


class _Spellings(NamedTuple):
    """Labels, and how they may be spelled in YAML without quotes."""

    labels: list[str]
    exact: set[str]
    by_yaml: dict[tuple[type, str], list[str]]


def read_costs(
    costs: Mapping[Any, Any] | None, abstain_cost: float | None, labels: list[str], where: str | Path
) -> CostMatrix:
    """The costs of config.yaml as in costs.json: configured, labels, matrix and abstain_cost.

    The matrix has shape (labels, labels), by true label and decision; None where no costs are set.

    YAML does not read a label such as yes, no, 1 or 2024-01-01 as text; such a key is matched to the one label that
    YAML reads the same way. ConfigError, which begins with `where`, for a key that is not a label, a label without a
    cost, a cost that is not a finite number, and an implausible matrix: one that favours incorrect decisions, or no
    decision at all.
    """
    if costs is None:
        return {"configured": False, "labels": labels, "matrix": None, "abstain_cost": None}
    spellings = _spellings(labels)
    rows = _by_label(costs, spellings, f"{where}: costs", "the true label")
    matrix = []
    for label in labels:
        path = f"{where}: costs: {label}"
        row = _by_label(rows[label], spellings, path, "the decision")
        for decision, cost in row.items():
            if not _is_number(cost):
                raise ConfigError(f"{path}: {decision}: {cost!r} is not a finite number: write the cost as a number.")
        matrix.append([float(row[decision]) for decision in labels])
    _check_meaning(np.array(matrix), labels, f"{where}: costs")
    if abstain_cost is not None and abstain_cost < np.min(matrix):
        raise ConfigError(f"{where}: abstain_cost: {abstain_cost:g} is less than the cost of any decision: raise it.")
    return {"configured": True, "labels": labels, "matrix": matrix, "abstain_cost": abstain_cost}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _by_label(given: Any, spellings: _Spellings, where: str, kind: str) -> dict[str, Any]:
    """The values of a mapping by label, each label once."""
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"{where}: {given!r} is not a mapping: write a cost for each label, such as {{sick: 0, well: 1}}."
        )
    values: dict[str, Any] = {}
    for key, value in given.items():
        label = _match(key, spellings, where)
        if label in values:
            raise ConfigError(f"{where}: {label} appears twice: keep one of them.")
        values[label] = value
    missing = [label for label in spellings.labels if label not in values]
    if missing:
        more = f" and {len(missing) - 1:,} more are" if len(missing) > 1 else " is"
        raise ConfigError(f"{where}: {kind} {missing[0]!r}{more} missing: add the cost.")
    return values


def _spellings(labels: list[str]) -> _Spellings:
    by_yaml = defaultdict(list)
    for label in labels:
        by_yaml[_as_yaml(label)].append(label)
    return _Spellings(labels, set(labels), by_yaml)


def _match(key: Any, spellings: _Spellings, where: str) -> str:
    """The label that a key of the YAML means."""
    if key in spellings.exact:
        return str(key)
    same = spellings.by_yaml.get(_as_yaml(key), [])
    if len(same) == 1:
        return same[0]
    if same:
        raise ConfigError(f"{where}: {key!r} may mean {' or '.join(same[:_SHOWN])}: put the label in quotes.")
    labels = spellings.labels
    if (label := match_label(str(key), labels)) is not None:
        return label
    shown = ", ".join(labels[:_SHOWN]) + (", …" if len(labels) > _SHOWN else "")
    raise ConfigError(f"{where}: {key!r} is not a label{nearest(str(key), labels)}: the labels are {shown}.")


def _as_yaml(key: Any) -> tuple[type, str]:
    """A text as YAML reads it, anything else unchanged; with its type, since True equals 1 in Python."""
    value = key
    if isinstance(key, str):
        try:
            value = parse_yaml(key)
        except ParsingError:
            value = key
    return type(value), repr(value)


def _check_meaning(matrix: Floats, labels: list[str], where: str) -> None:
    """Refuse a matrix in which no decision matters, or an incorrect decision is cheaper than the correct one."""
    if np.all(matrix == matrix[:, :1]):
        raise ConfigError(f"{where}: every decision costs the same, so there is nothing to decide: change the costs.")
    expensive = np.flatnonzero(matrix.diagonal() > matrix.min(axis=1))
    if len(expensive):
        row = expensive[0]
        raise ConfigError(
            f"{where}: {labels[row]}: the correct decision costs {matrix[row, row]:g} and "
            f"{labels[matrix[row].argmin()]} only {matrix[row].min():g}: is the matrix transposed? It is "
            f"{{true label: {{decision: cost}}}}."
        )


def decide(costs: CostMatrix, probabilities: Floats) -> Cheapest:
    """The decision of least expected cost for each row, by costs.json, for `probabilities` of shape (rows, labels).

    Ties go to the most probable label, and to any label rather than a person. Where no costs are set, the most
    probable label, with expected cost NaN.
    """
    if not costs["configured"]:
        return Cheapest(probabilities.argmax(axis=1).astype(np.int64), np.full(len(probabilities), np.nan))
    return find_cheapest(np.array(costs["matrix"]), costs["abstain_cost"], probabilities)


def decide_labels(costs: CostMatrix, probabilities: Floats) -> Codes:
    """The label decided for each row if no person can be asked, shape (rows,)."""
    return decide({**costs, "abstain_cost": None}, probabilities).codes


def find_cheapest(matrix: Floats, abstain: float | None, probabilities: Floats) -> Cheapest:
    """`decide` for a matrix of shape (labels, labels), true labels as rows."""
    expected = probabilities @ matrix
    tolerance = _ROUNDING * np.abs(matrix).max()
    tied = expected <= expected.min(axis=1, keepdims=True) + tolerance
    codes = np.where(tied, probabilities, -1.0).argmax(axis=1).astype(np.int64)
    costs = np.take_along_axis(expected, codes[:, None], axis=1)[:, 0]
    if abstain is not None:
        cheaper = abstain < costs - tolerance
        codes, costs = np.where(cheaper, ABSTAIN, codes), np.where(cheaper, abstain, costs)
    return Cheapest(codes, costs)

"""Columns that give the target away, alone or in pairs, each with its evidence; detected before anything is planned.

An exact rule (one label a value, or numbers cut into as many intervals as there are labels) is accepted if random
labels would fit it with a probability below 1e-4 a table: of the n! / (n₁! … n_k!) ways to assign labels to n rows at
most k^values fit given values, and k! given numbers; the quotient is multiplied by the number of columns or pairs tried
(Bonferroni). Rows are assumed independent: a table that repeats each case many times violates this.

A noisy rule is accepted from a mean recall over the labels of 0.92 with none below 0.85, so up to about 8% wrong cells,
and only for columns that resemble a copy: few values, or numbers close to one number a label. A measurement may be that
good too (petal width is, for irises, at 96%), but its numbers spread. By chance it hardly happens: 17 in 20 rows of
each label would have to lie where at most 3 in 20 of another's do, below 1e-9 a column from 20 rows a label on.

Not checked: three columns together, weighted sums, cuts of two columns at once, noise in pairs of numbers, numbers
whose cut depends on a category, single words of longer texts, and some pairs
in tables of thousands of columns, which `find_leaks` then reports.
"""

import numpy as np
import pandas as pd

from loramake.artifact_types.explore import ProfileColumn
from loramake.artifact_types.shared import ExcludedColumn
from loramake.explore.leaks.alone import (
    has_nearly_one_label_a_value,
    has_one_label_a_value,
    has_one_number_a_label,
    is_cut_into_labels,
    is_filled_by_label,
    sorts_like_target,
)
from loramake.explore.leaks.columns import Column, read_column
from loramake.explore.leaks.evidence import ROWS_A_LABEL, Labels
from loramake.explore.leaks.names import name_speaks_of_outcome
from loramake.explore.leaks.pairs import find_pairs


def find_leaks(table: pd.DataFrame, target: str, columns: list[ProfileColumn]) -> list[ExcludedColumn]:
    """Suspected leaks among a profile's columns, in their order, each column once.

    `table` contains text cells, missing ones None, and only rows with a target. Constants are skipped; of ids only
    the order and the gaps are checked. If a table is too wide to try all pairs, it reports so.
    """
    codes, names = pd.factorize(table[target], sort=True)
    order = np.argsort(codes, kind="stable")
    labels = Labels(codes[order], list(names), len(columns))
    reasons: dict[str, str] = {}
    others = []
    for entry in columns:
        if entry["name"] == target or entry["type"] == "constant":
            continue
        column = read_column(table[entry["name"]], entry["type"], order, labels)
        if reason := _find_reason(column, target):
            reasons[column.name] = reason
        elif column.kind != "id" and column.is_mostly_filled:
            others.append(column)
    if len(names) > 1 and labels.rows.min() >= ROWS_A_LABEL:
        reasons |= find_pairs(others, labels)
    return [
        ExcludedColumn(name=entry["name"], reason=reasons[entry["name"]])
        for entry in columns
        if entry["name"] in reasons
    ]


def _find_reason(column: Column, target: str) -> str | None:
    """How a column gives the target away by itself."""
    if column.kind == "id":
        return is_filled_by_label(column) or sorts_like_target(column)
    checks = [is_filled_by_label]
    if column.is_mostly_filled:
        checks += [has_one_label_a_value, is_cut_into_labels, has_one_number_a_label, has_nearly_one_label_a_value]
    return next(filter(None, (check(column) for check in checks)), None) or name_speaks_of_outcome(column, target)

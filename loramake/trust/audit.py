"""Whether predictions are equally good for all groups of rows, and whether the requirements are met."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from loramake import artifacts, schemas
from loramake.arrays import check_codes, check_probabilities, check_truth
from loramake.artifact_types.trust import (
    Audit,
    AuditedColumn,
    AuditedGroup,
    ColumnKind,
    GroupMeasures,
    JudgedRequirement,
    MeasuredColumn,
)
from loramake.console import Advance, progress, say
from loramake.errors import ConfigError, DataError, nearest
from loramake.evaluation.intervals import CONFIDENCE, RESAMPLES
from loramake.prediction.predictions import Scored, read_scored
from loramake.tables.source import Source
from loramake.tasks import make_task, read_task
from loramake.trust.cells import read_cells
from loramake.trust.conformal import load_sets
from loramake.trust.cost_matrix import decide_labels
from loramake.trust.decisions import decide_rows
from loramake.trust.group_differences import compare_groups
from loramake.trust.group_measures import Rows, Sums, count_rows, describe_group, resample_sums
from loramake.trust.groups import MIN_ROWS, Group, split_groups
from loramake.trust.requirements import check_requirements
from loramake.trust.selective import ABSTAIN
from loramake.trust.sentences.groups import summarize_column
from loramake.trust.sentences.requirements import summarize_requirements


def check_audit_columns(columns: Sequence[str], names: Iterable[str], target: str | None, where: str | Path) -> None:
    """Raise ConfigError where an audit column is not one of the table's (`names`), or is the target itself."""
    available = list(names)
    for column in columns:
        if column not in available:
            raise ConfigError(
                f"{where}: audit_columns: {column!r} is not a column{nearest(column, available)}: name an existing one."
            )
        if column == target:
            raise ConfigError(
                f"{where}: audit_columns: {column} is the target, whose groups are the labels themselves: name another."
            )


def audit_groups(
    source: Source,
    task: str | Path,
    held_out: str | Path,
    test: str | Path,
    measured: dict[str, str | Path],
    columns: Sequence[str],
    requirements: dict[str, float],
    seed: int,
    out: str | Path,
) -> None:
    """Write audit.json: the measures of each group of each audit column on the test rows, and the requirements.

    `measured` maps each of `requirements.FILES` to its path; `held_out` and `test` are calibrated predictions.
    """
    target_task = read_task(task)
    conformal = artifacts.read(measured["conformal"], schemas.CONFORMAL)
    risk, costs = artifacts.read(measured["risk"], schemas.RISK), artifacts.read(measured["costs"], schemas.COSTS)
    contents = {
        "metrics": artifacts.read(measured["metrics"], schemas.METRICS),
        "calibration_measures": artifacts.read(measured["calibration_measures"], schemas.CALIBRATION_MEASURES),
        "conformal": conformal,
        "risk": risk,
        "costs": costs,
    }
    scored = read_scored(test, target_task.labels).in_order()
    sets = load_sets(conformal, read_scored(held_out, target_task.labels)).predict(scored.probabilities)
    abstained = decide_rows(costs, risk, scored.probabilities).codes == ABSTAIN
    rows = count_rows(scored, decide_labels(costs, scored.probabilities), sets, abstained, target_task)
    cells = read_cells(source, scored.keys) if columns else pd.DataFrame()
    check_audit_columns(columns, cells.columns, target_task.target, source.csv.path)
    # One thread: on a busy machine, several wait for each other.
    with threadpool_limits(limits=1), progress("auditing, resamples") as advance:
        overall, audited = audit(rows, [cells[name] for name in columns], seed, advance)
    judged = check_requirements(requirements, {**contents, "audit": {"overall": overall}}, audited)
    content = evaluate(rows, overall, audited, judged)
    artifacts.write(out, content, schemas.AUDIT)
    say(content["groups_sentence"])
    say(content["sentence"])


class GroupAudit(TypedDict):
    """`overall` and `columns` of audit.json."""

    overall: GroupMeasures
    columns: list[AuditedColumn]


def audit_by_group(
    truth: ArrayLike,
    probabilities: ArrayLike,
    groups: Mapping[str, ArrayLike] | pd.DataFrame,
    decisions: ArrayLike | None = None,
    sets: ArrayLike | None = None,
    seed: int = 0,
) -> GroupAudit:
    """The measures of all rows and of the groups of each column, with their differences and 95% intervals.

    `truth` (rows,) are indices of columns of `probabilities` (rows, labels), of which the last is the positive label
    where there are two. `groups` are columns of `rows` cells, of any kind, missing ones None or NaN. Each value is a
    group, or each quartile of a number; groups of fewer than MIN_ROWS rows are left out of differences. `decisions`
    (rows,) are the labels decided, or ABSTAIN, by default the most probable ones; `sets` (rows, labels) are prediction
    sets, by default of all labels. DataError for other shapes or values.

    Intervals of shares are Wilson's (1927), those of differences simultaneous: see group_differences.py.
    """
    checked = check_probabilities(probabilities)
    codes = check_truth(truth, checked)
    members = np.ones(checked.shape, dtype=np.bool_) if sets is None else np.asarray(sets)
    if members.dtype != np.bool_:
        raise DataError(f"the sets are of the type {members.dtype}: give true or false for each row and label.")
    if not isinstance(groups, Mapping | pd.DataFrame):
        raise DataError("the groups are not columns: give a DataFrame, or a mapping of names to cells.")
    if members.shape != checked.shape:
        raise DataError(f"the sets have the shape {members.shape} but the probabilities {checked.shape}: match them.")
    columns = [_as_text(str(name), cells, len(codes)) for name, cells in groups.items()]
    most_probable = checked.argmax(axis=1)
    decided = most_probable if decisions is None else check_codes(decisions, checked, "decisions", least=ABSTAIN)
    abstained = decided == ABSTAIN
    task = make_task("multiclass", "", [str(label) for label in range(checked.shape[1])])
    scored = Scored([("csv", row) for row in range(len(codes))], codes, checked)
    rows = count_rows(scored, np.where(abstained, most_probable, decided), members, abstained, task)
    overall, audited = audit(rows, columns, seed)
    return {"overall": overall, "columns": audited}


def _as_text(name: str, cells: ArrayLike, rows: int) -> "pd.Series[str]":
    """A column as audit_groups reads it from a table: cells as text, missing ones as they are."""
    given = np.asarray(cells)
    if given.shape != (rows,):
        raise DataError(f"{name} has the shape {given.shape}: give a cell for each of the {rows:,} rows.")
    column = pd.Series(given, name=name, dtype=object)
    return column.map(str, na_action="ignore").astype(object)  # map makes floats of NaN alone


def evaluate(
    rows: Rows, overall: GroupMeasures, columns: list[AuditedColumn], requirements: list[JudgedRequirement]
) -> Audit:
    """The content of audit.json, from the results of `audit` and `check_requirements`."""
    passed = sum(requirement["passed"] for requirement in requirements)
    sentences = " ".join(column["sentence"] for column in columns)
    return {
        "rows": len(rows.summands),
        "rates_of": rows.labels,
        "min_rows": MIN_ROWS,
        "resamples": RESAMPLES,
        "confidence": CONFIDENCE,
        "overall": overall,
        "columns": columns,
        "groups_sentence": sentences or "No groups are compared: audit_columns is not set.",
        "requirements": requirements,
        "summary": {"passed": passed, "failed": len(requirements) - passed},
        "sentence": summarize_requirements(requirements),
    }


def audit(
    rows: Rows, columns: Sequence["pd.Series[str]"], seed: int, advance: Advance | None = None
) -> tuple[GroupMeasures, list[AuditedColumn]]:
    """`overall` and `columns` of audit.json; each column is of text, shape (rows,)."""
    grouped = [split_groups(column) for column in columns]
    all_rows = np.arange(len(rows.summands))
    members = [all_rows, *(group.rows for _, groups in grouped for group in groups)]
    overall, *sums = resample_sums(rows.summands, members, seed, advance)
    remaining = iter(sums)
    audited = [
        _audit_column(str(column.name), kind, groups, [next(remaining) for _ in groups], rows, seed)
        for column, (kind, groups) in zip(columns, grouped, strict=True)
    ]
    return describe_group(overall, rows, all_rows, seed), audited


def _audit_column(
    name: str, kind: ColumnKind, groups: list[Group], sums: list[Sums], rows: Rows, seed: int
) -> AuditedColumn:
    described: list[AuditedGroup] = [
        {
            "name": group.name,
            "kind": group.kind,
            "small": len(group.rows) < MIN_ROWS,
            **describe_group(summed, rows, group.rows, seed),
        }
        for group, summed in zip(groups, sums, strict=True)
    ]
    large = [index for index, group in enumerate(described) if not group["small"]]
    column: MeasuredColumn = {
        "name": name,
        "kind": kind,
        "groups": described,
        "differences": compare_groups(
            [groups[index].name for index in large], [sums[index] for index in large], rows, seed
        ),
        "too_small": [group["name"] for group in described if group["small"]],
    }
    return {**column, "sentence": summarize_column(column)}

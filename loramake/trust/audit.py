"""Whether groups of rows fare alike, and whether the test meets its requirements."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from loramake import artifacts, schemas
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
from loramake.errors import ConfigError, nearest
from loramake.evaluation.intervals import CONFIDENCE, RESAMPLES
from loramake.prediction.predictions import read_scored
from loramake.tables.source import Source
from loramake.tasks import read_task
from loramake.trust.cells import read_cells
from loramake.trust.conformal import load_sets
from loramake.trust.cost_matrix import ABSTAIN, decide_labels
from loramake.trust.decisions import decide_rows
from loramake.trust.group_differences import compare_groups
from loramake.trust.group_measures import Rows, Sums, count_rows, describe_group, resample_sums
from loramake.trust.groups import MIN_ROWS, Group, split_groups
from loramake.trust.requirements import check_requirements
from loramake.trust.sentences.groups import summarize_column
from loramake.trust.sentences.requirements import summarize_requirements


def check_audit_columns(columns: Sequence[str], names: Iterable[str], target: str | None, where: str | Path) -> None:
    """Raise ConfigError where an audit column is none of the table's (`names`), or the target itself."""
    known = list(names)
    for column in columns:
        if column not in known:
            raise ConfigError(f"{where}: audit_columns: {column!r} is not a column{nearest(column, known)}: name one.")
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

    `measured` holds the paths of what `requirements.FILES` names; `held_out` and `test` the calibrated probabilities.
    """
    found = read_task(task)
    conformal = artifacts.read(measured["conformal"], schemas.CONFORMAL)
    risk, costs = artifacts.read(measured["risk"], schemas.RISK), artifacts.read(measured["costs"], schemas.COSTS)
    read = {
        "metrics": artifacts.read(measured["metrics"], schemas.METRICS),
        "calibration_measures": artifacts.read(measured["calibration_measures"], schemas.CALIBRATION_MEASURES),
        "conformal": conformal,
        "risk": risk,
        "costs": costs,
    }
    scored = read_scored(test, found.labels).in_order()
    sets = load_sets(conformal, read_scored(held_out, found.labels)).predict(scored.probabilities)
    asked = decide_rows(costs, risk, scored.probabilities).codes == ABSTAIN
    rows = count_rows(scored, decide_labels(costs, scored.probabilities), sets, asked, found)
    cells = read_cells(source, scored.keys) if columns else pd.DataFrame()
    check_audit_columns(columns, cells.columns, found.target, source.csv.path)
    # One thread: on a busy machine several wait for each other.
    with threadpool_limits(limits=1), progress("auditing, resamples") as advance:
        overall, audited = audit(rows, [cells[name] for name in columns], seed, advance)
    judged = check_requirements(requirements, {**read, "audit": {"overall": overall}}, audited)
    content = evaluate(rows, overall, audited, judged)
    artifacts.write(out, content, schemas.AUDIT)
    say(content["groups_sentence"])
    say(content["sentence"])


def evaluate(
    rows: Rows, overall: GroupMeasures, columns: list[AuditedColumn], requirements: list[JudgedRequirement]
) -> Audit:
    """audit.json of what `audit` and `check_requirements` found."""
    passed = sum(each["passed"] for each in requirements)
    told = " ".join(column["sentence"] for column in columns)
    return {
        "rows": len(rows.summands),
        "rates_of": rows.labels,
        "min_rows": MIN_ROWS,
        "resamples": RESAMPLES,
        "confidence": CONFIDENCE,
        "overall": overall,
        "columns": columns,
        "groups_sentence": told or "No audit_columns are set, so no groups are compared.",
        "requirements": requirements,
        "summary": {"passed": passed, "failed": len(requirements) - passed},
        "sentence": summarize_requirements(requirements),
    }


def audit(
    rows: Rows, columns: Sequence["pd.Series[str]"], seed: int, advance: Advance | None = None
) -> tuple[GroupMeasures, list[AuditedColumn]]:
    """`overall` and `columns` of audit.json; each column is of text, shape (rows,)."""
    parted = [split_groups(column) for column in columns]
    everybody = np.arange(len(rows.summands))
    members = [everybody, *(group.rows for _, groups in parted for group in groups)]
    whole, *sums = resample_sums(rows.summands, members, seed, advance)
    found = iter(sums)
    audited = [
        _audit_column(str(column.name), kind, groups, [next(found) for _ in groups], rows, seed)
        for column, (kind, groups) in zip(columns, parted, strict=True)
    ]
    return describe_group(whole, rows), audited


def _audit_column(
    name: str, kind: ColumnKind, groups: list[Group], sums: list[Sums], rows: Rows, seed: int
) -> AuditedColumn:
    described: list[AuditedGroup] = [
        {"name": group.name, "kind": group.kind, "small": len(group.rows) < MIN_ROWS, **describe_group(own, rows)}
        for group, own in zip(groups, sums, strict=True)
    ]
    large = [place for place, group in enumerate(described) if not group["small"]]
    column: MeasuredColumn = {
        "name": name,
        "kind": kind,
        "groups": described,
        "differences": compare_groups(
            [groups[place].name for place in large], [sums[place] for place in large], rows, seed
        ),
        "too_small": [group["name"] for group in described if group["small"]],
    }
    return {**column, "sentence": summarize_column(column)}

"""Which columns a prediction may use: ids, constants and leaks dropped, wide tables ranked on their train rows."""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from loramake import artifacts, schemas
from loramake.artifact_types.explore import TaskDescription, UnusableColumns
from loramake.artifact_types.prepare import SelectedFeatures
from loramake.artifact_types.shared import ExcludedColumn
from loramake.console import progress, say
from loramake.errors import DataError
from loramake.explore.splits import read_split
from loramake.prepare.ranking import rank, unranked
from loramake.spreadsheet import escape_formula
from loramake.tables.source import Source

RANK_FROM = 50
"""Tables with fewer features than this are not ranked."""

_SPLIT_COLUMNS: dict[Literal["group_column", "time_column"], str] = {
    "group_column": "the splits are by its values, so training has not seen those of new rows",
    "time_column": "the splits are by time, so new rows are later than all training rows",
}


def select_features(
    source: Source,
    profile: str | Path,
    task: str | Path,
    splits: str | Path,
    unusable: str | Path,
    max_features: int,
    seed: int,
    out: str | Path,
    rankings: str | Path,
) -> None:
    """Write selected_features.json and feature_rankings.csv, fitted on the train rows only."""
    described = artifacts.read(task, schemas.TASK)
    columns = artifacts.read(profile, schemas.PROFILE)["columns"]
    names = [column["name"] for column in columns]
    dropped = find_dropped(described, artifacts.read(unusable, schemas.UNUSABLE_COLUMNS))
    candidates = [
        name for name in names if name != described["target"] and name not in {entry["name"] for entry in dropped}
    ]
    if not candidates:
        raise DataError(
            f"{source.csv.path}: no feature is left besides the target {described['target']}: every other column was "
            f"dropped. List those to use under keep: in feedback/explore.yaml beside the results."
        )
    ranked = len(candidates) >= RANK_FROM
    table = unranked(candidates)
    if ranked:
        _, train = read_split(source, splits, "train")
        with progress(f"ranking {len(candidates):,} features", unit="batches of trees") as advance:
            table = rank(train[candidates], train[described["target"]], columns, seed, advance=advance)
    kept, note = _keep(table, candidates, max_features, ranked)
    if not kept:
        raise DataError(
            f"{source.csv.path}: every feature is constant on the train rows: lower the ratios of other splits or add "
            f"rows."
        )
    constant = set(table.loc[np.isinf(table["average_rank"]), "feature"])
    reasons = {True: "it is constant on the train rows", False: f"ranked below the {max_features} best"}
    dropped += [{"name": name, "reason": reasons[name in constant]} for name in candidates if name not in kept]
    with artifacts.atomic(rankings) as temporary:
        table.assign(feature=table["feature"].map(escape_formula)).to_csv(temporary, index=False, lineterminator="\n")
    selected: SelectedFeatures = {"kept": kept, "dropped": dropped, "ranked": ranked, "note": note}
    artifacts.write(out, selected, schemas.SELECTED_FEATURES)
    say(note)


def find_dropped(task: TaskDescription, unusable: UnusableColumns) -> list[ExcludedColumn]:
    """Ids, constants and leaks unless feedback keeps them, and what feedback drops, each with its reason."""
    keep = set(task["feedback"]["keep"])
    dropped: list[ExcludedColumn] = [
        {"name": column["name"], "reason": f"{kind}: {column['reason']}"}
        for kind, columns in (
            ("id", unusable["ids"]),
            ("constant", unusable["constants"]),
            ("suspected leak", unusable["leaks"]),
        )
        for column in columns
        if column["name"] not in keep
    ]
    kept_or_dropped = keep | {column["name"] for column in dropped}
    dropped += [
        {"name": name, "reason": reason}
        for key, reason in _SPLIT_COLUMNS.items()
        if (name := task[key]) is not None and name not in kept_or_dropped
    ]
    dropped_names = {column["name"] for column in dropped}
    requested = [name for name in task["feedback"]["drop"] if name not in dropped_names and name != task["target"]]
    return dropped + [{"name": name, "reason": "dropped by feedback"} for name in requested]


def _keep(table: pd.DataFrame, candidates: list[str], max_features: int, ranked: bool) -> tuple[list[str], str]:
    if not ranked:
        return candidates, f"{len(candidates)} features, fewer than {RANK_FROM}: all are kept and none is ranked."
    best = set(table.loc[np.isfinite(table["average_rank"]), "feature"].head(max_features))
    return [
        name for name in candidates if name in best
    ], f"{len(candidates)} features ranked on the train rows, {len(best)} kept."

"""The target and its labels."""

from pathlib import Path

import pandas as pd

from loramake import artifacts, schemas
from loramake.agents import Agent
from loramake.artifact_types.explore import Profile, TaskDescription, TaskRows, TestHeader
from loramake.console import say
from loramake.errors import DataError, nearest
from loramake.feedback import COLUMN_LISTS, Feedback, read_feedback
from loramake.settings import Settings
from loramake.tables.reading import align_names
from loramake.tables.source import Source, align
from loramake.tables.spelling import map_cells
from loramake.tasks import CountedTask, find_task, rows_by_label, spellings_of
from loramake.tasks.labels import describe_merged, find_synonyms, label_key
from loramake.text import shorten

_LABELS_SHOWN = 8


def explore_data(
    source: Source,
    profile: str | Path,
    feedback: str | Path | None,
    settings: Settings,
    agent: Agent,
    out: str | Path,
) -> None:
    """Write task.json: the agent chooses the target, whose values are the labels.

    `settings` contains target, group_column, time_column, rare_labels and merge_labels.
    """
    profiled = artifacts.read(profile, schemas.PROFILE)
    table = source.csv.read()
    requested = read_feedback(feedback) if feedback else {}
    check_columns(settings, requested, table.columns, source.csv.path)
    chosen = agent.explore(profiled, table, settings["target"], requested.get("notes", []))
    check_columns({**settings, "target": chosen["target"]}, {}, table.columns, source.csv.path)
    source = source.with_target(chosen["target"])
    table = source.csv.read()
    target, how = table[chosen["target"]], (settings["rare_labels"], settings["merge_labels"])
    counted = find_task(source.csv.path, target, chosen["labels"], *how)
    header = _compare_headers(profiled, chosen["target"])
    if source.test_csv is not None:
        test_labels = find_test_labels(align(source.test_csv.read(), table), target, *how)
        counted.task.check_test(source.test_csv.path, test_labels)
    described: TaskDescription = {
        **counted.task.describe(counted.rows, counted.spellings),
        "is_target_set": settings["target"] is not None,
        "reason": chosen["reason"],
        "rows": _count_rows(target, counted),
        "group_column": settings["group_column"],
        "time_column": settings["time_column"],
        "feedback": {
            "keep": requested.get("keep", []),
            "drop": requested.get("drop", []),
            "unread_notes": 0 if agent.reads_notes else len(requested.get("notes", [])),
        },
        "test_header": header,
        "by": agent.by,
    }
    artifacts.write(out, described, schemas.TASK)
    _announce(described)


def check_columns(settings: Settings, requested: Feedback, names: "pd.Index[str]", csv: str | Path) -> None:
    """Raise DataError if a setting or feedback names a column that the CSV does not have, or one twice."""
    named = {key: settings[key] for key in ("target", "group_column", "time_column") if settings[key] is not None}
    lists = [(key, name) for key in COLUMN_LISTS for name in requested.get(key, [])]
    for key, name in [*named.items(), *lists]:
        if name not in names:
            unset = f" (to leave it unset, write {key}= or {key}:)" if name.lower() in ("null", "none", "~") else ""
            raise DataError(f"{csv}: {key}: {name!r} is not a column{nearest(name, names)}{unset}.")
    if len(set(named.values())) < len(named):
        raise DataError(f"{csv}: {' and '.join(named)} name the same column: name another.")


def find_test_labels(
    test: pd.DataFrame, target: "pd.Series[str]", rare_labels: str, merge_labels: bool
) -> "pd.Series[str]":
    """The target cells of the test table's rows, without those that `rare_labels: drop` leaves out of the CSV."""
    key, cells = label_key(merge_labels), test[str(target.name)]
    counts = map_cells(target, key).value_counts()
    rare = list(counts.index[counts == 1]) if rare_labels == "drop" else []
    return cells[~map_cells(cells, key).isin(rare)]


def _count_rows(target: "pd.Series[str]", counted: CountedTask) -> TaskRows:
    kept, empty = int(counted.rows.sum()), int(target.isna().sum())
    return {"with_target": kept, "without_target": empty, "with_rare_label": len(target) - kept - empty}


def _announce(task: TaskDescription) -> None:
    rows = rows_by_label(task)
    labels = ", ".join(f"{shorten(label, 20)} ({count:,})" for label, count in list(rows.items())[:_LABELS_SHOWN])
    more = f", and {len(rows) - _LABELS_SHOWN:,} more" if len(rows) > _LABELS_SHOWN else ""
    say(describe_target(task))
    say(f"labels: {labels}{more}.")
    if merged := describe_merged(task["target"], spellings_of(task)):
        say(merged)
    if synonyms := _describe_synonyms(task):
        say(synonyms)
    if task["rows"]["with_rare_label"]:
        say(f"{task['rows']['with_rare_label']:,} rows whose label occurs only once are left out.")
    renamed = task["test_header"]["renamed"] if task["test_header"] else {}
    for name, name_in_csv in renamed.items():
        say(f"test_csv: its column {name!r} is read as {name_in_csv!r}.")
    if task["feedback"]["unread_notes"]:
        say("feedback/explore.yaml has notes, which the builtin agent does not read; it reads target, keep and drop.")


def describe_target(task: TaskDescription) -> str:
    """One sentence about the target, and how to change one that nobody named."""
    if task["is_target_set"]:
        return f"the target is {task['target']} ({task['reason']})."
    return (
        f"target is not set: {task['target']} was chosen ({task['reason']}); set target in config.yaml, to this column "
        f"or another."
    )


def _describe_synonyms(task: TaskDescription) -> str | None:
    """One sentence about several words for yes, or for no, among the labels; None if there are none."""
    groups = find_synonyms(rows_by_label(task))
    if not groups:
        return None
    shown = "; ".join(map(", ".join, groups))
    return f"labels of {task['target']} that may mean the same stay apart ({shown}): write them alike in the CSV."


def _compare_headers(profile: Profile, target: str) -> TestHeader | None:
    """test_csv's header compared with the CSV's; DataError if a column is missing there."""
    if profile["test_csv"] is None:
        return None
    names = [column["name"] for column in profile["columns"]]
    test_names = profile["test_csv"]["columns"]
    return compare_headers(profile["csv"], names, profile["test_csv"]["csv"], test_names, target)


def compare_headers(
    csv: str | Path, names: list[str], test_csv: str | Path, test_names: list[str], target: str | None
) -> TestHeader:
    """Which of a test table's columns are renamed, extra or reordered; DataError if one is missing."""
    aligned = align_names(test_names, names)
    missing = [name for name in names if name not in aligned]
    if missing:
        first = target if target in missing else missing[0]
        role = "the target" if first == target else "the column"
        more = f" and {len(missing) - 1:,} more columns" if len(missing) > 1 else ""
        raise DataError(
            f"{test_csv} lacks {role} {first!r}{nearest(first, test_names)}{more} of {csv}: give both the same columns."
        )
    return {
        "renamed": {old: new for old, new in zip(test_names, aligned, strict=True) if old != new},
        "extra": [name for name in aligned if name not in names],
        "reordered": [name for name in aligned if name in set(names)] != names,
    }

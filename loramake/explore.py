"""What is to be predicted, and which columns give it away, say nothing or merely name the row."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.tree import DecisionTreeClassifier

from loramake import artifacts
from loramake.agents import get_agent
from loramake.config import read_feedback
from loramake.console import say
from loramake.errors import DataError, nearest
from loramake.profile import MAX_CLASSES_OF_NUMBERS, shorten
from loramake.tables import read_table, to_numbers

_ROWS_A_VALUE = 5
"""A value must come up this often on average before its column can be called a leak rather than a near-id."""


def explore_data(
    csv: str | Path,
    test_csv: str | Path | None,
    profile: str | Path,
    feedback: str | Path | None,
    target: str | None,
    agent: str,
    out: str | Path,
) -> None:
    """Write task.json: the agent names the target, deterministic evidence names ids, constants and leaks."""
    described = artifacts.read(profile, "profile")
    asked = read_feedback(feedback) if feedback else {}
    table = read_table(csv)
    if target is not None:
        _check_column(target, table, csv)
    explorer = get_agent(agent)
    found = explorer.explore(described, table, target)
    header = _compare_headers(described, found["target"])
    if test_csv is not None:
        _check_test_labels(test_csv, read_table(test_csv)[found["target"]], found["labels"])
    task = {
        **_describe_labels(csv, table[found["target"]], found["labels"], described),
        "target": found["target"],
        "reason": found["reason"],
        **_find_unusable(described, table, found["target"]),
        "feedback": {
            "keep": [_check_column(name, table, feedback or csv) for name in asked.get("keep", [])],
            "drop": [_check_column(name, table, feedback or csv) for name in asked.get("drop", [])],
            "unread_notes": 0 if explorer.reads_notes else len(asked.get("notes", [])),
        },
        "test_header": header,
        "by": explorer.by,
    }
    artifacts.write(out, task, "task")
    _announce(task)


def _announce(task: dict[str, Any]) -> None:
    labels = ", ".join(f"{shorten(label['value'], 20)} ({label['rows']:,})" for label in task["labels"][:8])
    more = ", …" if len(task["labels"]) > 8 else ""
    say(f"the target is {task['target']} ({task['reason']}); labels: {labels}{more}.")
    for leak in task["leaks"]:
        say(f"suspected leak, left out: {leak['name']}: {leak['reason']}.")
    if task["feedback"]["unread_notes"]:
        say("feedback/explore.yaml holds notes, which the builtin agent does not read; it reads target, keep and drop.")


def _check_column(name: str, table: pd.DataFrame, where: str | Path) -> str:
    if name not in table.columns:
        raise DataError(f"{where}: {name!r} is not a column{nearest(name, table.columns)}.")
    return name


def _describe_labels(
    csv: str | Path, target: "pd.Series[str]", labels: list[str], profile: dict[str, Any]
) -> dict[str, Any]:
    """Task type, labels with their rows, rows with and without a target; DataError where it is no classification."""
    filled = target.dropna()
    if len(labels) < 2:
        what = f"the one value {labels[0]!r}" if labels else "no value"
        raise DataError(f"{csv}: the target {target.name} has {what}: choose another column with target.")
    if to_numbers(filled).notna().all() and len(labels) > MAX_CLASSES_OF_NUMBERS:
        raise DataError(
            f"{csv}: the target {target.name} is a number of {len(labels):,} different values; regression is not "
            f"supported yet: bin it into classes, or choose another column with target."
        )
    kind = next(column["type"] for column in profile["columns"] if column["name"] == target.name)
    if kind in ("id", "text", "date"):
        raise DataError(
            f"{csv}: the target {target.name} is a column of {kind}, not of labels: choose another with target."
        )
    counts = filled.value_counts()
    return {
        "task_type": "binary" if len(labels) == 2 else "multiclass",
        "labels": [{"value": label, "rows": int(counts.get(label, 0))} for label in labels],
        "positive_label": labels[-1] if len(labels) == 2 else None,
        "rows": {"with_target": len(filled), "without_target": int(target.isna().sum())},
    }


def _find_unusable(profile: dict[str, Any], table: pd.DataFrame, target: str) -> dict[str, list[dict[str, str]]]:
    """ids, constants and leaks among the columns, each with its reason."""
    found: dict[str, list[dict[str, str]]] = {"ids": [], "constants": [], "leaks": []}
    labelled = table[table[target].notna()]
    for column in profile["columns"]:
        name = column["name"]
        if name == target:
            continue
        if column["type"] == "id":
            found["ids"].append({"name": name, "reason": "every row has its own value, so it only names the row"})
        elif column["type"] == "constant":
            found["constants"].append(
                {"name": name, "reason": "it never changes" if column["distinct"] else "it is empty"}
            )
        elif reason := leak_reason(labelled[name], labelled[target]):
            found["leaks"].append({"name": name, "reason": reason})
    return found


def leak_reason(column: "pd.Series[str]", target: "pd.Series[str]") -> str | None:
    """Why a column alone determines the target, or None where it does not."""
    filled = column.dropna()
    if _ROWS_A_VALUE <= len(filled) <= len(column) - _ROWS_A_VALUE and _one_label_each(column.isna(), target):
        return f"it is filled for one label only ({len(filled):,} rows) and empty for the other"
    if filled.empty or len(filled) < 0.5 * len(column) or target[filled.index].nunique() < 2:
        return None
    if len(filled) >= _ROWS_A_VALUE * filled.nunique() and _one_label_each(filled, target[filled.index]):
        return f"each of its {filled.nunique()} values comes with one label only, in all {len(filled):,} rows"
    numbers = to_numbers(filled)
    if numbers.notna().all() and _separates(numbers.to_numpy(), target[filled.index].to_numpy()):
        return f"cutting its numbers at a few points gives the label of all {len(filled):,} rows"
    return None


def _one_label_each(values: "pd.Series[Any]", target: "pd.Series[str]") -> bool:
    """Whether no value comes with two labels."""
    return bool((target.groupby(values).nunique() == 1).all())


def _check_test_labels(test_csv: str | Path, target: "pd.Series[str]", labels: list[str]) -> None:
    """Raise DataError for labels that training never sees, and for a test table without any label."""
    unseen = target.dropna()[~target.dropna().isin(labels)]
    if len(unseen):
        names = ", ".join(repr(shorten(label, 40)) for label in sorted(unseen.unique())[:5])
        raise DataError(
            f"{test_csv}: {len(unseen):,} rows have labels that the CSV does not have ({names}; first in data row "
            f"{unseen.index[0]}): write them as there ({', '.join(map(repr, labels[:5]))})."
        )
    if target.notna().sum() == 0:
        raise DataError(f"{test_csv}: no row has a value in the target {target.name}: nothing could be tested.")


def _separates(numbers: np.ndarray, labels: np.ndarray) -> bool:
    """Whether as many intervals as there are labels, and a few rows in each, tell the labels apart without an error."""
    classes, rows = np.unique(labels, return_counts=True)
    if rows.min() < _ROWS_A_VALUE:
        return False
    tree = DecisionTreeClassifier(max_leaf_nodes=len(classes), random_state=0)
    cells = rankdata(numbers, method="dense").reshape(-1, 1)  # ranks cut alike, and trees take no number beyond float32
    return bool(tree.fit(cells, labels).score(cells, labels) == 1.0)


def _compare_headers(profile: dict[str, Any], target: str) -> dict[str, Any] | None:
    """test_csv's header against the CSV's; DataError where a column is missing there."""
    if profile["test_csv"] is None:
        return None
    names = [column["name"] for column in profile["columns"]]
    test_names = profile["test_csv"]["columns"]
    missing = [name for name in names if name not in test_names]
    if missing:
        role = "the target " if target in missing else ""
        near = nearest(missing[0], test_names)
        raise DataError(f"{profile['test_csv']['csv']} lacks {role}{missing[0]}{near}, a column of {profile['csv']}.")
    shared = [name for name in test_names if name in names]
    return {"extra": [name for name in test_names if name not in names], "reordered": shared != names}

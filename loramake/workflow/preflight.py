"""Checks before a job starts: the tables, and the settings that refer to them.

Snakemake deletes a job's outputs before the job runs, so a table that turns out to be broken within a job costs the
results of the last good one. The tables are read completely here, once for every change of size, time or settings.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from loramake import layout
from loramake.config import EXPERIMENT_NAME, REVIEWS
from loramake.console import working
from loramake.errors import ConfigError, DataError, nearest
from loramake.experiments import RESULTS
from loramake.feedback import COLUMN_LISTS, FEEDBACK_SETTINGS, Feedback, read_feedback
from loramake.layout import approval_name
from loramake.parsing.json_text import read_json
from loramake.settings import Settings
from loramake.tables.reading import check_file
from loramake.tables.source import align, sniff_source

CHECKED = Path("results/.cache/checked")
"""One empty file for every check that passed; its name is a hash of what was checked."""

_VERSION = 5
"""Raise it when the checks become stricter, so that what passed is checked again."""
_SETTINGS = (
    *("target", "test_csv", "group_column", "time_column", "rare_labels", "merge_labels", "agent"),
    *("audit_columns", "costs", "abstain_cost", "column_types", "missing_values"),
)
_OF_PLAN = (*COLUMN_LISTS, "only")
"""Keys of feedback/plan.yaml that list columns."""
_MIN_ROWS = 2
_RESULTS = re.compile(r"results/(.+)/evaluation/results\.json")


def check_inputs(settings: Settings, results: str | Path) -> None:
    """Raise DataError for a table or a column setting that cannot be used.

    `results` is the experiment's folder: its feedback names columns, too, and task.json, if it exists, has the target
    of the last run.
    """
    results = Path(results)
    task, requested = layout.TASK.within(results), _read_feedback(results / "feedback/explore.yaml")
    plan = results / "feedback/plan.yaml"
    planned = {key: names for key, names in _read_feedback(plan).items() if key in _OF_PLAN}
    key = [_VERSION, requested, planned, _last_target(task), [settings[name] for name in _SETTINGS]]
    for path in (settings["csv"], settings["test_csv"]):
        if path is not None:
            stat = check_file(path).stat()
            key.append([str(path), stat.st_size, stat.st_mtime_ns])
    mark = CHECKED / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    if mark.is_file():
        return
    with working(f"checking {settings['csv']}"):
        _check_tables(settings, requested, planned, str(plan), _last_target(task))
    try:
        CHECKED.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        raise ConfigError(
            f"results cannot be written ({error.strerror}): run in a folder that you can write to."
        ) from error


def check_results_folder() -> None:
    """Raise ConfigError if results/ is not a folder: Snakemake reads it before any check."""
    if RESULTS.exists() and not RESULTS.is_dir():
        raise ConfigError(f"{RESULTS} cannot be written (it is not a folder): rename it, or run in another folder.")


def _last_target(task: str | Path) -> str | None:
    """The target of the last run; None if there was none, or its file is broken."""
    try:
        return str(read_json(Path(task))["target"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def check_feedback_files(folder: str | Path) -> None:
    """Raise ConfigError for a file that no step reads: a misspelt one would be silently ignored."""
    valid = [*(f"{name}.yaml" for name in FEEDBACK_SETTINGS), *map(approval_name, REVIEWS)]
    for path in sorted(Path(folder).glob("*.y*ml")):
        if path.name not in valid:
            raise ConfigError(
                f"{path} is not the feedback of any step{nearest(path.name, valid)}: rename or delete it."
            )


def _read_feedback(path: Path) -> Feedback:
    return read_feedback(path) if path.is_file() else {}


def _check_tables(
    settings: Settings, requested: Feedback, planned: Mapping[str, list[str]], where: str, last_target: str | None
) -> None:
    # These import scikit-learn, which would cost a second in every call of Snakemake without changes.
    from loramake.explore.task import check_columns, compare_headers, find_test_labels
    from loramake.tasks import find_task
    from loramake.trust.audit import check_audit_columns
    from loramake.trust.cost_matrix import read_costs

    csv, test_csv = settings["csv"], settings["test_csv"]
    source = sniff_source(csv, test_csv, settings)
    table = source.csv.read()
    _check_size(csv, table)
    check_columns(settings, requested, table.columns, csv)
    _check_groups(csv, table, settings["group_column"], settings["test_csv"])
    for name in [name for names in planned.values() for name in names]:
        if name not in table.columns:
            raise ConfigError(f"{where}: {name!r} is not a feature{nearest(name, table.columns)}.")
    if not {*planned.get("only", table.columns), *planned.get("keep", [])} - {
        settings["target"],
        *planned.get("drop", []),
    }:
        raise ConfigError(f"{where}: no feature is left: drop fewer columns.")
    target = settings["target"] or (last_target if last_target in table.columns else None)
    names = list(map(str, table.columns))
    test_table = None if source.test_csv is None else source.test_csv.read()
    if test_table is not None:
        compare_headers(csv, names, test_csv, list(map(str, test_table.columns)), target)
    check_audit_columns(settings["audit_columns"], names, target, csv)
    if target is None:
        if settings["costs"] is not None:
            raise ConfigError("costs: they name the labels of the target: set target, too.")
        return
    _check_features(csv, table, target)
    source = source.with_target(target)
    table = source.csv.read()
    how = settings["rare_labels"], settings["merge_labels"]
    task = find_task(csv, table[target], [], *how).task
    read_costs(settings["costs"], settings["abstain_cost"], task.labels, csv)
    if source.test_csv is not None:
        labels = find_test_labels(align(source.test_csv.read(), table), table[target], *how)
        task.check_test(test_csv, labels)


def check_width(csv: str | Path, columns: Sequence[str]) -> None:
    """Raise DataError if there is nothing beside one column."""
    if len(columns) < 2:
        raise DataError(
            f"{csv} has one column ({columns[0]}): it needs a target and a feature, separated by commas, semicolons, "
            "tabs or bars."
        )


def _check_size(csv: str, table: pd.DataFrame) -> None:
    check_width(csv, list(table.columns))
    if len(table) < _MIN_ROWS:
        raise DataError(f"{csv} has one data row: it needs at least 5 rows for each label.")


def _check_groups(csv: str, table: pd.DataFrame, group: str | None, test_csv: str | None) -> None:
    """Raise DataError if the rows are one group: they cannot be split."""
    if group is not None and test_csv is None and table[group].nunique() == 1 and table[group].notna().all():
        raise DataError(
            f"{csv}: group_column: {group} has one value in all rows, and rows of one value stay in one split: name a "
            "column of several groups, or unset it."
        )


def _check_features(csv: str, table: pd.DataFrame, target: str) -> None:
    """Raise DataError if every other column is constant."""
    for name in table.columns:
        if name != target and table[name].nunique(dropna=False) > 1:
            return
    raise DataError(f"{csv}: every column besides the target {target} is constant or empty: add columns that differ.")


def check_experiment_names(targets: Iterable[str]) -> None:
    """Raise ConfigError if a target is the results of an experiment with an invalid name."""
    for target in targets:
        match = _RESULTS.fullmatch(target)
        if match and not re.fullmatch(EXPERIMENT_NAME, match[1]):
            raise ConfigError(
                f"{target}: {match[1]!r} is not a valid name of an experiment: use letters, digits, '_', '-' and '.' "
                f"only, a letter or digit first."
            )

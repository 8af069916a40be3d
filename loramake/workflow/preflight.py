"""What can be refused before a job starts: the tables, and the settings that speak of them.

Snakemake wipes a job's outputs before the job runs, so a table that turns out to be broken within a job costs what was
made from the last good one. The tables are read whole here, once for every change of their size, time or settings.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
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
"""One empty file for every look that found nothing to refuse; its name is a hash of what was looked at."""

_VERSION = 3
"""Raise it when the checks become stricter, so that what passed is looked at again."""
_SETTINGS = (
    *("target", "test_csv", "group_column", "time_column", "rare_labels", "agent"),
    *("audit_columns", "costs", "abstain_cost"),
)
_OF_PLAN = (*COLUMN_LISTS, "only")
"""What feedback/plan.yaml says of columns."""
_MIN_ROWS = 2
_RESULTS = re.compile(r"results/(.+)/evaluation/results\.json")


def check_inputs(settings: Settings, results: str | Path) -> None:
    """Raise DataError, in one sentence, for a table or a column setting that cannot be used.

    `results` is the experiment's folder: its feedback speaks of columns, too, and task.json, where it is there, names
    the target of the last run.
    """
    results = Path(results)
    task, asked = layout.TASK.within(results), _read_feedback(results / "feedback/explore.yaml")
    plan = results / "feedback/plan.yaml"
    planned = {key: names for key, names in _read_feedback(plan).items() if key in _OF_PLAN}
    key = [_VERSION, asked, planned, _last_target(task), [settings[name] for name in _SETTINGS]]
    for path in (settings["csv"], settings["test_csv"]):
        if path is not None:
            stat = check_file(path).stat()
            key.append([str(path), stat.st_size, stat.st_mtime_ns])
    mark = CHECKED / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    if mark.is_file():
        return
    with working(f"looking at {settings['csv']}"):
        _look(settings, asked, planned, str(plan), _last_target(task))
    try:
        CHECKED.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        raise ConfigError(f"results cannot be written ({error.strerror}): run where you may write.") from error


def check_results_folder() -> None:
    """Raise ConfigError where something else is in the place of results/: Snakemake looks into it before any check."""
    if RESULTS.exists() and not RESULTS.is_dir():
        raise ConfigError(f"{RESULTS} cannot be written (it is not a folder): rename it, or run in another folder.")


def _last_target(task: str | Path) -> str | None:
    """The target that the last run found; None where there was none, or its file is broken."""
    try:
        return str(read_json(Path(task))["target"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def check_feedback_files(folder: str | Path) -> None:
    """Raise ConfigError for a file that no step would read: a misspelt one would do nothing, and not say so."""
    known = [*(f"{name}.yaml" for name in FEEDBACK_SETTINGS), *map(approval_name, REVIEWS)]
    for path in sorted(Path(folder).glob("*.y*ml")):
        if path.name not in known:
            raise ConfigError(f"{path} is no feedback of any step{nearest(path.name, known)}: rename or delete it.")


def _read_feedback(path: Path) -> Feedback:
    return read_feedback(path) if path.is_file() else {}


def _look(
    settings: Settings, asked: Feedback, planned: Mapping[str, list[str]], where: str, last_target: str | None
) -> None:
    # scikit-learn comes with these: a second of every call of Snakemake, where nothing changed.
    from loramake.explore.task import check_columns, compare_headers, find_test_labels
    from loramake.tasks import find_task
    from loramake.trust.audit import check_audit_columns
    from loramake.trust.cost_matrix import read_costs

    csv, test_csv = settings["csv"], settings["test_csv"]
    source = sniff_source(csv, test_csv)
    table = source.csv.read()
    _check_size(csv, table)
    check_columns(settings, asked, table.columns, csv)
    for name in [name for names in planned.values() for name in names]:
        if name not in table.columns:
            raise ConfigError(f"{where}: {name!r} is not a feature{nearest(name, table.columns)}.")
    target = settings["target"] or (last_target if last_target in table.columns else None)
    names = list(map(str, table.columns))
    theirs = None if source.test_csv is None else source.test_csv.read()
    if theirs is not None:
        compare_headers(csv, names, test_csv, list(map(str, theirs.columns)), target)
    check_audit_columns(settings["audit_columns"], names, target, csv)
    if target is None:
        if settings["costs"] is not None:
            raise ConfigError("costs: they speak of the labels of the target: set target, too.")
        return
    _check_features(csv, table, target)
    values = sorted(table[target].dropna().unique())
    task = find_task(csv, table[target], values, settings["rare_labels"]).task
    read_costs(settings["costs"], settings["abstain_cost"], task.labels, csv)
    if theirs is not None:
        labels = find_test_labels(align(theirs, table), table[target], settings["rare_labels"])
        task.check_test(test_csv, labels)


def _check_size(csv: str, table: pd.DataFrame) -> None:
    if table.shape[1] < 2:
        raise DataError(
            f"{csv} has one column ({table.columns[0]}): it needs a target and a feature, parted by commas, "
            f"semicolons, tabs or bars."
        )
    if len(table) < _MIN_ROWS:
        raise DataError(f"{csv} has one data row: it needs at least 5 rows for each label.")


def _check_features(csv: str, table: pd.DataFrame, target: str) -> None:
    """Raise DataError where no other column ever changes."""
    for name in table.columns:
        if name != target and table[name].nunique(dropna=False) > 1:
            return
    raise DataError(f"{csv}: every column beside the target {target} is constant or empty: add columns that differ.")


def check_experiment_names(targets: Iterable[str]) -> None:
    """Raise ConfigError where results are asked for of an experiment that may not be called so."""
    for target in targets:
        asked = _RESULTS.fullmatch(target)
        if asked and not re.fullmatch(EXPERIMENT_NAME, asked[1]):
            raise ConfigError(
                f"{target}: {asked[1]!r} is no name of an experiment: use letters, digits, '_', '-' and '.' only, a "
                f"letter or digit first."
            )

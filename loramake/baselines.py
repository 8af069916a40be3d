"""Plain models beside the LLM: what class frequencies, a linear model and boosted trees make of the same rows.

They see the plan's features, of the unbalanced train split, and nothing else. Knows nothing of LLMs or of metrics.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from loramake import artifacts
from loramake.console import log, say
from loramake.errors import DataError
from loramake.splits import read_split
from loramake.tables import to_numbers

BASELINES = ("majority", "logistic_regression", "hist_gradient_boosting")
SPLITS = ("train", "calibration", "test")
MAX_CATEGORIES = 50
"""Categories of one column told apart; the rarer ones share one. Gradient boosting takes 255 at most."""

_DIGITS = 12
"""Digits kept of a probability: the last ones depend on the processor's arithmetic."""
_LARGEST = 1e100
"""Numbers are cut here, so that their variance stays finite."""
_DAY_FIRST = re.compile(r"(1[3-9]|2\d|3[01])[-/.]\d")


@dataclass(frozen=True)
class Features:
    """The kept columns by how a model takes them: numbers, dates (as days since 1970), categories."""

    numbers: list[str]
    dates: list[str]
    day_first_dates: list[str]
    categories: list[str]

    @property
    def ordinal(self) -> list[str]:
        return [*self.numbers, *self.dates, *self.day_first_dates]


def fit_baselines(
    csv: str | Path,
    test_csv: str | Path | None,
    task: str | Path,
    splits: str | Path,
    plan: str | Path,
    seed: int,
    out: str | Path,
) -> None:
    """Write baselines.json: every baseline's probabilities on the train, calibration and test rows."""
    target, labels = _read_task(task)
    types = {feature["name"]: feature["type"] for feature in artifacts.read(plan, "plan")["features"]}
    kept = list(types)
    rows = {split: read_split(csv, test_csv, splits, split) for split in SPLITS}
    train = rows["train"][1]
    if train.empty:
        raise DataError(f"{splits} has no train row: lower test_ratio, calibration_ratio or validation_ratio.")
    found = find_features(train[kept], types)
    truth = label_codes(train[target], labels, csv)
    # One thread: sums of several threads add up in any order, and trees grow from their last digits.
    with threadpool_limits(limits=1):
        models = fit_models(prepare(train, found), truth, found, seed)
        predicted = {name: _predict_splits(model, rows, found, len(labels)) for name, (_, model) in models.items()}
    described = {name: {"description": models[name][0], "splits": predicted[name]} for name in models}
    artifacts.write(out, {"features": kept, "labels": labels, "models": described}, "baselines")
    say(f"{len(models)} baselines fitted on {len(train):,} train rows and {len(kept)} features.")


def _read_task(task: str | Path) -> tuple[str, list[str]]:
    found = artifacts.read(task, "task")
    return found["target"], [label["value"] for label in found["labels"]]


def label_codes(column: "pd.Series[str]", labels: list[str], where: str | Path) -> NDArray[np.int64]:
    """The place of each label in `labels`, shape (rows,); DataError where one is not there."""
    place = {label: code for code, label in enumerate(labels)}
    unknown = sorted({str(label) for label in column if label not in place})
    if unknown:
        raise DataError(f"{where}: the label {unknown[0]!r} is not one of the task's: delete task.json and run again.")
    return np.array([place[label] for label in column], dtype=np.int64)


def find_features(train: pd.DataFrame, types: dict[str, str]) -> Features:
    """How each column is taken, by the plan's types; a column of no readable number or date is a category."""
    found = Features([], [], [], [])
    for name in train.columns:
        column = train[name]
        if types[name] == "date" and _to_days(column, day_first=False).notna().any():
            day_first = column.dropna().map(lambda cell: _DAY_FIRST.match(cell) is not None).any()
            (found.day_first_dates if day_first else found.dates).append(name)
        elif _is_number(column, types[name]):
            found.numbers.append(name)
        else:
            found.categories.append(name)
    log.info("features: %s", found)
    return found


def _is_number(column: "pd.Series[str]", kind: str) -> bool:
    """A numeric column with a number in it; an id that feedback kept, where every filled cell is a number."""
    numbers = to_numbers(column).notna()
    return bool(numbers.any()) and (kind == "numeric" or (kind == "id" and bool(numbers.sum() == column.notna().sum())))


def _to_days(column: "pd.Series[str]", day_first: bool) -> "pd.Series[float]":
    """Days since 1970, NaN where a cell is missing or no date; zones become UTC."""
    moments = pd.to_datetime(column, format="mixed", errors="coerce", dayfirst=day_first, utc=True)
    return (moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)


def prepare(table: pd.DataFrame, features: Features) -> pd.DataFrame:
    """Rows of text as rows of float64 (numbers and dates, NaN where missing) and of text categories."""
    columns: dict[str, Any] = {name: to_numbers(table[name]).clip(-_LARGEST, _LARGEST) for name in features.numbers}
    columns |= {name: _to_days(table[name], day_first=False) for name in features.dates}
    columns |= {name: _to_days(table[name], day_first=True) for name in features.day_first_dates}
    columns |= {name: table[name].astype(object) for name in features.categories}
    return pd.DataFrame(columns, index=table.index)


def fit_models(
    rows: pd.DataFrame, truth: NDArray[np.int64], features: Features, seed: int
) -> dict[str, tuple[str, ClassifierMixin]]:
    """Every baseline with its description, fitted on prepared rows and label codes of shape (rows,)."""
    frequencies = DummyClassifier(strategy="prior").fit(rows, truth)
    models = {"majority": ("The class frequencies of the train split, the same for every row.", frequencies)}
    if len(np.unique(truth)) < 2:
        same = ("The train split has one label only: the same as majority.", frequencies)
        return models | dict.fromkeys(BASELINES[1:], same)
    return models | {
        "logistic_regression": (
            "Logistic regression: standardised numbers, the median and an indicator for missing ones, "
            f"{MAX_CATEGORIES} one-hot categories a column at most, missing being one of them.",
            _logistic_regression(features, seed).fit(rows, truth),
        ),
        "hist_gradient_boosting": (
            "Gradient-boosted trees on histograms: missing cells as they are, "
            f"{MAX_CATEGORIES} categories a column at most.",
            _gradient_boosting(features, seed).fit(rows, truth),
        ),
    }


def _logistic_regression(features: Features, seed: int) -> ClassifierMixin:
    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    categories = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MAX_CATEGORIES)
    columns = ColumnTransformer(
        [("numbers", numbers, features.ordinal), ("categories", categories, features.categories)]
    )
    return make_pipeline(columns, LogisticRegression(max_iter=1000, random_state=seed))


def _gradient_boosting(features: Features, seed: int) -> ClassifierMixin:
    categories = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=MAX_CATEGORIES,
    )
    columns = ColumnTransformer(
        [("numbers", "passthrough", features.ordinal), ("categories", categories, features.categories)]
    )
    places = range(len(features.ordinal), len(features.ordinal) + len(features.categories))
    # Early stopping would set rows aside, label by label, and fails where a label has one row.
    trees = HistGradientBoostingClassifier(categorical_features=list(places), early_stopping=False, random_state=seed)
    return make_pipeline(columns, trees)


def _predict_splits(
    model: ClassifierMixin, rows: dict[str, tuple[pd.DataFrame, pd.DataFrame]], features: Features, labels: int
) -> dict[str, dict[str, Any]]:
    return {
        split: {
            "rows": keys["row"].tolist(),
            "sources": keys["source"].tolist(),
            "probabilities": predict(model, prepare(table, features), labels).tolist(),
        }
        for split, (keys, table) in rows.items()
    }


def predict(model: ClassifierMixin, rows: pd.DataFrame, labels: int) -> NDArray[np.float64]:
    """P(label | row), shape (rows, labels), rounded; 0 for a label that the model never saw."""
    probabilities = np.zeros((len(rows), labels))
    if len(rows):
        probabilities[:, model.classes_] = model.predict_proba(rows)
    return probabilities.round(_DIGITS)

"""Which columns a prediction may use: ids, constants and leaks dropped, wide tables ranked on their train rows.

Ranking: variance filter → |Pearson r| → mutual information → random-forest importance → average rank
(scikit-learn's VarianceThreshold, mutual_info_classif and RandomForestClassifier).
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import mutual_info_classif

from loramake import artifacts
from loramake.console import say
from loramake.errors import DataError
from loramake.splits import read_split
from loramake.tables import to_numbers

RANK_FROM = 50
"""Tables of fewer features than this are not ranked."""

SCORES = ("variance", "pearson", "mutual_information", "random_forest")
_FOREST_TREES = 100


def select_features(
    csv: str | Path,
    profile: str | Path,
    task: str | Path,
    splits: str | Path,
    features_to_keep: int,
    seed: int,
    out: str | Path,
    rankings: str | Path,
) -> None:
    """Write selected_features.json and feature_rankings.csv, fitted on the train rows only."""
    found = artifacts.read(task, "task")
    names = [column["name"] for column in artifacts.read(profile, "profile")["columns"]]
    dropped = find_dropped(found)
    candidates = [
        name for name in names if name != found["target"] and name not in {entry["name"] for entry in dropped}
    ]
    if not candidates:
        raise DataError(
            f"{csv}: no feature is left beside the target {found['target']}: every other column was dropped; "
            f"name those to use under keep: in feedback/explore.yaml beside the results."
        )
    ranked = len(candidates) >= RANK_FROM
    table = unranked(candidates)
    if ranked:
        _, train = read_split(csv, None, splits, "train")
        table = rank(train[candidates], train[found["target"]], seed)
    kept, note = _keep(table, candidates, features_to_keep, ranked)
    dropped += [
        {"name": name, "reason": f"ranked below the {features_to_keep} best"} for name in candidates if name not in kept
    ]
    with artifacts.atomic(rankings) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    artifacts.write(out, {"kept": kept, "dropped": dropped, "ranked": ranked, "note": note}, "selected_features")
    say(note)


def find_dropped(task: dict[str, Any]) -> list[dict[str, str]]:
    """Ids, constants and leaks, unless feedback keeps them, and what feedback drops; each with its reason."""
    keep = set(task["feedback"]["keep"])
    dropped = [
        {"name": column["name"], "reason": f"{kind}: {column['reason']}"}
        for kind, columns in (("id", task["ids"]), ("constant", task["constants"]), ("suspected leak", task["leaks"]))
        for column in columns
        if column["name"] not in keep
    ]
    known = {column["name"] for column in dropped}
    asked = [name for name in task["feedback"]["drop"] if name not in known and name != task["target"]]
    return dropped + [{"name": name, "reason": "dropped by feedback"} for name in asked]


def unranked(candidates: list[str]) -> pd.DataFrame:
    """feature_rankings.csv of a table that is not ranked: the names alone."""
    empty = dict.fromkeys([*SCORES, *(f"{score}_rank" for score in SCORES), "average_rank"], np.nan)
    return pd.DataFrame({"feature": candidates, **empty})


def rank(features: pd.DataFrame, target: "pd.Series[str]", seed: int) -> pd.DataFrame:
    """One line a feature, best first: every method's score and rank (1 is best), and the average rank."""
    numbers = pd.DataFrame({name: _as_numbers(features[name]) for name in features.columns})
    labels = target.astype("category").cat.codes.to_numpy()
    variance = numbers.var(ddof=0).to_numpy()
    forest = RandomForestClassifier(_FOREST_TREES, random_state=seed, n_jobs=2).fit(numbers, labels)
    scores = {
        "variance": variance,
        "pearson": _pearson(numbers.to_numpy(), labels),
        "mutual_information": mutual_info_classif(numbers, labels, random_state=seed),
        "random_forest": forest.feature_importances_,
    }
    table = pd.DataFrame({"feature": features.columns, **scores})
    for score in SCORES:
        table[f"{score}_rank"] = table[score].rank(ascending=False, method="average")
    table["average_rank"] = table[[f"{score}_rank" for score in SCORES[1:]]].mean(axis=1)
    table.loc[table["variance"] <= 0, "average_rank"] = np.inf
    return table.sort_values(["average_rank", "feature"], kind="stable").reset_index(drop=True)


def _as_numbers(column: "pd.Series[str]") -> "pd.Series[float]":
    """Numbers standardised with missing cells at the median, categories as codes by frequency."""
    numbers = to_numbers(column)
    if numbers.notna().sum() < column.notna().sum():
        order = {
            value: place
            for place, value in enumerate(column.value_counts().sort_index().sort_values(kind="stable").index)
        }
        numbers = column.map(order).astype("float64")
    filled = numbers.fillna(numbers.median()).fillna(0.0)
    spread = filled.std(ddof=0)
    return (filled - filled.mean()) / spread if spread > 0 else filled * 0.0


def _pearson(numbers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The largest |Pearson r| of each column, shape (features,), with the indicator of any label."""
    indicators = (labels[:, None] == np.unique(labels)[None, :]).astype("float64")
    indicators = (indicators - indicators.mean(0)) / indicators.std(0)
    largest: np.ndarray = np.abs(numbers.T @ indicators / len(labels)).max(axis=1)
    return largest


def _keep(table: pd.DataFrame, candidates: list[str], features_to_keep: int, ranked: bool) -> tuple[list[str], str]:
    if not ranked:
        return candidates, f"{len(candidates)} features, fewer than {RANK_FROM}: all are kept and none is ranked."
    best = set(table.loc[np.isfinite(table["average_rank"]), "feature"].head(features_to_keep))
    return [
        name for name in candidates if name in best
    ], f"{len(candidates)} features ranked on the train rows, {len(best)} kept."

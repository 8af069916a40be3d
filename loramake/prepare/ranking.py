"""Ranks features by how much they tell about the label: text columns become numbers and codes, ranked by three methods.

Variance filter → |Pearson r| → mutual information → random-forest importance → average rank. A score that is no better
than the best that any feature gets when the rows are shuffled is no evidence: in each method, such features share the
rank after those that stand out from chance. Otherwise most of a wide table's best fifty would be noise that changes
with the seed.

Knows nothing of files, splits, and features dropped for other reasons.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import xlogy
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics.cluster import expected_mutual_information

from loramake.artifact_types.explore import ProfileColumn
from loramake.console import Advance
from loramake.tables.dates import to_days
from loramake.tables.numbers import to_numbers

METHODS = ("pearson", "mutual_information", "random_forest")
SCORES = ("variance", *METHODS)

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """The part of a large table that the random forest, the expensive method, sees; the two others always see all."""

    columns: int = 300
    """The best by either of the two fast methods."""
    rows: int = 5_000
    """Stratified by label."""
    labels: int = 32
    """With more labels, each batch of trees sees them in this many groups, drawn anew."""


SAMPLE = Sample()
TREES = 400
_BATCHES = 8
_SHUFFLES = 10
"""Shuffles of the rows, which show the |Pearson r| and mutual information that arise by chance."""
_LEAF = 5
"""Fewest rows in a leaf: finer splits cost time and add little."""
_JOBS = 2
_LARGEST = 1e100
"""Numbers are clipped here, so that their variance stays finite."""
_INDICATORS = 16
"""The most frequent categories of a column, which get an indicator each."""
_CODES = 64
"""Categories of a column that mutual information distinguishes; the rarer ones share a code."""
_BINS = (4, 32)
"""Fewest and most quantile bins of a column of numbers; between them the cube root of the rows."""
_DIGITS = 12
"""Digits kept of a score: the last ones depend on the order of summation, and would break ties."""
_ENOUGH_ROWS = 5
"""Rarer categories and labels get no indicator: a correlation with a few rows is chance."""


@dataclass(frozen=True)
class Encoded:
    """Features of one table as the methods need them, over the same n rows."""

    names: list[str]
    columns: Floats
    """Shape (n, columns): numbers with missing cells at the median; an indicator for each frequent category."""
    owner: Codes
    """Shape (columns,): the index in `names` of each column's feature, in ascending order."""
    codes: Codes
    """Shape (n, features): quantile bin or category; missing cells have a code of their own."""

    def at(self, rows: Codes) -> "Encoded":
        """The same features over these rows."""
        return Encoded(self.names, self.columns[rows], self.owner, self.codes[rows])


def rank(
    features: pd.DataFrame,
    target: "pd.Series[str]",
    columns: list[ProfileColumn],
    seed: int,
    sample: Sample | None = SAMPLE,
    advance: Advance = lambda *_: None,
) -> pd.DataFrame:
    """One line a feature, best first: every method's score and rank (1 is best), and the average rank.

    `features` and `target` are text, row by row the same; `columns` are profile.json's. Without a `sample` the forest
    is fitted on all columns, rows and labels. The order of rows and columns does not matter. Ties of the average rank
    are broken by |Pearson r| and mutual information, then by name. Constant features come last, at infinity.
    """
    encoded = encode(features, columns)
    labels = pd.factorize(target, sort=True)[0].astype(np.int64)
    table = unranked([name for name in sorted(features.columns) if name not in encoded.names])
    constants = table.assign(variance=0.0, average_rank=np.inf)
    if not encoded.names:
        return constants
    order = _order_of_rows(encoded, labels)
    scores, chance = _score(encoded.at(order), labels[order], seed, sample, advance)
    ranked = average_ranks(pd.DataFrame({"feature": encoded.names, **scores}), chance)
    return pd.concat([ranked, constants], ignore_index=True) if len(constants) else ranked


def unranked(names: Sequence[str]) -> pd.DataFrame:
    """The table of `rank` without numbers: the names alone, in their order."""
    empty = dict.fromkeys([*SCORES, *(f"{score}_rank" for score in SCORES), "average_rank"], np.nan)
    return pd.DataFrame({"feature": list(names), **empty})


def average_ranks(scores: pd.DataFrame, chance: dict[str, float]) -> pd.DataFrame:
    """Ranks of each score and their average over the three methods, best first.

    `scores` has a row per feature, NaN where a method did not score it; `chance` is the best score by chance of each
    method: what is not above it shares one rank.
    """
    table = scores.assign(variance_rank=_ranks(scores["variance"]))
    for method in METHODS:
        table[f"{method}_rank"] = _ranks(scores[method].fillna(chance[method]).clip(lower=chance[method]))
    table["average_rank"] = table[[f"{method}_rank" for method in METHODS]].mean(axis=1)
    fast = _ranks(scores["pearson"]) + _ranks(scores["mutual_information"])
    order = table.assign(fast=fast).sort_values(["average_rank", "fast", "feature"]).index
    return table.loc[order].reset_index(drop=True)


def _ranks(scores: "pd.Series[float]") -> "pd.Series[float]":
    """1 is the highest; equal scores share the best of their ranks, so that a tie of many costs none of them much."""
    return scores.rank(ascending=False, method="min")


def encode(features: pd.DataFrame, columns: list[ProfileColumn]) -> Encoded:
    """The features that are not constant, by name: numbers, dates as days, texts by length, all else as categories."""
    types = {column["name"]: column["type"] for column in columns}
    names, blocks, codes = [], [], []
    for name in sorted(features.columns):
        numbers = _read_numbers(features[name], types[name])
        block, code = _encode_categories(features[name]) if numbers is None else _encode_numbers(numbers)
        if code.min() < code.max():
            names.append(str(name))
            blocks.append(block)
            codes.append(code)
    if not names:
        return Encoded([], np.empty((len(features), 0)), np.empty(0, np.int64), np.empty((len(features), 0), np.int64))
    owner = np.repeat(np.arange(len(names)), [block.shape[1] for block in blocks])
    return Encoded(names, np.hstack(blocks), owner, np.column_stack(codes))


def _read_numbers(column: "pd.Series[str]", kind: str) -> NDArray[Any] | None:
    """Its numbers, shape (rows,), NaN where a cell has none; None for categories or a single number."""
    if kind in ("numeric", "id"):
        numbers = to_numbers(column)
    elif kind == "date":
        numbers = to_days(column)
    elif kind == "text":
        numbers = column.str.len().astype("float64")
    else:
        return None
    return None if numbers.nunique() < 2 else numbers.clip(-_LARGEST, _LARGEST).to_numpy(dtype=np.float64)


def _encode_numbers(numbers: Floats) -> tuple[Floats, Codes]:
    """A column, shape (rows, 1), and its codes; equal numbers share a bin, that of their mean rank."""
    missing = np.isnan(numbers)
    bins = int(np.clip(round(len(numbers) ** (1 / 3)), *_BINS))
    codes = np.full(len(numbers), bins)
    filled = numbers[~missing]
    codes[~missing] = (rankdata(filled) - 0.5) * bins / len(filled)
    return np.where(missing, np.median(filled), numbers)[:, None], codes


def _encode_categories(column: "pd.Series[str]") -> tuple[Floats, Codes]:
    """Indicators of the frequent categories, shape (rows, indicators), and codes by frequency."""
    cells = column.fillna("")
    counts = cells.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    codes = cells.map({cell: index for index, cell in enumerate(counts.index)}).to_numpy(dtype=np.int64)
    frequent = np.arange(np.clip((counts >= _ENOUGH_ROWS).sum(), 1, _INDICATORS))
    return (codes[:, None] == frequent).astype(np.float64), codes.clip(max=_CODES)


def _order_of_rows(encoded: Encoded, labels: Codes) -> Codes:
    """The order of rows by label, then by a hash of their content: the order of the CSV does not matter."""
    keys = [
        hashlib.blake2b(row.tobytes() + code.tobytes(), digest_size=8).hexdigest()
        for row, code in zip(encoded.columns, encoded.codes, strict=True)
    ]
    return np.lexsort((np.array(keys), labels))


def _score(
    encoded: Encoded, labels: Codes, seed: int, sample: Sample | None, advance: Advance
) -> tuple[dict[str, Floats], dict[str, float]]:
    """Every score, shape (features,), and the best score of shuffled rows for each method.

    The rows are sorted by label.
    """
    scores = {
        "variance": np.add.reduceat(encoded.columns.var(axis=0), _starts(encoded.owner)),
        "pearson": _pearson(encoded, labels),
        "mutual_information": _mutual_information(encoded.codes, labels),
    }
    chance = dict.fromkeys(METHODS, 0.0)
    generator = np.random.default_rng(seed)
    for _ in range(_SHUFFLES):
        shuffled = encoded.at(generator.permutation(len(labels)))
        for method, by_chance in (
            ("pearson", _pearson(shuffled, labels)),
            ("mutual_information", _mutual_information(shuffled.codes, labels)),
        ):
            chance[method] = max(chance[method], float(by_chance.max()))
    screened = _screen(scores["pearson"], scores["mutual_information"], sample)
    scores["random_forest"] = np.full(len(encoded.names), np.nan)
    scores["random_forest"][screened], chance["random_forest"] = _forest(
        encoded, screened, labels, seed, sample, advance
    )
    return scores, chance


def _starts(codes: Codes) -> Codes:
    """Where each run of equal codes begins."""
    return np.flatnonzero(np.diff(codes, prepend=-1))


def _pearson(encoded: Encoded, labels: Codes) -> Floats:
    """The largest |Pearson r| between a column of each feature and the indicator of any label, shape (features,).

    A label with few rows is ignored if others have more: its r would be an outlier's. The rows are sorted by label, so
    every r follows from the sums of each label's cells.
    """
    spread = encoded.columns.std(axis=0)
    cells = (encoded.columns - encoded.columns.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    rows = np.bincount(labels)
    counted = rows >= min(_ENOUGH_ROWS, rows.max())
    width = np.sqrt(rows * (len(labels) - rows))[counted, None]
    sums = np.abs(np.add.reduceat(cells, _starts(labels))[counted])
    largest = np.divide(sums, width, out=np.zeros_like(sums), where=width > 0).max(axis=0)
    return np.maximum.reduceat(largest, _starts(encoded.owner)).round(_DIGITS)


def _mutual_information(codes: Codes, labels: Codes) -> Floats:
    """Mutual information of each column of codes with the label in nats, shape (features,), adjusted for chance.

    So columns with many codes gain nothing by their number (Vinh, Epps and Bailey, JMLR 2010).
    """
    by_chance: dict[bytes, float] = {}
    information = np.zeros(codes.shape[1])
    count = int(labels.max()) + 1
    for index, column in enumerate(codes.T):
        joint = np.bincount(column * count + labels, minlength=(int(column.max()) + 1) * count).reshape(-1, count)
        rows = joint.sum(axis=1)
        key = np.sort(rows).tobytes()
        if key not in by_chance:
            by_chance[key] = expected_mutual_information(csr_matrix(joint[rows > 0]), len(labels))
        entropies = _n_log_n(rows) + _n_log_n(np.bincount(labels)) - _n_log_n(joint)
        information[index] = np.log(len(labels)) - entropies / len(labels) - by_chance[key]
    return information.round(_DIGITS)


def _n_log_n(counts: Codes) -> float:
    """The sum of n log n, the variable part of an entropy."""
    return float(xlogy(counts, counts).sum())


def _screen(pearson: Floats, mutual_information: Floats, sample: Sample | None) -> Codes:
    """The features that the forest sees, as ascending indices: the best by either score, each by its better rank."""
    if sample is None or len(pearson) <= sample.columns:
        return np.arange(len(pearson))
    ranks = np.array([rankdata(-score, method="min") for score in (pearson, mutual_information)])
    order = np.lexsort((ranks.max(axis=0), ranks.min(axis=0)))
    return np.sort(order[: sample.columns])


def _forest(
    encoded: Encoded, screened: Codes, labels: Codes, seed: int, sample: Sample | None, advance: Advance
) -> tuple[Floats, float]:
    """Importance of each feature in `screened`, and the largest of any of them with its rows shuffled.

    The shuffled copies are columns of the same forest (Kursa and Rudnicki, J. Stat. Softw. 2010). The
    trees come in batches, each of which may see the labels in other groups.
    """
    generator = np.random.default_rng(seed)
    count = len(labels) if sample is None else min(sample.rows, len(labels))
    rows = np.linspace(0, len(labels) - 1, count).round().astype(np.int64)
    is_screened = np.isin(encoded.owner, screened)
    cells = encoded.columns[np.ix_(rows, is_screened)]
    ranks = rankdata(cells, axis=0).astype(np.float32)  # trees split ranks the same way
    both = np.hstack([ranks, generator.permutation(ranks)])
    importances = np.zeros(both.shape[1])
    for batch in range(_BATCHES):
        groups = generator.permutation(labels.max() + 1) % (labels.max() + 1 if sample is None else sample.labels)
        forest = RandomForestClassifier(
            TREES // _BATCHES, min_samples_leaf=_LEAF, n_jobs=_JOBS, random_state=int(generator.integers(2**31))
        )
        importances += forest.fit(both, groups[labels[rows]]).feature_importances_ / _BATCHES
        advance(batch + 1, _BATCHES)
    starts = _starts(encoded.owner[is_screened])
    importance, chance = (np.add.reduceat(half, starts) for half in np.split(importances, 2))
    return importance, float(chance.max())

"""How much each feature tells of the label: columns of text become numbers and codes, and are ranked by three methods.

Variance filter → |Pearson r| → mutual information → random-forest importance → average rank. A score that is no better
than the best that any feature gets when the rows are shuffled is no evidence: such features share the place behind
those that are told from chance, in each method. Without that, most of a wide table's best fifty would be noise that
the next seed draws anew.

Knows nothing of files, of splits and of what is dropped for other reasons.
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
from loramake.tables.numbers import NumberStyle, is_day_first, number_styles, to_days, to_numbers

METHODS = ("pearson", "mutual_information", "random_forest")
SCORES = ("variance", *METHODS)

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """What the random forest, the costly method, sees of a large table; the two others always see all of it."""

    columns: int = 300
    """The best by either of the two cheap methods."""
    rows: int = 5_000
    """Drawn label by label, in proportion."""
    labels: int = 32
    """Of more labels, each batch of trees sees this many groups, drawn anew."""


SAMPLE = Sample()
TREES = 400
_BATCHES = 8
_SHUFFLES = 10
"""How often the rows are shuffled to see what |Pearson r| and mutual information chance gives."""
_LEAF = 5
"""Rows in a leaf at least: finer splits cost time and tell little."""
_JOBS = 2
_LARGEST = 1e100
"""Numbers are cut here, so that their variance stays finite."""
_INDICATORS = 16
"""Categories of a column with an indicator of their own, the most frequent ones."""
_CODES = 64
"""Categories of a column that mutual information tells apart; the rarer ones share a code."""
_BINS = (4, 32)
"""Fewest and most quantile bins of a column of numbers; between them the cube root of the rows."""
_DIGITS = 12
"""Digits kept of a score: the last ones depend on the order of sums, and would part what is equal."""
_ENOUGH_ROWS = 5
"""Rarer categories and labels get no indicator: a correlation with a few rows is chance."""


@dataclass(frozen=True)
class Encoded:
    """Features of one table as the methods take them, over the same n rows."""

    names: list[str]
    columns: Floats
    """Shape (n, columns): numbers with missing cells at the median; of categories an indicator of each frequent one."""
    owner: Codes
    """Shape (columns,): whose column it is, as a place in `names`; it never falls."""
    codes: Codes
    """Shape (n, features): quantile bin or category, missing cells being a code of their own."""

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
    is fitted on all columns, rows and labels. The order of rows and columns changes nothing. Ties of the average rank
    go to the better place by |Pearson r| and mutual information, then to the name. Features that never change come
    last, at infinity.
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
    """The table of `rank` without figures: the names alone, in their order."""
    empty = dict.fromkeys([*SCORES, *(f"{score}_rank" for score in SCORES), "average_rank"], np.nan)
    return pd.DataFrame({"feature": list(names), **empty})


def average_ranks(scores: pd.DataFrame, chance: dict[str, float]) -> pd.DataFrame:
    """Ranks of each score and their average over the three methods, best first.

    `scores` holds a line a feature, NaN where a method did not look; `chance` is the best score by chance of each
    method: what is not above it shares one place.
    """
    table = scores.assign(variance_rank=_places(scores["variance"]))
    for method in METHODS:
        table[f"{method}_rank"] = _places(scores[method].fillna(chance[method]).clip(lower=chance[method]))
    table["average_rank"] = table[[f"{method}_rank" for method in METHODS]].mean(axis=1)
    cheap = _places(scores["pearson"]) + _places(scores["mutual_information"])
    order = table.assign(cheap=cheap).sort_values(["average_rank", "cheap", "feature"]).index
    return table.loc[order].reset_index(drop=True)


def _places(scores: "pd.Series[float]") -> "pd.Series[float]":
    """1 is the highest; equal scores share the best of their places, so that a tie of many costs none of them much."""
    return scores.rank(ascending=False, method="min")


def encode(features: pd.DataFrame, columns: list[ProfileColumn]) -> Encoded:
    """The features that are not constant, by name: numbers, dates as days, texts by length, all else as categories."""
    types, styles = {column["name"]: column["type"] for column in columns}, number_styles(columns)
    names, blocks, codes = [], [], []
    for name in sorted(features.columns):
        numbers = _read_numbers(features[name], types[name], styles[name])
        block, code = _encode_categories(features[name]) if numbers is None else _encode_numbers(numbers)
        if code.min() < code.max():
            names.append(str(name))
            blocks.append(block)
            codes.append(code)
    if not names:
        return Encoded([], np.empty((len(features), 0)), np.empty(0, np.int64), np.empty((len(features), 0), np.int64))
    owner = np.repeat(np.arange(len(names)), [block.shape[1] for block in blocks])
    return Encoded(names, np.hstack(blocks), owner, np.column_stack(codes))


def _read_numbers(column: "pd.Series[str]", kind: str, style: NumberStyle) -> NDArray[Any] | None:
    """Its numbers, shape (rows,), NaN where a cell has none; None for a column of categories or of one number only."""
    if kind in ("numeric", "id"):
        numbers = to_numbers(column, style)
    elif kind == "date":
        numbers = to_days(column, is_day_first(column))
    elif kind == "text":
        numbers = column.str.len().astype("float64")
    else:
        return None
    return None if numbers.nunique() < 2 else numbers.clip(-_LARGEST, _LARGEST).to_numpy(dtype=np.float64)


def _encode_numbers(numbers: Floats) -> tuple[Floats, Codes]:
    """A column, shape (rows, 1), and its codes; equal numbers share a bin, the one of their middle place."""
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
    codes = cells.map({cell: place for place, cell in enumerate(counts.index)}).to_numpy(dtype=np.int64)
    frequent = np.arange(np.clip((counts >= _ENOUGH_ROWS).sum(), 1, _INDICATORS))
    return (codes[:, None] == frequent).astype(np.float64), codes.clip(max=_CODES)


def _order_of_rows(encoded: Encoded, labels: Codes) -> Codes:
    """The rows label by label, then by a hash of their content, so that another order of the CSV ranks the same."""
    keys = [
        hashlib.blake2b(row.tobytes() + code.tobytes(), digest_size=8).hexdigest()
        for row, code in zip(encoded.columns, encoded.codes, strict=True)
    ]
    return np.lexsort((np.array(keys), labels))


def _score(
    encoded: Encoded, labels: Codes, seed: int, sample: Sample | None, advance: Advance
) -> tuple[dict[str, Floats], dict[str, float]]:
    """Every score, shape (features,), and the best of each method that shuffled rows get.

    The rows stand label by label.
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
        for method, found in (
            ("pearson", _pearson(shuffled, labels)),
            ("mutual_information", _mutual_information(shuffled.codes, labels)),
        ):
            chance[method] = max(chance[method], float(found.max()))
    seen = _screen(scores["pearson"], scores["mutual_information"], sample)
    scores["random_forest"] = np.full(len(encoded.names), np.nan)
    scores["random_forest"][seen], chance["random_forest"] = _forest(encoded, seen, labels, seed, sample, advance)
    return scores, chance


def _starts(codes: Codes) -> Codes:
    """Where each run of equal codes begins."""
    return np.flatnonzero(np.diff(codes, prepend=-1))


def _pearson(encoded: Encoded, labels: Codes) -> Floats:
    """The largest |Pearson r| between a column of each feature and the indicator of any label, shape (features,).

    A label of few rows has no say where others have more: its r is an outlier's. The rows stand label by label, so
    that every r follows from the sums of each label's cells.
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
    """Mutual information of each column of codes with the label in nats, shape (features,), less what chance gives.

    So columns of many codes gain nothing by their number (Vinh, Epps and Bailey, JMLR 2010).
    """
    by_chance: dict[bytes, float] = {}
    found = np.zeros(codes.shape[1])
    count = int(labels.max()) + 1
    for place, column in enumerate(codes.T):
        joint = np.bincount(column * count + labels, minlength=(int(column.max()) + 1) * count).reshape(-1, count)
        rows = joint.sum(axis=1)
        key = np.sort(rows).tobytes()
        if key not in by_chance:
            by_chance[key] = expected_mutual_information(csr_matrix(joint[rows > 0]), len(labels))
        entropies = _n_log_n(rows) + _n_log_n(np.bincount(labels)) - _n_log_n(joint)
        found[place] = np.log(len(labels)) - entropies / len(labels) - by_chance[key]
    return found.round(_DIGITS)


def _n_log_n(counts: Codes) -> float:
    """The sum of n log n, the part of an entropy that differs."""
    return float(xlogy(counts, counts).sum())


def _screen(pearson: Floats, mutual_information: Floats, sample: Sample | None) -> Codes:
    """The features that the forest sees, as rising places: the best by either score, each by its better place."""
    if sample is None or len(pearson) <= sample.columns:
        return np.arange(len(pearson))
    places = np.array([rankdata(-score, method="min") for score in (pearson, mutual_information)])
    order = np.lexsort((places.max(axis=0), places.min(axis=0)))
    return np.sort(order[: sample.columns])


def _forest(
    encoded: Encoded, seen: Codes, labels: Codes, seed: int, sample: Sample | None, advance: Advance
) -> tuple[Floats, float]:
    """Importance of each feature in `seen`, and the largest that one of them gets with its rows shuffled.

    The shuffled copies stand beside the columns in the same forest (Kursa and Rudnicki, J. Stat. Softw. 2010). The
    trees come in batches, each of which may see the labels in other groups.
    """
    generator = np.random.default_rng(seed)
    count = len(labels) if sample is None else min(sample.rows, len(labels))
    rows = np.linspace(0, len(labels) - 1, count).round().astype(np.int64)
    mine = np.isin(encoded.owner, seen)
    places = rankdata(encoded.columns[np.ix_(rows, mine)], axis=0).astype(np.float32)  # trees cut ranks alike
    both = np.hstack([places, generator.permutation(places)])
    importances = np.zeros(both.shape[1])
    for batch in range(_BATCHES):
        groups = generator.permutation(labels.max() + 1) % (labels.max() + 1 if sample is None else sample.labels)
        forest = RandomForestClassifier(
            TREES // _BATCHES, min_samples_leaf=_LEAF, n_jobs=_JOBS, random_state=int(generator.integers(2**31))
        )
        importances += forest.fit(both, groups[labels[rows]]).feature_importances_ / _BATCHES
        advance(batch + 1, _BATCHES)
    starts = _starts(encoded.owner[mine])
    found, chance = (np.add.reduceat(half, starts) for half in np.split(importances, 2))
    return found, float(chance.max())

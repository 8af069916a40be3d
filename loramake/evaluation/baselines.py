"""Baselines for the LLM: class frequencies, a linear model and boosted trees on the same rows.

They see only the plan's features of the unbalanced train split. Independent of LLMs and of metrics. Texts become TF-IDF
(scikit-learn's) of words and word pairs; with many labels, the models are smaller, and their description says so.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from loramake import artifacts, schemas
from loramake.artifact_types.evaluation import BaselineModel, BaselinePredictions, Baselines, BaselineSplit
from loramake.console import Advance, log, progress, say
from loramake.errors import DataError
from loramake.explore.splits import read_split
from loramake.tables.dates import to_days
from loramake.tables.numbers import to_numbers
from loramake.tables.source import Source
from loramake.tasks import read_task

SPLITS: tuple[BaselineSplit, ...] = ("train", "calibration", "test")
MAX_CATEGORIES = 50
"""Distinct categories of one column; the rarer ones share one. Gradient boosting allows at most 255."""
MAX_CHARACTERS = 5_000
"""Of a text cell; the rest is ignored."""
MAX_TERMS = 5_000
"""Words and word pairs of one text column, the most frequent ones."""
TEXT_COMPONENTS = 30
"""Numbers that gradient boosting gets for a text column."""
MANY_LABELS = 20
"""With more labels, gradient boosting shrinks its leaves: a label with few rows would make them diverge."""
MAX_TREES = 20_000
"""Gradient boosting grows one tree per label and iteration; 5,000 rows of 20 numbers take 1 to 2 ms a tree."""

_DIGITS = 12
"""Digits of a probability that are kept: the last ones depend on the processor's arithmetic."""
_LARGEST = 1e100
"""Numbers are clipped here, so that their variance stays finite."""
_ITERATIONS = 100
_ROUNDS = 10
"""Steps in which trees are grown, to report progress."""
_SOLVER_ITERATIONS = 1_000
_SOLVER_ITERATIONS_TIMES_LABELS = 100_000
_TERMS_TIMES_LABELS = 2_000_000
"""Weights of all terms in the logistic regression, of which its solver keeps some twenty copies."""
_PAIRS_UP_TO = 5_000_000
"""Characters of a text column; in a longer one, word pairs would take minutes, so it gets words only."""

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"  # Thai … Khmer, Japanese, Chinese
)
_PUNCTUATION = r"\s!-/:-@\[-`{-~\u00a1-\u00bf\u2000-\u206f\u3000-\u303f\uff01-\uff0f\uff1a-\uff20"
_WORD = rf"[{_UNSPACED}]|[^{_PUNCTUATION}{_UNSPACED}]+"
"""A character of a script without spaces, or a run of other characters (vowel marks do not end a word)."""


@dataclass(frozen=True)
class Features:
    """The kept columns by how a model encodes them.

    Numbers, dates (days since 1970), texts with their number of distinct terms, and categories.
    """

    numbers: list[str]
    dates: list[str]
    texts: dict[str, int]
    categories: list[str]

    @property
    def ordinal(self) -> list[str]:
        return [*self.numbers, *self.dates]


def fit_baselines(
    source: Source,
    task: str | Path,
    splits: str | Path,
    plan: str | Path,
    seed: int,
    out: str | Path,
) -> None:
    """Write baselines.json: every baseline's probabilities on the train, calibration and test rows."""
    target_task = read_task(task)
    planned = artifacts.read(plan, schemas.PLAN)["features"]
    types = {feature["name"]: feature["type"] for feature in planned}
    rows = {split: read_split(source, splits, split) for split in SPLITS}
    train = rows["train"][1]
    if train.empty:
        raise DataError(f"{splits} has no train rows: lower test_ratio, calibration_ratio or validation_ratio.")
    truth = target_task.codes_of(train[target_task.target], source.csv.path)
    # One thread: sums of several threads add up in any order, and trees grow from their last digits.
    with threadpool_limits(limits=1):
        features = find_features(train[list(types)], types, len(target_task.labels))
        with progress("growing trees, iterations") as advance:
            models = fit_models(target_task.baselines, Sample(prepare(train, features), truth, features, seed, advance))
        predicted = {
            name: _predict_splits(model, rows, features, len(target_task.labels)) for name, (_, model) in models.items()
        }
    described: dict[str, BaselineModel] = {
        name: {"description": models[name][0], "splits": predicted[name]} for name in models
    }
    baselines: Baselines = {"features": list(types), "labels": target_task.labels, "models": described}
    # On one line: with 1,000 labels and 5,000 rows, these are 15 million numbers.
    artifacts.write(out, baselines, schemas.BASELINES, indent=None)
    say(f"{len(models)} baselines fitted on {len(train):,} train rows and {len(types)} features.")


def find_features(train: pd.DataFrame, types: Mapping[str, str], labels: int = 2) -> Features:
    """How each column is encoded, by the plan's types.

    A column without a readable number, date or word is categorical. `labels` bounds the terms of a text.
    """
    features = Features([], [], {}, [])
    most_terms = _most_terms(labels, texts=sum(types[name] == "text" for name in train.columns))
    for name in train.columns:
        column, kind = train[name], types[name]
        if kind == "date" and to_days(column).notna().any():
            features.dates.append(name)
        elif _is_number(column, kind):
            features.numbers.append(name)
        elif kind == "text" and (terms := _count_terms(_as_text(column), most_terms)):
            features.texts[name] = terms
        else:
            features.categories.append(name)
    log.info("features: %s", features)
    return features


def _is_number(column: "pd.Series[str]", kind: str) -> bool:
    """Whether the column is numeric and has a number, or is an id kept by feedback whose filled cells are numbers."""
    numbers = to_numbers(column).notna()
    return bool(numbers.any()) and (kind == "numeric" or (kind == "id" and bool(numbers.sum() == column.notna().sum())))


def _as_text(column: "pd.Series[str]") -> "pd.Series[str]":
    return column.fillna("").astype(str).str.slice(0, MAX_CHARACTERS)


def _most_terms(labels: int, texts: int) -> int:
    return min(MAX_TERMS, _TERMS_TIMES_LABELS // (labels * max(1, texts)))


def _count_terms(text: "pd.Series[str]", most: int) -> int:
    """The number of distinct terms, at most `most`; 0 where the cells contain only spaces and punctuation."""
    try:
        return len(_vectorizer(most, _longest_term(text)).fit(text).vocabulary_)
    except ValueError:  # what scikit-learn raises for an empty vocabulary
        return 0


def _longest_term(text: "pd.Series[str]") -> int:
    """Words in a term: 2 where word pairs are fast, else 1."""
    return 2 if text.str.len().sum() <= _PAIRS_UP_TO else 1


def _vectorizer(most: int, longest: int) -> TfidfVectorizer:
    """TF-IDF of the most frequent terms of up to `longest` words, in lower case, without stop words."""
    return TfidfVectorizer(token_pattern=_WORD, ngram_range=(1, longest), max_features=most, sublinear_tf=True)


def prepare(table: pd.DataFrame, features: Features) -> pd.DataFrame:
    """Rows of text encoded as float64 (numbers and dates, NaN where missing), text categories and texts."""
    columns: dict[str, Any] = {name: to_numbers(table[name]).clip(-_LARGEST, _LARGEST) for name in features.numbers}
    columns |= {name: to_days(table[name]) for name in features.dates}
    columns |= {name: table[name].astype(object) for name in features.categories}
    columns |= {name: _as_text(table[name]) for name in features.texts}
    return pd.DataFrame(columns, index=table.index)


class Sample(NamedTuple):
    """What a baseline is fitted on."""

    rows: pd.DataFrame
    """As encoded by `prepare`."""
    truth: NDArray[np.int64]
    """Label codes, shape (rows,)."""
    features: Features
    seed: int
    advance: Advance | None = None
    """Called with the iterations of gradient boosting, which takes by far the longest."""

    @property
    def labels(self) -> int:
        """How many labels occur."""
        return len(np.unique(self.truth))


Fitted = tuple[str, ClassifierMixin]
"""A model with its description."""


def fit_models(names: Sequence[str], sample: Sample) -> dict[str, Fitted]:
    """The named baselines, each fitted on the sample; where only one label occurs, all equal the majority."""
    if sample.labels > 1:
        return {name: FITTERS[name](sample) for name in names}
    majority = _fit_majority(sample)
    same = ("The same as majority: the train split has only one label.", majority[1])
    return {name: majority if name == "majority" else same for name in names}


def _fit_majority(sample: Sample) -> Fitted:
    frequencies = DummyClassifier(strategy="prior").fit(sample.rows, sample.truth)
    return "The class frequencies of the train split, the same for every row.", frequencies


def _fit_linear(sample: Sample) -> Fitted:
    linear = _logistic_regression(sample.rows, sample.features, sample.seed, solver_iterations(sample.labels))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the description says where it stops
        linear.fit(sample.rows, sample.truth)
    return _describe_linear(sample.features, sample.labels), linear


def _fit_trees(sample: Sample) -> Fitted:
    model = _gradient_boosting(sample.rows, sample.features, sample.seed, sample.labels)
    grown = _grow(model, sample.rows, sample.truth, tree_iterations(sample.labels), sample.advance)
    return _describe_trees(sample.features, sample.labels), grown


FITTERS: Mapping[str, Callable[[Sample], Fitted]] = {
    "majority": _fit_majority,
    "logistic_regression": _fit_linear,
    "hist_gradient_boosting": _fit_trees,
}
"""By the names of a task's `baselines`."""


def solver_iterations(labels: int) -> int:
    """The most iterations of the logistic regression's solver; an iteration's time grows with the labels."""
    return min(_SOLVER_ITERATIONS, max(100, _SOLVER_ITERATIONS_TIMES_LABELS // labels))


def tree_iterations(labels: int) -> int:
    """Iterations of gradient boosting, each with one tree per label (one tree in total for two labels)."""
    return min(_ITERATIONS, max(10, MAX_TREES // labels))


def _describe_linear(features: Features, labels: int) -> str:
    words = (
        f", TF-IDF with at most {max(features.texts.values()):,} terms per text column "
        f"(its first {MAX_CHARACTERS:,} characters)"
        if features.texts
        else ""
    )
    return (
        "Logistic regression: standardised numbers, the median and an indicator for missing ones, "
        f"at most {MAX_CATEGORIES} one-hot categories per column, missing included{words}; "
        f"at most {solver_iterations(labels):,} iterations."
    )


def _describe_trees(features: Features, labels: int) -> str:
    words = f", at most {TEXT_COMPONENTS} TF-IDF components per text column" if features.texts else ""
    shrunk = f", leaves shrunk (l2 1) as with any more than {MANY_LABELS} labels" if labels > MANY_LABELS else ""
    return (
        "Histogram-based gradient-boosted trees: missing cells kept as missing, "
        f"at most {MAX_CATEGORIES} categories per column{words}; "
        f"{tree_iterations(labels)} iterations for {labels:,} labels{shrunk}."
    )


def _vectorizers(rows: pd.DataFrame, features: Features) -> list[tuple[TfidfVectorizer, str]]:
    """A vectorizer for each text column."""
    return [(_vectorizer(terms, _longest_term(rows[name])), name) for name, terms in features.texts.items()]


def _logistic_regression(rows: pd.DataFrame, features: Features, seed: int, iterations: int) -> Pipeline:
    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    categories = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MAX_CATEGORIES)
    texts = [(f"text {index}", *step) for index, step in enumerate(_vectorizers(rows, features))]
    columns = ColumnTransformer(
        [("numbers", numbers, features.ordinal), ("categories", categories, features.categories), *texts]
    )
    return make_pipeline(columns, LogisticRegression(max_iter=iterations, random_state=seed))


def _gradient_boosting(rows: pd.DataFrame, features: Features, seed: int, labels: int) -> Pipeline:
    categories = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=MAX_CATEGORIES,
    )
    texts = [
        (f"text {index}", _reduced(vectorizer, features.texts[name], len(rows), seed), name)
        for index, (vectorizer, name) in enumerate(_vectorizers(rows, features))
    ]
    columns = ColumnTransformer(
        [("numbers", "passthrough", features.ordinal), ("categories", categories, features.categories), *texts],
        sparse_threshold=0.0,
    )
    positions = range(len(features.ordinal), len(features.ordinal) + len(features.categories))
    # Early stopping would hold out rows of each label, and fails where a label has only one row.
    trees = HistGradientBoostingClassifier(
        categorical_features=list(positions),
        early_stopping=False,
        l2_regularization=1.0 if labels > MANY_LABELS else 0.0,
        random_state=seed,
        warm_start=True,
    )
    return make_pipeline(columns, trees)


def _reduced(vectorizer: TfidfVectorizer, terms: int, rows: int, seed: int) -> Pipeline | TfidfVectorizer:
    """The text as at most TEXT_COMPONENTS numbers; as its terms themselves where there are no more of them."""
    if terms <= TEXT_COMPONENTS:
        return vectorizer
    return make_pipeline(vectorizer, TruncatedSVD(min(TEXT_COMPONENTS, rows), random_state=seed))


def _grow(
    model: Pipeline, rows: pd.DataFrame, truth: NDArray[np.int64], iterations: int, advance: Advance | None
) -> Pipeline:
    """Fit gradient boosting in steps, which together equal one fit, and report progress."""
    columns, trees = (step for _, step in model.steps)
    with np.errstate(divide="ignore", invalid="ignore"):  # a variance of 0, where all texts are the same
        numbers = columns.fit_transform(rows)
    for done in np.linspace(0, iterations, _ROUNDS + 1, dtype=int)[1:].tolist():
        trees.set_params(max_iter=done).fit(numbers, truth)
        if advance is not None:
            advance(done, iterations)
    return model


def _predict_splits(
    model: ClassifierMixin,
    rows: dict[BaselineSplit, tuple[pd.DataFrame, pd.DataFrame]],
    features: Features,
    labels: int,
) -> dict[BaselineSplit, BaselinePredictions]:
    return {
        split: {
            "rows": keys["row"].tolist(),
            "sources": keys["source"].tolist(),
            "probabilities": predict(model, prepare(table, features), labels).tolist(),
        }
        for split, (keys, table) in rows.items()
    }


def predict(model: ClassifierMixin, rows: pd.DataFrame, labels: int) -> NDArray[np.float64]:
    """P(label | row), shape (rows, labels), rounded; 0 for a label that was not in the train rows."""
    probabilities = np.zeros((len(rows), labels))
    if len(rows):
        probabilities[:, model.classes_] = model.predict_proba(rows)
    return probabilities.round(_DIGITS)

"""Prediction sets that contain the true label as often as configured (split conformal prediction), and their coverage.

A label is in a row's set where its nonconformity score is at most the ⌈(n+1)·confidence⌉-th smallest score of the true
labels of n calibration rows (Vovk, Gammerman and Shafer 2005; Papadopoulos et al. 2002). Where new rows are
exchangeable with those, the true label is in the set with a probability of at least confidence, and of
⌈(n+1)·confidence⌉/(n+1) where no two scores are equal. With too few rows, that rank exceeds n: the set contains all
labels.

- lac: 1 - P(label) (Sadinle, Lei and Wasserman 2019): the smallest sets on average.
- aps: the probability of all labels that are more probable, and a random share of the label's own (Romano, Sesia and
  Candès 2020): sets that grow with the uncertainty about a row.
- raps: aps, and a penalty on labels far down the row's ranking (Angelopoulos, Bates, Malik and Jordan 2021).
- class_conditional: lac, with a quantile for each label from its own calibration rows (Vovk 2012, Mondrian): the
  guarantee holds for every label, rare ones included.

The formulas are implemented here because MAPIE draws APS's random share by a row's position in the batch and refuses
two labels and fewer than 1/(1 - confidence) rows, and crepes compares cell by cell in Python; tests compare with both.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loramake import artifacts, layout, schemas
from loramake.arrays import Codes, Floats
from loramake.artifact_types.trust import (
    ClassCoverage,
    ClassQuantile,
    ComparedMethod,
    Conformal,
    ConformalLevel,
    ConformalMethod,
    ExpectedCoverage,
    FittedSets,
    MeasuredSets,
    SetsOnTest,
)
from loramake.console import say
from loramake.errors import ArtifactError, ConfigError
from loramake.evaluation.intervals import CONFIDENCE, defined, proportion
from loramake.prediction.predictions import Scored, read_scored
from loramake.tasks import read_task
from loramake.trust.sentences.conformal import notes_on_sets, summarize_sets

METHODS: tuple[ConformalMethod, ...] = ("lac", "aps", "raps", "class_conditional")
LEVELS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99)
"""Confidences at which the sets are measured on the test split, besides the configured one."""
PENALTY = 0.1
FREE_LABELS = 1
"""RAPS's λ and k, fixed beforehand: rows used to choose them could not be used for the quantile."""

_DRAWS = 1000
_CELLS = 200_000
"""Scores computed at once: few enough to stay in the processor's cache."""

Sets = NDArray[np.bool_]
"""Whether a label is in a row's set, shape (rows, labels)."""


@dataclass(frozen=True)
class SetPredictor:
    """Calibration scores, which determine the set of any row at any confidence."""

    method: str
    confidence: float
    labels: int
    scores: tuple[Floats, ...]
    """Scores of the true labels of the calibration rows, ascending: of all rows, or by label if class-conditional."""

    def predict(self, probabilities: Floats, confidence: float | None = None) -> Sets:
        """The set of each row of `probabilities` (rows, labels); it depends on nothing but that row's probabilities.

        `confidence` defaults to the fitted one; ConfigError where it is not between 0 and 1.
        """
        limits = self.quantiles(self.confidence if confidence is None else confidence)
        return is_inside(score_labels(self.method, probabilities), limits)

    def quantiles(self, confidence: float) -> Floats:
        """The highest score in a set, by label, shape (labels,); infinite with too few calibration rows."""
        if not 0 < confidence < 1:
            raise ConfigError(f"conformal_confidence is {confidence}: set it above 0 and below 1, such as 0.9.")
        quantiles = np.array([_quantile(scores, confidence) for scores in self.scores])
        return np.broadcast_to(quantiles, self.labels)

    def rows_of(self, truth: Codes) -> Codes:
        """How many of these rows are compared with each entry of `scores`."""
        single = len(self.scores) == 1
        return np.array([len(truth)]) if single else np.bincount(truth, minlength=self.labels)


class Trial(NamedTuple):
    """Sets of rows whose label is known, each (confidences, rows): size, and whether it contains the true label."""

    sizes: NDArray[np.int64]
    hits: NDArray[np.bool_]


def fit_conformal(
    task: str | Path,
    held_out: str | Path,
    test: str | Path,
    method: ConformalMethod,
    conformal_confidence: float,
    seed: int,
    out: str | Path,
) -> None:
    """Write conformal.json from the calibrated predictions (JSON lines) of the held-out rows and of the test split."""
    labels = read_task(task).labels
    calibration, tested = read_scored(held_out, labels), read_scored(test, labels)
    conformal = evaluate(calibration, tested, labels, method, conformal_confidence, seed)
    artifacts.write(out, conformal, schemas.CONFORMAL)
    say(conformal["sentence"])


def load_sets(conformal: FittedSets, calibration: Scored) -> SetPredictor:
    """The sets of conformal.json; `calibration` are the rows of trust/held_out.jsonl, on which they were fitted.

    ArtifactError where those are different rows.
    """
    rows, labels = calibration.probabilities.shape
    if (rows, labels) != (conformal["rows"], len(conformal["labels"])):
        raise ArtifactError(
            f"{layout.CONFORMAL.path} was fitted on {conformal['rows']:,} rows of {len(conformal['labels']):,} labels "
            f"but {layout.HELD_OUT.path} has {rows:,} rows of {labels:,}: delete the former and run the experiment "
            f"again."
        )
    return fit_sets(calibration, conformal["method"], conformal["conformal_confidence"])


def fit_sets(calibration: Scored, method: str, confidence: float) -> SetPredictor:
    """Sets by one of METHODS, from calibration rows that nothing else was fitted on."""
    truth, probabilities = calibration.truth, calibration.probabilities
    labels = probabilities.shape[1]
    scores = score_labels(method, probabilities)[np.arange(len(truth)), truth]
    if method != "class_conditional":
        return SetPredictor(method, confidence, labels, (np.sort(scores),))
    order = np.lexsort((scores, truth))
    ends = np.cumsum(np.bincount(truth, minlength=labels))[:-1]
    return SetPredictor(method, confidence, labels, tuple(np.split(scores[order], ends)))


def score_labels(method: str, probabilities: Floats) -> Floats:
    """The nonconformity score of each label for each row, by one of METHODS: shape (rows, labels)."""
    if method in ("lac", "class_conditional"):
        return 1 - probabilities
    penalty = PENALTY if method == "raps" else 0.0
    scores = np.empty_like(probabilities)
    for block in _blocks(probabilities):
        scores[block] = _cumulated(probabilities[block], row_shares(probabilities[block]), penalty, FREE_LABELS)
    return scores


def is_inside(scores: Floats, limits: Floats) -> Sets:
    """Which labels a set contains: those whose score (rows, labels) is at most their label's limit (labels,)."""
    return scores <= limits


def row_shares(probabilities: Floats) -> Floats:
    """A number from 0 to 1 for each row, shape (rows,), in place of the random one of APS and RAPS.

    It is a hash (SplitMix64, Steele, Lea and Flood 2014) of how much more probable the row's first label is than its
    second, in steps of 0.1%: the same row gets the same set in every batch, whatever the order of the labels, and
    mostly also where another batch size or machine changes the last digits of its probabilities.

    The coverage guarantee still holds, since it only requires a score to be the same function of every row. The price
    is that rows of the same step share their number; with few distinct rows, scores can be equal, and the true label
    is then in the set more often than guaranteed.
    """
    first, second = -np.partition(-probabilities, 1, axis=1)[:, :2].T
    with np.errstate(divide="ignore"):
        odds = np.ascontiguousarray(first / second)
    state = (odds.view(np.uint64) >> np.uint64(42)) + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _cumulated(probabilities: Floats, shares: Floats, penalty: float, free: int) -> Floats:
    """Scores of APS and RAPS. Labels of equal probability cannot be ranked: they are summed and share a score."""
    order = np.argsort(-probabilities, axis=1)
    ranked = np.take_along_axis(probabilities, order, axis=1)
    until = np.cumsum(ranked, axis=1)
    labels = probabilities.shape[1]
    ranks = np.arange(labels)
    steps = ranked[:, 1:] != ranked[:, :-1]
    edge = np.ones((len(ranked), 1), dtype=np.bool_)
    last = np.where(np.hstack([steps, edge]), ranks, labels - 1)
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    first = np.maximum.accumulate(np.where(np.hstack([edge, steps]), ranks, 0), axis=1)
    above = np.where(first > 0, np.take_along_axis(until, np.maximum(first - 1, 0), axis=1), 0.0)
    below = np.take_along_axis(until, last, axis=1)
    scores = np.empty_like(probabilities)
    values = above + shares[:, None] * (below - above) + penalty * np.maximum(last + 1 - free, 0)
    np.put_along_axis(scores, order, values, axis=1)
    return scores


def rank_of(rows: int, confidence: float) -> int:
    """⌈(rows+1)·confidence⌉, without one too many where floats overshoot a whole number (100 · 0.55)."""
    return math.ceil(round((rows + 1) * confidence, 9))


def guarantee_of(rows: int, confidence: float) -> float:
    """The probability that the true label of a new row is in its set; exact where no two scores are equal."""
    return rank_of(rows, confidence) / (rows + 1)


def rows_needed(confidence: float) -> int:
    """The fewest calibration rows with which a set need not contain all labels."""
    return math.ceil(round(confidence / (1 - confidence), 9))


def _quantile(scores: Floats, confidence: float) -> float:
    rank = rank_of(len(scores), confidence)
    return float(scores[rank - 1]) if rank <= len(scores) else math.inf


def _blocks(matrix: Floats) -> Iterator[slice]:
    size = max(1, _CELLS // max(1, matrix.shape[1]))
    return (slice(start, start + size) for start in range(0, len(matrix), size))


def try_sets(sets: SetPredictor, scored: Scored, confidences: list[float]) -> Trial:
    """The sets at each confidence, on rows whose label is known."""
    limits = [sets.quantiles(confidence) for confidence in confidences]
    shape = (len(limits), len(scored.truth))
    trial = Trial(np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.bool_))
    for block in _blocks(scored.probabilities):
        scores, truth = score_labels(sets.method, scored.probabilities[block]), scored.truth[block]
        for index, limit in enumerate(limits):
            inside = is_inside(scores, limit)
            trial.sizes[index, block] = inside.sum(axis=1)
            trial.hits[index, block] = inside[np.arange(len(truth)), truth]
    return trial


def evaluate(
    calibration: Scored, test: Scored, labels: list[str], method: ConformalMethod, confidence: float, seed: int
) -> Conformal:
    """The content of conformal.json: quantiles and guarantee, the sets on test, and the other methods."""
    sets = fit_sets(calibration, method, confidence)
    confidences = [confidence, *sorted({*LEVELS, confidence})]
    trial = try_sets(sets, test, confidences)
    configured, *levels = _levels(sets, trial, test.truth, confidences, seed)
    measured: MeasuredSets = {
        "labels": labels,
        "method": method,
        "conformal_confidence": confidence,
        "raps": {"penalty": PENALTY, "free_labels": FREE_LABELS} if method == "raps" else None,
        "rows": len(calibration.truth),
        "rows_needed": rows_needed(confidence),
        "quantile": None if method == "class_conditional" else _finite(sets.quantiles(confidence)[0]),
        "guarantee": configured["guarantee"],
        "by_class": _by_class(sets, calibration.truth, labels),
        "test": _describe_test(trial, test.truth, labels, configured),
        "levels": levels,
        "methods": [_compare(calibration, test, labels, name, confidence) for name in METHODS],
    }
    return {**measured, "notes": notes_on_sets(measured), "sentence": summarize_sets(measured)}


def _by_class(sets: SetPredictor, truth: Codes, labels: list[str]) -> list[ClassQuantile]:
    """Of each label: its calibration rows, the highest score in a set, and the guarantee for its rows."""
    rows = np.bincount(truth, minlength=len(labels)).tolist()
    quantiles = sets.quantiles(sets.confidence).tolist()
    conditional = sets.method == "class_conditional"
    return [
        {
            "label": label,
            "rows": rows[code],
            "quantile": _finite(quantiles[code]),
            "guarantee": guarantee_of(rows[code], sets.confidence) if conditional else None,
        }
        for code, label in enumerate(labels)
    ]


def _levels(
    sets: SetPredictor, trial: Trial, truth: Codes, confidences: list[float], seed: int
) -> list[ConformalLevel]:
    return [
        {
            "conformal_confidence": confidence,
            "guarantee": min(guarantee_of(len(scores), confidence) for scores in sets.scores),
            "coverage": proportion(int(hits.sum()), len(hits)),
            "expected": _expected(sets, truth, confidence, seed),
            "mean_set_size": _mean(sizes),
        }
        for confidence, sizes, hits in zip(confidences, trial.sizes, trial.hits, strict=True)
    ]


def _expected(sets: SetPredictor, truth: Codes, confidence: float, seed: int) -> ExpectedCoverage:
    """The interval that contains the test coverage 19 times in 20 if test rows are like calibration rows.

    Given n calibration rows, the coverage is not a fixed number but follows Beta(k, n+1-k), with k the rank of the
    quantile (Vovk 2012, proposition 2a), and the test rows are a sample: both are simulated here.
    """
    if len(truth) == 0:
        return {"low": None, "high": None}
    tested = sets.rows_of(truth)
    rows = np.array([len(scores) for scores in sets.scores])[tested > 0]
    ranks = np.array([rank_of(count, confidence) for count in rows.tolist()])
    generator = np.random.default_rng(seed)
    drawn = generator.beta(ranks, np.maximum(rows + 1 - ranks, 1), size=(_DRAWS, len(rows)))
    hits = generator.binomial(tested[tested > 0], np.where(ranks > rows, 1.0, drawn)).sum(axis=1)
    low, high = np.quantile(hits / len(truth), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {"low": float(low), "high": float(high)}


def _describe_test(trial: Trial, truth: Codes, labels: list[str], level: ConformalLevel) -> SetsOnTest:
    sizes, hits = trial.sizes[0], trial.hits[0]
    counts = np.bincount(sizes)
    return {
        "rows": len(truth),
        "coverage": level["coverage"],
        "expected": level["expected"],
        "mean_set_size": level["mean_set_size"],
        "empty_sets": _mean(sizes == 0),
        "full_sets": _mean(sizes == len(labels)),
        "sizes": [{"size": size, "rows": int(counts[size])} for size in np.flatnonzero(counts).tolist()],
        "by_class": _test_by_class(sizes, hits, truth, labels),
    }


def _test_by_class(sizes: Codes, hits: Sets, truth: Codes, labels: list[str]) -> list[ClassCoverage]:
    rows, covered, summed = (
        np.bincount(truth, weights=weights, minlength=len(labels)).tolist() for weights in (None, hits, sizes)
    )
    return [
        {
            "label": label,
            "rows": rows[code],
            "coverage": proportion(int(covered[code]), rows[code]),
            "mean_set_size": summed[code] / rows[code] if rows[code] else None,
        }
        for code, label in enumerate(labels)
    ]


def _compare(
    calibration: Scored, test: Scored, labels: list[str], method: ConformalMethod, confidence: float
) -> ComparedMethod:
    """One method on test at the configured confidence, with the label of the lowest coverage."""
    trial = try_sets(fit_sets(calibration, method, confidence), test, [confidence])
    sizes, hits = trial.sizes[0], trial.hits[0]
    by_class = [label for label in _test_by_class(sizes, hits, test.truth, labels) if label["rows"]]
    worst = min(by_class, key=lambda label: defined(label["coverage"]["value"]), default=None)
    return {
        "method": method,
        "coverage": proportion(int(hits.sum()), len(hits)),
        "mean_set_size": _mean(sizes),
        "worst_class": worst and {"label": worst["label"], "rows": worst["rows"], "coverage": worst["coverage"]},
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None

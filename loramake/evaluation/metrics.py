"""How good probabilities are: scikit-learn's metrics, bootstrap intervals, and loramake against the baselines.

A row counts as predicted with its most probable label (of equals, the first). What is undefined, such as a ROC-AUC
where all rows have one label, is NaN here and null in metrics.json, never an error and never a number.

Time and memory grow with labels times rows and with resamples times labels, never with the square of the labels.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sklearn_metrics
from threadpoolctl import threadpool_limits

from loramake import artifacts
from loramake.console import Advance, progress, say
from loramake.errors import ArtifactError
from loramake.prediction.predictions import Codes, Floats, Key, as_matrix, name_of, read_scored
from loramake.text import as_percent

RESAMPLES = 1000
CONFIDENCE = 0.95
LORAMAKE = "loramake"
VERDICT_METRIC = "roc_auc"
LABEL_METRICS = ("precision", "recall", "f1")
MAX_LABELS_WITH_MATRIX = 100
"""Of more labels metrics.json has no confusion matrix: a million cells that are nearly all zero."""

_CELLS = 400_000
"""Counts held at once while resampling: few enough to stay in the processor's cache."""
_CELLS_OF_MANY_LABELS = 5_000_000
"""The same for more than _MANY_LABELS labels, whose rows are compared with each other anew for each block."""
_FEW = 30
"""Up to so many rows of a label it is quicker to compare each with every row than to sort and sum."""
_COMPARED = 2_000_000
"""Pairs of rows compared at once."""
_MANY_LABELS = 20
"""Of more labels the areas are not scikit-learn's, which takes 7 ms a label, but those of one resample, the same."""

Estimate = dict[str, float | None]
"""{value, low, high}: a measure and its interval, each null where it is undefined."""
UNDEFINED: Estimate = {"value": None, "low": None, "high": None}

Scores = dict[str, Floats]
"""P(label | row) by model, each of shape (rows, labels), the rows the same."""


class Tallies(NamedTuple):
    """Rows of each label in each resample, each (resamples, labels): predicted right, true, predicted."""

    right: Floats
    true: Floats
    predicted: Floats


def run_evaluation(
    task: str | Path, train: str | Path, test: str | Path, baselines: str | Path, seed: int, out: str | Path
) -> None:
    """Write metrics.json from the predictions of the train and test splits (JSON lines) and baselines.json."""
    found = artifacts.read(task, "task")
    labels = [label["value"] for label in found["labels"]]
    splits: dict[str, Any] = {}
    for split, predictions in (("train", train), ("test", test)):
        truth, scores = read_scores(predictions, baselines, labels, split)
        # One thread: on a busy machine several wait for each other and take ten times as long.
        with threadpool_limits(limits=1), progress(f"evaluating {split}, resamples") as advance:
            resampled = resample(truth, scores, seed, advance)
            models = {name: evaluate(truth, scores[name], labels, resampled[name], seed) for name in scores}
        splits[split] = {"rows": len(truth), "models": models}
    verdict = find_verdict(splits["test"]["models"], resampled)
    metrics = {
        "labels": labels,
        "positive_label": found["positive_label"],
        "resamples": RESAMPLES,
        "confidence": CONFIDENCE,
        "splits": splits,
        "verdict": verdict,
    }
    artifacts.write(out, metrics, "metrics")
    say(verdict["sentence"])


def read_scores(predictions: str | Path, baselines: str | Path, labels: list[str], split: str) -> tuple[Codes, Scores]:
    """True labels (places in `labels`, shape (rows,)) and the scores of loramake and of every baseline, rows matched.

    ArtifactError where the two files do not hold the same rows and labels, or a row's true label is not known.
    """
    scored = read_scored(predictions, labels)
    plain = artifacts.read(baselines, "baselines")
    if plain["labels"] != labels:
        raise ArtifactError(f"{baselines} was made for other labels: delete it and run the same command again.")
    scores = {LORAMAKE: scored.probabilities}
    for name, model in plain["models"].items():
        found = model["splits"][split]
        keys = zip(found["sources"], found["rows"], strict=True)
        rows = dict(zip(keys, found["probabilities"], strict=True))
        _check_same_rows(set(scored.keys), set(rows), predictions, baselines)
        scores[name] = as_matrix([rows[key] for key in scored.keys], labels)
    return scored.truth, scores


def _check_same_rows(ours: set[Key], theirs: set[Key], predictions: str | Path, baselines: str | Path) -> None:
    for there, here, absent in ((ours, theirs, baselines), (theirs, ours, predictions)):
        if extra := sorted(there - here):
            raise ArtifactError(
                f"{absent} lacks {name_of(extra[0])}, which {predictions if absent == baselines else baselines} has: "
                f"delete both and run the same command again."
            )


def compute_metrics(truth: Codes, probabilities: Floats) -> dict[str, float]:
    """Every metric by scikit-learn, from label codes (rows,) and probabilities (rows, labels).

    A precision, recall or F1 that is 0/0 is NaN for the positive label and counts as 0 in macro and weighted means,
    which run over the labels that are true or predicted somewhere. One-vs-rest means run over the labels that are
    true somewhere. Balanced accuracy, MCC and both areas need two true labels.
    """
    binary = probabilities.shape[1] == 2
    if len(truth) == 0:
        return dict.fromkeys(metric_names(binary), np.nan)
    predicted = probabilities.argmax(axis=1)
    values = {"accuracy": sklearn_metrics.accuracy_score(truth, predicted)}
    for average in ("macro", "weighted"):
        values |= _precision_recall_f1(truth, predicted, f"_{average}", average=average, zero_division=0)
    if binary:
        values |= _precision_recall_f1(truth, predicted, "", average="binary", zero_division=np.nan)
    labels = range(probabilities.shape[1])
    values["log_loss"] = sklearn_metrics.log_loss(truth, probabilities, labels=list(labels))
    if ranked := ranked_labels(truth, binary):
        # balanced_accuracy_score is the same, but warns of labels that are predicted and not true.
        values["balanced_accuracy"] = sklearn_metrics.recall_score(
            truth, predicted, labels=np.unique(truth), average="macro", zero_division=0
        )
        values["mcc"] = sklearn_metrics.matthews_corrcoef(truth, predicted)
        values["roc_auc"], values["pr_auc"] = mean_areas(truth, probabilities, ranked)
    return {name: float(values.get(name, np.nan)) for name in metric_names(binary)}


def mean_areas(truth: Codes, probabilities: Floats, ranked: list[int]) -> Floats:
    """Mean ROC-AUC and mean average precision over the labels in `ranked`, shape (2,)."""
    if len(ranked) > _MANY_LABELS:
        areas = weighted_areas(truth, probabilities, np.ones((1, len(truth))), ranked)[:, 0]
    else:
        scorers = (sklearn_metrics.roc_auc_score, sklearn_metrics.average_precision_score)
        areas = np.array([[score(truth == label, probabilities[:, label]) for label in ranked] for score in scorers])
    mean: Floats = areas.mean(axis=1)
    return mean


def _precision_recall_f1(truth: Codes, predicted: Codes, suffix: str, **options: Any) -> dict[str, float]:
    values = sklearn_metrics.precision_recall_fscore_support(truth, predicted, **options)
    return {f"{name}{suffix}": value for name, value in zip(("precision", "recall", "f1"), values, strict=False)}


def ranked_labels(truth: Codes, binary: bool) -> list[int]:
    """The labels whose scores are ranked against the rest: the positive one, or all that occur; of one label, none."""
    present: list[int] = np.unique(truth).tolist()
    return [] if len(present) < 2 else [1] if binary else present


def metric_names(binary: bool) -> list[str]:
    """All metrics, in the order of the reports."""
    positive = ["precision", "recall", "f1"] if binary else []
    means = [f"{name}_{mean}" for mean in ("macro", "weighted") for name in ("precision", "recall", "f1")]
    return ["roc_auc", "pr_auc", "accuracy", "balanced_accuracy", *positive, *means, "mcc", "log_loss"]


def resample(truth: Codes, scores: Scores, seed: int, advance: Advance | None = None) -> dict[str, dict[str, Floats]]:
    """Every metric of every model on the same bootstrap resamples of the rows, each of shape (resamples,)."""
    parts: dict[str, list[dict[str, Floats]]] = {name: [] for name in scores}
    many = any(probabilities.shape[1] > _MANY_LABELS for probabilities in scores.values())
    for counts in draw_counts(len(truth), seed, _CELLS_OF_MANY_LABELS if many else _CELLS, advance):
        for name, probabilities in scores.items():
            parts[name].append(compute_weighted(truth, probabilities, counts))
    return {
        name: {metric: np.concatenate([part[metric] for part in found]) for metric in found[0]}
        for name, found in parts.items()
    }


def resample_labels(truth: Codes, probabilities: Floats, seed: int) -> dict[str, Floats]:
    """Precision, recall and F1 of every label on the same resamples, each of shape (resamples, labels)."""
    parts = []
    for counts in draw_counts(len(truth), seed):
        with np.errstate(divide="ignore", invalid="ignore"):
            parts.append(_label_shares(_tally(truth, probabilities, counts)))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def draw_counts(rows: int, seed: int, cells: int = _CELLS, advance: Advance | None = None) -> Iterator[Floats]:
    """How often each row is drawn in each resample, in blocks of shape (some resamples, rows) of `cells` at most.

    `advance` is told of a block when the next one is asked for.
    """
    generator = np.random.default_rng(seed)
    block = max(1, cells // max(1, rows))
    for start in range(0, RESAMPLES, block):
        size = min(block, RESAMPLES - start)
        drawn = generator.integers(max(1, rows), size=(size, rows)) + rows * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * rows).reshape(size, rows).astype(np.float64)
        if advance is not None:
            advance(start + size, RESAMPLES)


def compute_weighted(truth: Codes, probabilities: Floats, counts: Floats) -> dict[str, Floats]:
    """`compute_metrics` of many resamples at once: `counts` (resamples, rows) tells how often each holds a row.

    scikit-learn takes 20 ms for one resample of 5,000 rows, this 1 ms; a test holds the two equal.
    """
    binary = probabilities.shape[1] == 2
    if len(truth) == 0:
        return dict.fromkeys(metric_names(binary), np.full(len(counts), np.nan))
    with np.errstate(divide="ignore", invalid="ignore"):
        tallies = _tally(truth, probabilities, counts)
        values = _tally_metrics(tallies, binary)
        present = tallies.true > 0
        areas = np.full((2, *present.shape), np.nan)
        if ranked := ranked_labels(truth, binary):
            areas[:, :, ranked] = weighted_areas(truth, probabilities, counts, ranked)
        one_label = present.sum(axis=1) < 2
        used = present & (np.arange(present.shape[1]) == 1) if binary else present
        for name, area in zip(("roc_auc", "pr_auc"), areas, strict=True):
            values[name] = np.where(used, area, 0.0).sum(axis=1) / used.sum(axis=1)
    for name in ("roc_auc", "pr_auc", "balanced_accuracy", "mcc"):
        values[name][one_label] = np.nan
    values["log_loss"] = counts @ row_losses(truth, probabilities) / counts.sum(axis=1)
    return {name: values[name] for name in metric_names(binary)}


def row_losses(truth: Codes, probabilities: Floats) -> Floats:
    """-log P(true label) of each row, shape (rows,), probabilities kept off 0 and 1 as scikit-learn's log_loss does."""
    epsilon = np.finfo(np.float64).eps
    own: Floats = probabilities[np.arange(len(truth)), truth]
    return -np.log(np.clip(own, epsilon, 1 - epsilon))


def _tally(truth: Codes, probabilities: Floats, counts: Floats) -> Tallies:
    labels, predicted = probabilities.shape[1], probabilities.argmax(axis=1)
    right = truth == predicted
    return Tallies(
        _sums_by_label(truth[right], counts[:, right], labels),
        _sums_by_label(truth, counts, labels),
        _sums_by_label(predicted, counts, labels),
    )


def _sums_by_label(codes: Codes, counts: Floats, labels: int) -> Floats:
    """The sum of each resample's counts (resamples, rows) over the rows of each label: (resamples, labels)."""
    sums = np.zeros((len(counts), labels))
    order = np.argsort(codes, kind="stable")
    present, starts = np.unique(codes[order], return_index=True)
    if len(present):
        sums[:, present] = np.add.reduceat(counts[:, order], starts, axis=1)
    return sums


def _tally_metrics(tallies: Tallies, binary: bool) -> dict[str, Floats]:
    """The metrics that follow from the tallies of each resample, each of shape (resamples,)."""
    right, true, predicted = tallies
    rows = true.sum(axis=1)
    by_label = _label_shares(tallies)
    values = {"accuracy": right.sum(axis=1) / rows}
    if binary:
        values |= {name: shares[:, 1].copy() for name, shares in by_label.items()}
    seen = (true + predicted) > 0
    for name, shares in by_label.items():
        filled = np.nan_to_num(shares, nan=0.0)
        values[f"{name}_macro"] = filled.sum(axis=1) / seen.sum(axis=1)
        values[f"{name}_weighted"] = (filled * true).sum(axis=1) / rows
    recall = np.nan_to_num(by_label["recall"], nan=0.0)
    values["balanced_accuracy"] = recall.sum(axis=1) / (true > 0).sum(axis=1)
    # Gorodkin's R_k, as in scikit-learn: 0 where all rows have one prediction.
    covariance = right.sum(axis=1) * rows - (true * predicted).sum(axis=1)
    spread = (rows**2 - (true**2).sum(axis=1)) * (rows**2 - (predicted**2).sum(axis=1))
    values["mcc"] = np.where(spread > 0, covariance / np.sqrt(spread), 0.0)
    return values


def _label_shares(tallies: Tallies) -> dict[str, Floats]:
    """Precision, recall and F1 of every label, each of shape (resamples, labels); NaN where it is 0/0."""
    right, true, predicted = tallies
    return {"precision": right / predicted, "recall": right / true, "f1": 2 * right / (true + predicted)}


def weighted_areas(truth: Codes, probabilities: Floats, counts: Floats, labels: list[int]) -> Floats:
    """One-vs-rest ROC-AUC (a tie is half a win) and average precision, shape (2, resamples, labels asked for).

    `counts` (resamples, rows) tells how often each resample holds a row; NaN where one has no row of a label, or only.
    """
    areas = np.empty((2, len(counts), len(labels)))
    sizes = np.bincount(truth, minlength=probabilities.shape[1])[labels]
    with np.errstate(divide="ignore", invalid="ignore"):
        for place in np.flatnonzero(sizes > _FEW):
            label = labels[place]
            areas[:, :, place] = _areas_by_order(truth == label, probabilities[:, label], counts)
        few = np.flatnonzero(sizes <= _FEW)
        part = np.cumsum(sizes[few]) // max(_FEW, _COMPARED // max(1, len(truth)))
        for places in np.split(few, np.flatnonzero(np.diff(part)) + 1):
            if len(places):
                areas[:, :, places] = _areas_by_pairs(truth, probabilities, counts, np.array(labels)[places])
    return areas


def _areas_by_pairs(truth: Codes, probabilities: Floats, counts: Floats, labels: Codes) -> Floats:
    """Areas of labels of few rows, (2, resamples, labels), `labels` rising: each such row compared with every row.

    In float32, which holds whole numbers exactly up to 16 million, more than there are rows.
    """
    rows = np.flatnonzero(np.isin(truth, labels))
    rows = rows[np.argsort(truth[rows], kind="stable")]
    own = truth[rows]
    scores, bars = probabilities[:, own], probabilities[rows, own]
    ranked = np.stack([scores > bars, scores >= bars]).astype(np.float32)
    same = own[:, None] == own
    weights = counts.astype(np.float32)
    found = counts[:, rows]
    rows_ranked = (weights @ ranked).astype(np.float64)
    found_ranked = (weights[:, rows] @ (ranked[:, rows] * same)).astype(np.float64)
    starts = np.flatnonzero(np.diff(own, prepend=-1))
    positives = np.add.reduceat(found, starts, axis=1)
    negatives = counts.sum(axis=1, keepdims=True) - positives
    won, precision = _won_and_precise(found, rows_ranked, found_ranked, negatives[:, np.searchsorted(labels, own)])
    wins, precisions = (np.add.reduceat(each, starts, axis=1) for each in (won, precision))
    return np.stack([wins / (positives * negatives), precisions / positives])


def _areas_by_order(positive: NDArray[np.bool_], scores: Floats, counts: Floats) -> Floats:
    """Areas of one label, shape (2, resamples): sums in the order of the scores.

    Rows of one score form a group, since nothing can rank them; only groups that hold a positive row are looked at.
    """
    order = np.argsort(-scores, kind="stable")
    hits = positive[order]
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    ends = np.append(starts[1:], len(order))
    found_until = np.append(0, np.cumsum(hits))
    held = found_until[ends] > found_until[starts]
    places = np.stack([starts[held], ends[held]])
    drawn = counts.take(order, axis=1)
    rows_ranked = _sums_until(drawn, places)
    found_ranked = _sums_until(drawn[:, hits], found_until[places])
    positives = found_ranked[1][:, -1]
    negatives = counts.sum(axis=1) - positives
    found = found_ranked[1] - found_ranked[0]
    won, precision = _won_and_precise(found, rows_ranked, found_ranked, negatives[:, None])
    return np.stack([won.sum(axis=1) / (positives * negatives), precision.sum(axis=1) / positives])


def _won_and_precise(
    found: Floats, rows_ranked: Floats, found_ranked: Floats, negatives: Floats
) -> tuple[Floats, Floats]:
    """Pairs won against negative rows, and precision, of positive rows or groups of them: each (resamples, groups).

    `found` (resamples, groups) counts a group's positive rows; `rows_ranked` and `found_ranked`, each
    (2, resamples, groups), count all rows and the positive ones that rank above it, and above or level.
    """
    above = (rows_ranked - found_ranked).sum(axis=0) / 2
    precision = np.divide(found_ranked[1], rows_ranked[1], out=np.zeros_like(found), where=rows_ranked[1] > 0)
    return found * (negatives - above), found * precision


def _sums_until(weights: Floats, places: Codes) -> Floats:
    """The sum of each line of `weights` up to each place: shapes (lines, columns), (k, places) → (k, lines, places)."""
    edges = np.unique(np.append(places, 0))
    inner = edges[edges < weights.shape[1]]
    sums = np.zeros((len(weights), len(inner) + 1))
    np.cumsum(np.add.reduceat(weights, inner, axis=1), axis=1, out=sums[:, 1:])
    return np.stack([sums.take(np.searchsorted(edges, line), axis=1) for line in places])


def evaluate(
    truth: Codes, probabilities: Floats, labels: list[str], resampled: dict[str, Floats], seed: int
) -> dict[str, Any]:
    """One model on one split as metrics.json has it: metrics with intervals, confusion matrix, per-class table."""
    values = compute_metrics(truth, probabilities)
    few = len(labels) <= MAX_LABELS_WITH_MATRIX
    return {
        "metrics": {name: estimate(value, resampled[name]) for name, value in values.items()},
        "confusion_matrix": confusion_matrix(truth, probabilities).tolist() if few else None,
        "per_class": _per_class(truth, probabilities, labels, seed),
    }


def confusion_matrix(truth: Codes, probabilities: Floats) -> Codes:
    """Rows by true label and predicted label, shape (labels, labels)."""
    labels = probabilities.shape[1]
    cells = truth * labels + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=labels * labels).reshape(labels, labels)


def _per_class(truth: Codes, probabilities: Floats, labels: list[str], seed: int) -> list[dict[str, Any]]:
    """Precision, recall and F1 of each label with their intervals, and its rows."""
    if len(truth) == 0:
        return [{"label": label, **dict.fromkeys(LABEL_METRICS, UNDEFINED), "support": 0} for label in labels]
    codes = list(range(len(labels)))
    *columns, support = sklearn_metrics.precision_recall_fscore_support(
        truth, probabilities.argmax(axis=1), labels=codes, zero_division=np.nan
    )
    resampled = resample_labels(truth, probabilities, seed)
    named = list(zip(LABEL_METRICS, columns, strict=True))
    return [
        {"label": labels[code]}
        | {name: estimate(column[code], resampled[name][:, code]) for name, column in named}
        | {"support": int(support[code])}
        for code in codes
    ]


def estimate(value: float, resampled: Floats) -> Estimate:
    """A value with its percentile-bootstrap interval (Efron and Tibshirani 1993, chapter 13).

    Resamples where the metric is undefined are left out; where that is more than half of them, so is the interval.
    """
    defined = resampled[~np.isnan(resampled)]
    if np.isnan(value) or 2 * len(defined) < len(resampled):
        return {**UNDEFINED, "value": _number(value)}
    low, high = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {"value": _number(value), "low": float(low), "high": float(high)}


def proportion(hits: float, rows: float) -> Estimate:
    """A share of rows with Wilson's score interval (1927), wide also where all rows agree; null of no rows.

    The closed form, since scipy's binomtest makes a test of each share, and there may be one for each of 1,000 labels.
    """
    if rows == 0:
        return UNDEFINED
    share, weight = hits / rows, NormalDist().inv_cdf((1 + CONFIDENCE) / 2) ** 2 / rows
    middle = (share + weight / 2) / (1 + weight)
    half = math.sqrt(weight * (share * (1 - share) + weight / 4)) / (1 + weight)
    low, high = (min(max(edge, 0.0), 1.0) for edge in (middle - half, middle + half))
    return {
        "value": float(share),
        "low": 0.0 if hits == 0 else float(low),
        "high": 1.0 if hits == rows else float(high),
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def find_verdict(models: dict[str, Any], resampled: dict[str, dict[str, Floats]]) -> dict[str, Any]:
    """loramake against the best baseline by ROC-AUC on test, with a paired bootstrap interval of the difference.

    The best baseline is picked on the same test rows, which favours the baseline.
    """
    areas = {name: model["metrics"][VERDICT_METRIC]["value"] for name, model in models.items()}
    if areas[LORAMAKE] is None:
        return _no_verdict()
    best = max((name for name in areas if name != LORAMAKE), key=lambda name: areas[name])
    paired = resampled[LORAMAKE][VERDICT_METRIC] - resampled[best][VERDICT_METRIC]
    difference = estimate(areas[LORAMAKE] - areas[best], paired)
    outcome = outcome_of(difference)
    return {
        "metric": VERDICT_METRIC,
        "best_baseline": best,
        "loramake": areas[LORAMAKE],
        "baseline": areas[best],
        "difference": difference,
        "outcome": outcome,
        "sentence": _sentence(outcome, best, areas[LORAMAKE], areas[best], difference),
    }


def _no_verdict() -> dict[str, Any]:
    return {
        "metric": VERDICT_METRIC,
        "best_baseline": None,
        "loramake": None,
        "baseline": None,
        "difference": UNDEFINED,
        "outcome": None,
        "sentence": "No comparison with the baselines: the test split has fewer than two labels.",
    }


def outcome_of(difference: Estimate, sign: int = 1) -> str | None:
    """What an interval says: better, worse or level; None of none. With `sign` -1 less is better."""
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return None
    above, below = ("better", "worse") if sign > 0 else ("worse", "better")
    return above if low > 0 else below if high < 0 else "level"


def _sentence(outcome: str | None, best: str, ours: float, theirs: float, difference: Estimate) -> str:
    against = f"ROC-AUC {ours:.3f} against {theirs:.3f} of {best}"
    if outcome is None:
        return f"Too few test rows to tell: {against}."
    opening = {"better": "Better than", "level": "Level with", "worse": "Worse than"}[outcome]
    value, low, high = (f"{round(number or 0.0, 3) + 0.0:.3f}" for number in difference.values())
    interval = f"difference {value}, {as_percent(CONFIDENCE)} interval {low} to {high}"
    return f"{opening} {best}: ROC-AUC {ours:.3f} against {theirs:.3f} ({interval})."

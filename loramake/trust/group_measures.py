"""The measures of a group of rows, for the rows themselves and for many resamples at once.

Every measure is a ratio of sums over rows (ECE: a sum of such), so one matrix product gives it for a thousand
resamples. Tests check that all of them equal fairlearn's MetricFrame and scikit-learn. MetricFrame itself is not used
here: it takes 45 ms a resample, and its rates are 0 where a group has no row of the label, which then makes the
largest difference.

A row's predicted label is the one decided if nobody is asked: the most probable one by the calibrated probabilities,
or the one that costs decide. ECE always refers to the most probable label.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loramake.arrays import Codes, Floats
from loramake.artifact_types.shared import Estimate
from loramake.artifact_types.trust import GroupMeasure, GroupMeasures, LabelRates, Rate
from loramake.console import Advance
from loramake.evaluation.intervals import RESAMPLES, draw_counts, estimate, estimate_error, proportion
from loramake.evaluation.losses import row_losses
from loramake.prediction.predictions import Scored
from loramake.tasks import Task
from loramake.trust.calibration_errors import BINS, find_bins, top_errors_if_calibrated

MAX_LABELS = 20
"""With more labels, only the most frequent ones have rates."""

RATES: tuple[Rate, ...] = ("selection_rate", "tpr", "fpr")
SHARES: tuple[GroupMeasure, ...] = ("accuracy", *RATES, "coverage", "abstention")
MEASURES: tuple[GroupMeasure, ...] = ("accuracy", *RATES, "ece", "log_loss", "coverage", "mean_set_size", "abstention")

_CELLS = 2_000_000
"""Counts in memory at once while resampling."""
_FIXED = ("rows", "correct", "loss", "covered", "set_size", "abstained")


class Rows(NamedTuple):
    """The outcomes of the test rows, as numbers that are summed over a group."""

    summands: Floats
    """Shape (rows, sums): those of _FIXED; selected, true, and both, by label with rates; ECE gaps by bin."""
    confidence: Floats
    """The probability of the most probable label, shape (rows,)."""
    labels: list[str]
    """The labels with rates: the positive one, or with more than two the most frequent, in the task's order."""
    binary: bool


class Sums(NamedTuple):
    """Sums over the rows of one group: the rows themselves, shape (1, sums), and each resample, (resamples, sums)."""

    given: Floats
    drawn: Floats


def count_rows(
    scored: Scored,
    predicted: Codes,
    sets: NDArray[np.bool_],
    abstained: NDArray[np.bool_],
    task: Task,
) -> Rows:
    """The summands of each row.

    `predicted` are the decided labels and `abstained` whether a person is asked instead, each of shape (rows,);
    `sets` (rows, labels) are the conformal sets.
    """
    truth, probabilities = scored.truth, scored.probabilities
    confidence = probabilities.max(axis=1)
    indices = np.arange(len(truth))
    fixed = [
        np.ones(len(truth)),
        predicted == truth,
        row_losses(truth, probabilities),
        sets[indices, truth],
        sets.sum(axis=1),
        abstained,
    ]
    codes = _codes_with_rates(truth, task)
    selected, true = predicted[:, None] == codes, truth[:, None] == codes
    gaps = np.zeros((len(truth), BINS))
    gaps[indices, find_bins(confidence)] = confidence - (probabilities.argmax(axis=1) == truth)
    summands = np.column_stack([*fixed, selected, true, selected & true, gaps]).astype(np.float64)
    return Rows(summands, confidence, [task.labels[code] for code in codes], binary=task.positive is not None)


def _codes_with_rates(truth: Codes, task: Task) -> Codes:
    rows = np.bincount(truth, minlength=len(task.labels))
    return np.sort([code for code in np.argsort(-rows, kind="stable") if code in task.free_codes][:MAX_LABELS])


def measure(sums: Floats, binary: bool) -> tuple[dict[str, Floats], Floats]:
    """Each of MEASURES, shape (times,), and RATES by label, shape (3, times, labels), from sums (times, sums).

    With more than two labels, tpr and fpr are means of the labels' one-vs-rest rates, and selection_rate is undefined:
    its mean would be the same for every group. NaN where a rate is 0/0; such a label is left out of the means.
    """
    rows, correct, loss, covered, set_size, abstained = sums[:, : len(_FIXED)].T
    selected, true, both = np.split(sums[:, len(_FIXED) : -BINS], 3, axis=1)
    total = rows[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = np.stack([selected / total, both / true, (selected - both) / (total - true)])
        selection_rate, tpr, fpr = _mean_rates(rates)
        values = {
            "accuracy": correct / rows,
            "selection_rate": selection_rate if binary else np.full(len(rows), np.nan),
            "tpr": tpr,
            "fpr": fpr,
            "ece": np.abs(sums[:, -BINS:]).sum(axis=1) / rows,
            "log_loss": loss / rows,
            "coverage": covered / rows,
            "mean_set_size": set_size / rows,
            "abstention": abstained / rows,
        }
    return values, rates


def _mean_rates(rates: Floats) -> Floats:
    """Means over the labels with a defined rate, shape (3, times), NaN without any; `rates`: (3, times, labels)."""
    defined = ~np.isnan(rates)
    with np.errstate(divide="ignore", invalid="ignore"):
        means: Floats = rates.sum(axis=2, where=defined) / defined.sum(axis=2)
    return means


def resample_sums(summands: Floats, groups: Sequence[Codes], seed: int, advance: Advance | None = None) -> list[Sums]:
    """The sums over each group (the indices of its rows) on the same bootstrap resamples of all rows."""
    parts: list[list[Floats]] = [[] for _ in groups]
    members = [summands[rows] for rows in groups]
    for counts in draw_counts(len(summands), seed, _CELLS, advance):
        for part, rows, group in zip(parts, groups, members, strict=True):
            part.append(counts[:, rows] @ group)
    return [Sums(group.sum(axis=0)[None], np.concatenate(part)) for group, part in zip(members, parts, strict=True)]


def describe_group(sums: Sums, rows: Rows, members: Codes, seed: int) -> GroupMeasures:
    """Each measure of the rows `members` with its interval: Wilson's for shares of rows, else the bootstrap's."""
    (values, _), (drawn, _) = measure(sums.given, rows.binary), measure(sums.drawn, rows.binary)
    described: dict[GroupMeasure, Estimate] = {name: estimate(values[name][0], drawn[name]) for name in MEASURES}
    count, correct, _, covered, _, abstained = sums.given[0, : len(_FIXED)]
    if_calibrated = top_errors_if_calibrated(rows.confidence[members], seed)["ece"]
    described |= {
        "ece": estimate_error(float(values["ece"][0]), drawn["ece"], if_calibrated),
        "accuracy": proportion(correct, count),
        "coverage": proportion(covered, count),
        "abstention": proportion(abstained, count),
    }
    by_label = _describe_labels(sums.given[0], rows.labels)
    if rows.binary:
        for name in RATES:
            described[name] = by_label[0][name]
    return {
        "rows": int(count),
        "accuracy": described["accuracy"],
        "selection_rate": described["selection_rate"],
        "tpr": described["tpr"],
        "fpr": described["fpr"],
        "ece": described["ece"],
        "log_loss": described["log_loss"],
        "coverage": described["coverage"],
        "mean_set_size": described["mean_set_size"],
        "abstention": described["abstention"],
        "by_label": [] if rows.binary else by_label,
    }


def _describe_labels(sums: Floats, labels: Sequence[str]) -> list[LabelRates]:
    """RATES of each label against the rest."""
    count = sums[0]
    by_label = zip(labels, *np.split(sums[len(_FIXED) : -BINS], 3), strict=True)
    return [
        {
            "label": label,
            "rows": int(true),
            "selection_rate": proportion(selected, count),
            "tpr": proportion(both, true),
            "fpr": proportion(selected - both, count - true),
        }
        for label, selected, true, both in by_label
    ]


def draw_shares(sums: Floats, generator: np.random.Generator | None) -> tuple[dict[str, Floats], Floats]:
    """Plausible SHARES and rates by label, as `measure` gives them, of a group with these sums (1, sums).

    Drawn from each share's posterior Beta(hits + 1, misses + 1); without a generator, its mean (one more correct and
    one more incorrect row), around which an interval has the nominal coverage (Agresti and Caffo 2000). Resampling
    would be overconfident: a small group whose rows are all correct is so in every resample. Groups share no rows, so
    they are drawn independently; the same is assumed of the labels' rates, which are weakly dependent.
    """
    total, correct, _, covered, _, abstained = sums[0, : len(_FIXED)]
    selected, true, both = np.split(sums[0, len(_FIXED) : -BINS], 3)
    fixed = {"accuracy": correct, "coverage": covered, "abstention": abstained}
    values = {name: _draw(np.array([hits]), np.array([total]), generator)[:, 0] for name, hits in fixed.items()}
    pairs = ((selected, np.full(len(selected), total)), (both, true), (selected - both, total - true))
    rates = np.stack([_draw(hits, rows, generator) for hits, rows in pairs])
    return {**values, **dict(zip(RATES, _mean_rates(rates), strict=True))}, rates


def _draw(hits: Floats, rows: Floats, generator: np.random.Generator | None) -> Floats:
    """Shares drawn given these hits, shape (resamples, shares), or their mean, (1, shares); NaN without rows."""
    if generator is None:
        return np.where(rows > 0, (hits + 1) / (rows + 2), np.nan)[None]
    drawn = generator.beta(hits + 1, np.maximum(rows - hits, 0) + 1, size=(RESAMPLES, len(hits)))
    return np.where(rows > 0, drawn, np.nan)

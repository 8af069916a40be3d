"""The measures of a group of rows, of the rows as they are and of many resamples at once.

Every measure is a share of sums over rows (of ECE: a sum of such), so that one product of matrices gives it for a
thousand resamples. Tests hold all of them equal to fairlearn's MetricFrame and scikit-learn. MetricFrame itself does
not stand here: it takes 45 ms a resample, and the rates that come with it are 0 where a group has no row of the label,
which then makes the largest difference.

A row counts as predicted with the label that is decided where nobody is asked: the most probable one by the calibrated
probabilities, or the one that costs decide. ECE is of the most probable label in any case.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loramake.artifact_types.shared import Estimate
from loramake.artifact_types.trust import GroupMeasure, GroupMeasures, LabelRates, Rate
from loramake.console import Advance
from loramake.evaluation.intervals import RESAMPLES, draw_counts, estimate, proportion
from loramake.evaluation.metrics import row_losses
from loramake.prediction.predictions import Codes, Floats, Scored
from loramake.tasks import Task
from loramake.trust.calibration_measures import BINS, find_bins

MAX_LABELS = 20
"""Of more labels the most frequent ones have rates."""

RATES: tuple[Rate, ...] = ("selection_rate", "tpr", "fpr")
SHARES: tuple[GroupMeasure, ...] = ("accuracy", *RATES, "coverage", "abstention")
MEASURES: tuple[GroupMeasure, ...] = ("accuracy", *RATES, "ece", "log_loss", "coverage", "mean_set_size", "abstention")

_CELLS = 2_000_000
"""Counts held at once while resampling."""
_FIXED = ("rows", "right", "loss", "covered", "set_size", "abstained")


class Rows(NamedTuple):
    """What became of the test rows, as numbers that are summed over a group."""

    summands: Floats
    """Shape (rows, sums): those of _FIXED; selected, true, and both, by label that has rates; ECE gaps by bin."""
    labels: list[str]
    """The labels that have rates: the positive one, or of more than two the most frequent, in the task's order."""
    binary: bool


class Sums(NamedTuple):
    """Sums over the rows of one group: as they are, shape (1, sums), and in each resample, (resamples, sums)."""

    given: Floats
    drawn: Floats


def count_rows(
    scored: Scored,
    predicted: Codes,
    sets: NDArray[np.bool_],
    abstained: NDArray[np.bool_],
    task: Task,
) -> Rows:
    """What is summed of each row.

    `predicted` are the decided labels and `abstained` whether a person is asked all the same, each of shape (rows,);
    `sets` (rows, labels) are the conformal sets.
    """
    truth, probabilities = scored.truth, scored.probabilities
    confidence = probabilities.max(axis=1)
    places = np.arange(len(truth))
    right = predicted == truth
    fixed = [
        np.ones(len(truth)),
        right,
        row_losses(truth, probabilities),
        sets[places, truth],
        sets.sum(axis=1),
        abstained,
    ]
    codes = _codes_with_rates(truth, task)
    selected, true = predicted[:, None] == codes, truth[:, None] == codes
    gaps = np.zeros((len(truth), BINS))
    gaps[places, find_bins(confidence)] = confidence - (probabilities.argmax(axis=1) == truth)
    summands = np.column_stack([*fixed, selected, true, selected & true, gaps]).astype(np.float64)
    return Rows(summands, [task.labels[code] for code in codes], binary=task.positive is not None)


def _codes_with_rates(truth: Codes, task: Task) -> Codes:
    rows = np.bincount(truth, minlength=len(task.labels))
    return np.sort([code for code in np.argsort(-rows, kind="stable") if code in task.free_codes][:MAX_LABELS])


def measure(sums: Floats, binary: bool) -> tuple[dict[str, Floats], Floats]:
    """Each of MEASURES, shape (times,), and RATES by label, shape (3, times, labels), from sums (times, sums).

    Of more than two labels, tpr and fpr are means of the labels' one-vs-rest rates, and selection_rate is not defined:
    its mean would be the same for everybody. NaN where a rate is 0/0; such a label is left out of the means.
    """
    rows, right, loss, covered, set_size, abstained = sums[:, : len(_FIXED)].T
    selected, true, both = np.split(sums[:, len(_FIXED) : -BINS], 3, axis=1)
    whole = rows[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = np.stack([selected / whole, both / true, (selected - both) / (whole - true)])
        selection_rate, tpr, fpr = _mean_rates(rates)
        values = {
            "accuracy": right / rows,
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
    """Means over the labels of which a rate is defined, shape (3, times), NaN of none; `rates`: (3, times, labels)."""
    defined = ~np.isnan(rates)
    with np.errstate(divide="ignore", invalid="ignore"):
        means: Floats = rates.sum(axis=2, where=defined) / defined.sum(axis=2)
    return means


def resample_sums(summands: Floats, groups: Sequence[Codes], seed: int, advance: Advance | None = None) -> list[Sums]:
    """The sums over each group (its rows' places) on the same bootstrap resamples of all rows."""
    parts: list[list[Floats]] = [[] for _ in groups]
    held = [summands[rows] for rows in groups]
    for counts in draw_counts(len(summands), seed, _CELLS, advance):
        for part, rows, own in zip(parts, groups, held, strict=True):
            part.append(counts[:, rows] @ own)
    return [Sums(own.sum(axis=0)[None], np.concatenate(part)) for own, part in zip(held, parts, strict=True)]


def describe_group(sums: Sums, rows: Rows) -> GroupMeasures:
    """Each measure of one group with its interval: Wilson's of shares of rows, else the bootstrap's percentiles."""
    (values, _), (drawn, _) = measure(sums.given, rows.binary), measure(sums.drawn, rows.binary)
    described: dict[GroupMeasure, Estimate] = {name: estimate(values[name][0], drawn[name]) for name in MEASURES}
    count, right, _, covered, _, abstained = sums.given[0, : len(_FIXED)]
    described |= {
        "accuracy": proportion(right, count),
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
    found = zip(labels, *np.split(sums[len(_FIXED) : -BINS], 3), strict=True)
    return [
        {
            "label": label,
            "rows": int(true),
            "selection_rate": proportion(selected, count),
            "tpr": proportion(both, true),
            "fpr": proportion(selected - both, count - true),
        }
        for label, selected, true, both in found
    ]


def draw_shares(sums: Floats, generator: np.random.Generator | None) -> tuple[dict[str, Floats], Floats]:
    """SHARES and rates by label as `measure` gives them, of what groups like one with these sums (1, sums) may have.

    From each share's posterior Beta(hits + 1, misses + 1), and with no generator its mean, one row right and one wrong
    more, around which an interval covers as it should (Agresti and Caffo 2000). Resampling would not do: a small group
    whose rows are all right is so in every resample, and would count as known exactly. Groups share no rows, so that
    they are drawn one by one; of the labels' rates, which hang together a little, the same is assumed.
    """
    whole, right, _, covered, _, abstained = sums[0, : len(_FIXED)]
    selected, true, both = np.split(sums[0, len(_FIXED) : -BINS], 3)
    fixed = {"accuracy": right, "coverage": covered, "abstention": abstained}
    values = {name: _draw(np.array([hits]), np.array([whole]), generator)[:, 0] for name, hits in fixed.items()}
    pairs = ((selected, np.full(len(selected), whole)), (both, true), (selected - both, whole - true))
    rates = np.stack([_draw(hits, of, generator) for hits, of in pairs])
    return {**values, **dict(zip(RATES, _mean_rates(rates), strict=True))}, rates


def _draw(hits: Floats, of: Floats, generator: np.random.Generator | None) -> Floats:
    """Shares that these hits may come from, shape (resamples, shares), or their mean, (1, shares); NaN of no rows."""
    if generator is None:
        return np.where(of > 0, (hits + 1) / (of + 2), np.nan)[None]
    drawn = generator.beta(hits + 1, np.maximum(of - hits, 0) + 1, size=(RESAMPLES, len(hits)))
    return np.where(of > 0, drawn, np.nan)

"""Whether groups of rows fare alike, and whether the test keeps to its limits.

Every measure is a share of sums over rows (of ECE: a sum of such), so that one product of matrices gives it for a
thousand resamples. Tests hold all of them equal to fairlearn's MetricFrame and scikit-learn. MetricFrame itself does
not stand here: it takes 45 ms a resample, and the rates that come with it are 0 where a group has no row of the label,
which then makes the largest difference.

A row counts as predicted with the label that is decided where nobody is asked: the most probable one by the calibrated
probabilities, or the one that costs decide. ECE is of the most probable label in any case.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from loramake import artifacts
from loramake.console import Advance, progress, say
from loramake.errors import ConfigError, nearest
from loramake.evaluation.intervals import CONFIDENCE, RESAMPLES, UNDEFINED, draw_counts, estimate, proportion
from loramake.evaluation.metrics import row_losses
from loramake.prediction.predictions import Codes, Floats, Scored, read_scored
from loramake.trust.calibration_measures import BINS, find_bins
from loramake.trust.cells import read_cells
from loramake.trust.conformal import load_sets
from loramake.trust.cost_matrix import ABSTAIN, decide_labels
from loramake.trust.decisions import decide_rows
from loramake.trust.groups import MIN_ROWS, Group, split_groups
from loramake.trust.limits import FILES, check_limits, summarize_limits
from loramake.trust.sentences.groups import summarize_column

MAX_LABELS = 20
"""Of more labels the most frequent ones have rates."""

RATES = ("selection_rate", "tpr", "fpr")
SHARES = ("accuracy", *RATES, "coverage", "abstention")
MEASURES = ("accuracy", *RATES, "ece", "log_loss", "coverage", "mean_set_size", "abstention")

NOTHING = {**UNDEFINED, "lowest": None, "highest": None, "label": None}
"""A difference or a ratio that is not defined."""

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


def check_audit_columns(columns: Sequence[str], names: Iterable[str], target: str | None, where: str | Path) -> None:
    """Raise ConfigError where an audit column is none of the table's (`names`), or the target itself."""
    known = list(names)
    for column in columns:
        if column not in known:
            raise ConfigError(f"{where}: audit_columns: {column!r} is not a column{nearest(column, known)}: name one.")
        if column == target:
            raise ConfigError(
                f"{where}: audit_columns: {column} is the target, whose groups are the labels themselves: name another."
            )


def audit_groups(
    csv: str | Path,
    test_csv: str | Path | None,
    task: str | Path,
    calibration: str | Path,
    test: str | Path,
    measured: dict[str, str | Path],
    columns: Sequence[str],
    limits: dict[str, float],
    seed: int,
    out: str | Path,
) -> None:
    """Write audit.json: the measures of each group of each audit column on the test rows, and the limits.

    `measured` holds the paths of what `limits.FILES` names; `calibration` and `test` the calibrated probabilities.
    """
    found = artifacts.read(task, "task")
    labels = [label["value"] for label in found["labels"]]
    read = {name: artifacts.read(measured[name], name) for name in FILES}
    scored = read_scored(test, labels).in_order()
    sets = load_sets(read["conformal"], read_scored(calibration, labels)).predict(scored.probabilities)
    asked = decide_rows(read["costs"], read["risk"], scored.probabilities).codes == ABSTAIN
    rows = count_rows(scored, decide_labels(read["costs"], scored.probabilities), sets, asked, labels)
    cells = read_cells(csv, test_csv, scored.keys) if columns else pd.DataFrame()
    check_audit_columns(columns, cells.columns, found["target"], csv)
    # One thread: on a busy machine several wait for each other.
    with threadpool_limits(limits=1), progress("auditing, resamples") as advance:
        overall, audited = audit(rows, [cells[name] for name in columns], seed, advance)
    judged = check_limits(limits, {**read, "audit": {"overall": overall}}, audited)
    content = evaluate(rows, overall, audited, judged)
    artifacts.write(out, content, "audit")
    say(content["groups_sentence"])
    say(content["sentence"])


def evaluate(
    rows: Rows, overall: dict[str, Any], columns: list[dict[str, Any]], limits: list[dict[str, Any]]
) -> dict[str, Any]:
    """audit.json of what `audit` and `check_limits` found."""
    passed = sum(limit["passed"] for limit in limits)
    told = " ".join(column["sentence"] for column in columns)
    return {
        "rows": len(rows.summands),
        "rates_of": rows.labels,
        "min_rows": MIN_ROWS,
        "resamples": RESAMPLES,
        "confidence": CONFIDENCE,
        "overall": overall,
        "columns": columns,
        "groups_sentence": told or "No audit_columns are set, so no groups are compared.",
        "limits": limits,
        "summary": {"passed": passed, "failed": len(limits) - passed},
        "sentence": summarize_limits(limits),
    }


def count_rows(
    scored: Scored,
    predicted: Codes,
    sets: NDArray[np.bool_],
    abstained: NDArray[np.bool_],
    labels: Sequence[str],
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
    codes = _labels_with_rates(truth, len(labels))
    selected, true = predicted[:, None] == codes, truth[:, None] == codes
    gaps = np.zeros((len(truth), BINS))
    gaps[places, find_bins(confidence)] = confidence - (probabilities.argmax(axis=1) == truth)
    summands = np.column_stack([*fixed, selected, true, selected & true, gaps]).astype(np.float64)
    return Rows(summands, [labels[code] for code in codes], binary=len(labels) == 2)


def _labels_with_rates(truth: Codes, labels: int) -> Codes:
    if labels == 2:
        return np.array([1])
    rows = np.bincount(truth, minlength=labels)
    return np.sort(np.argsort(-rows, kind="stable")[:MAX_LABELS])


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


class Sums(NamedTuple):
    """Sums over the rows of one group: as they are, shape (1, sums), and in each resample, (resamples, sums)."""

    given: Floats
    drawn: Floats


def resample_sums(summands: Floats, groups: Sequence[Codes], seed: int, advance: Advance | None = None) -> list[Sums]:
    """The sums over each group (its rows' places) on the same bootstrap resamples of all rows."""
    parts: list[list[Floats]] = [[] for _ in groups]
    held = [summands[rows] for rows in groups]
    for counts in draw_counts(len(summands), seed, _CELLS, advance):
        for part, rows, own in zip(parts, groups, held, strict=True):
            part.append(counts[:, rows] @ own)
    return [Sums(own.sum(axis=0)[None], np.concatenate(part)) for own, part in zip(held, parts, strict=True)]


def audit(
    rows: Rows, columns: Sequence["pd.Series[str]"], seed: int, advance: Advance | None = None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """`overall` and `columns` of audit.json; each column is of text, shape (rows,)."""
    parted = [split_groups(column) for column in columns]
    everybody = np.arange(len(rows.summands))
    members = [everybody, *(group.rows for _, groups in parted for group in groups)]
    whole, *sums = resample_sums(rows.summands, members, seed, advance)
    found = iter(sums)
    audited = [
        _audit_column(str(column.name), kind, groups, [next(found) for _ in groups], rows, seed)
        for column, (kind, groups) in zip(columns, parted, strict=True)
    ]
    return _describe(whole, rows), audited


def _audit_column(name: str, kind: str, groups: list[Group], sums: list[Sums], rows: Rows, seed: int) -> dict[str, Any]:
    described = [
        {"name": group.name, "kind": group.kind, "small": len(group.rows) < MIN_ROWS, **_describe(own, rows)}
        for group, own in zip(groups, sums, strict=True)
    ]
    large = [place for place, group in enumerate(described) if not group["small"]]
    column = {
        "name": name,
        "kind": kind,
        "groups": described,
        "differences": _compare([groups[place].name for place in large], [sums[place] for place in large], rows, seed),
        "too_small": [group["name"] for group in described if group["small"]],
    }
    return {**column, "sentence": summarize_column(column)}


def _describe(sums: Sums, rows: Rows) -> dict[str, Any]:
    """Each measure of one group with its interval: Wilson's of shares of rows, else the bootstrap's percentiles."""
    (values, _), (drawn, _) = measure(sums.given, rows.binary), measure(sums.drawn, rows.binary)
    described = {name: estimate(values[name][0], drawn[name]) for name in MEASURES}
    count, right, _, covered, _, abstained = sums.given[0, : len(_FIXED)]
    for name, part in (("accuracy", right), ("coverage", covered), ("abstention", abstained)):
        described[name] = proportion(part, count)
    by_label = _describe_labels(sums.given[0], rows.labels)
    if rows.binary:
        described |= {name: by_label[0][name] for name in RATES}
    return {"rows": int(count), **described, "by_label": [] if rows.binary else by_label}


def _describe_labels(sums: Floats, labels: Sequence[str]) -> list[dict[str, Any]]:
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


def _compare(names: list[str], sums: list[Sums], rows: Rows, seed: int) -> dict[str, Any]:
    """Largest less smallest, and of shares smallest by largest, of each measure over groups."""
    if len(names) < 2:
        return {name: {"difference": NOTHING, "ratio": NOTHING if name in SHARES else None} for name in MEASURES}
    given = [measure(own.given, rows.binary) for own in sums]
    generator = np.random.default_rng(seed)
    shares, centres = ([draw_shares(own.given, by) for own in sums] for by in (generator, None))
    resampled = [measure(own.drawn, rows.binary) for own in sums]
    found = {}
    for name in MEASURES:
        # Who is selected is compared label by label, and the label that differs most counts.
        by_label = name == "selection_rate"
        is_share = name in SHARES
        one, centre, many = (
            np.stack([rates[0] if by_label else values[name][:, None] for values, rates in measured], axis=1)
            for measured in (given, centres if is_share else given, shares if is_share else resampled)
        )
        drawn = Drawn(centre[0], many)
        candidates: list[str | None] = [*rows.labels] if by_label and not rows.binary else [None]
        found[name] = {
            "difference": _difference(names, candidates, one[0], drawn, top=1.0 if is_share else np.inf),
            "ratio": _ratio(names, candidates, one[0], drawn) if is_share else None,
        }
    return found


class Drawn(NamedTuple):
    """What values may be: their middle, shape (groups, candidates), and draws, (times, groups, candidates)."""

    centre: Floats
    values: Floats


def _difference(
    names: list[str], candidates: list[str | None], values: Floats, drawn: Drawn, top: float
) -> dict[str, Any]:
    """Largest less smallest of values (groups, candidates), where that is most."""
    low, high = find_ends(values)
    reach = find_reach(drawn.values - drawn.centre)
    worst = np.fmax.reduce(high - low)
    least, most = find_ends(drawn.centre)
    middle = np.fmax.reduce(most - least)
    interval = np.clip([min(middle - reach, worst), max(middle + reach, worst)], 0, top)
    return _named(names, candidates, values, worst, high - low, interval)


def _ratio(names: list[str], candidates: list[str | None], values: Floats, drawn: Drawn) -> dict[str, Any]:
    """Smallest by largest, where that is least; as `_difference`, since a ratio is a difference of logarithms."""
    low, high = find_ends(values)
    least, most = find_ends(drawn.centre)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = low / high
        middle = np.fmin.reduce(least / most)
        reach = find_reach(np.log(drawn.values) - np.log(drawn.centre))
    worst = np.fmin.reduce(ratios)
    # A share of 0 has no logarithm: how many times larger another is cannot be told.
    ends = (
        [min(middle * np.exp(-reach), worst), max(middle * np.exp(reach), worst)] if worst > 0 else np.full(2, np.nan)
    )
    interval = np.clip(ends, 0, 1)
    return _named(names, candidates, values, worst, ratios, interval)


def find_ends(values: Floats) -> tuple[Floats, Floats]:
    """The smallest and the largest over groups of values (groups, candidates); NaN where fewer than two are defined."""
    enough = (~np.isnan(values)).sum(axis=0) >= 2
    low, high = (np.where(enough, end.reduce(values), np.nan) for end in (np.fmin, np.fmax))
    return low, high


def _named(
    names: list[str], candidates: list[str | None], values: Floats, worst: float, each: Floats, interval: Floats
) -> dict[str, Any]:
    """A difference or ratio with the groups and the candidate it is of, the worst in `each` (candidates,)."""
    if np.isnan(worst):
        return NOTHING
    place = int(np.flatnonzero(each == worst)[0])
    low, high = (None if np.isnan(end) else float(end) for end in interval)
    return {
        "value": float(worst),
        "low": low,
        "high": high,
        "lowest": names[int(np.nanargmin(values[:, place]))],
        "highest": names[int(np.nanargmax(values[:, place]))],
        "label": candidates[place],
    }


def find_reach(errors: Floats) -> float:
    """How far the difference of any two groups is off in 95% of the draws, from errors (times, groups, candidates).

    No range of values can be off by more than the range of their errors, so that the largest difference, less and plus
    this, holds the true one at least that often: Tukey's range test, by draws in place of the normal distribution.
    A percentile interval would not do: chance alone makes the largest difference of draws larger. NaN where more than
    half of them have no value in two groups.
    """
    ranges = np.fmax.reduce(errors, axis=1) - np.fmin.reduce(errors, axis=1)
    compared = (~np.isnan(errors)).sum(axis=1) >= 2
    worst = np.fmax.reduce(np.where(compared, ranges, np.nan), axis=1)
    defined = worst[~np.isnan(worst)]
    if 2 * len(defined) < len(worst):
        return np.nan
    return float(np.quantile(defined, CONFIDENCE, method="higher"))

"""What decisions cost: the cost matrix of config.yaml, decisions of least expected cost, and how they compare.

The expected cost of a decision is the mean of its costs over the true labels, weighted with their probabilities; the
cheapest decision is Bayes-optimal where the probabilities are right (Elkan 2001, "The foundations of cost-sensitive
learning", section 1). Asking a person is one decision more, which costs the same whatever is true.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from loramake import artifacts
from loramake.console import say
from loramake.errors import ConfigError, nearest
from loramake.metrics import CONFIDENCE, LORAMAKE, RESAMPLES, Scores, draw_counts, estimate, outcome_of, read_scores
from loramake.scored import Codes, Floats, read_labels, read_scored
from loramake.shares import setting

ABSTAIN = -1
"""The code of asking a person."""

_ROUNDING = 1e-12
"""Expected costs that differ by less than this share of the largest cost are equal."""
_SHOWN = 5
"""Labels that an error names."""


class Decisions(NamedTuple):
    """What is decided for each row, and what it is expected to cost."""

    codes: Codes
    """Place among the labels, or ABSTAIN, shape (rows,)."""
    expected: Floats
    """Shape (rows,); NaN where no costs are set."""


class _Spellings(NamedTuple):
    """Labels, and how they may be spelled in YAML without quotes."""

    labels: list[str]
    exact: set[str]
    by_yaml: dict[tuple[type, str], list[str]]


def check_costs(
    costs: Mapping[Any, Any] | None, abstain_cost: float | None, labels: list[str], where: str | Path
) -> dict[str, Any] | None:
    """The costs of config.yaml as {labels, matrix (true label by decision), abstain (or None)}; None where none is set.

    YAML reads a label such as yes, no, 1 or 2024-01-01 as no text; such a key is matched to the one label that YAML
    reads as the same. ConfigError, which begins with `where`, for a key that is no label, a label without a cost, what
    is no finite number, and a matrix that cannot be meant: one that favours wrong decisions, or none at all.
    """
    if abstain_cost is not None and not _is_number(abstain_cost):
        raise ConfigError(f"{where}: abstain_cost: {abstain_cost!r} is not a finite number: write one, or none.")
    if costs is None:
        return None
    known = _spellings(labels)
    rows = _by_label(costs, known, f"{where}: costs", "the true label")
    matrix = []
    for label in labels:
        place = f"{where}: costs: {label}"
        row = _by_label(rows[label], known, place, "the decision")
        for decision, cost in row.items():
            if not _is_number(cost):
                raise ConfigError(f"{place}: {decision}: {cost!r} is not a finite number: write what it costs.")
        matrix.append([float(row[decision]) for decision in labels])
    _check_meaning(np.array(matrix), labels, f"{where}: costs")
    return {"labels": labels, "matrix": matrix, "abstain": None if abstain_cost is None else float(abstain_cost)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _by_label(given: Any, known: _Spellings, where: str, what: str) -> dict[str, Any]:
    """The values of a mapping by label, each label once."""
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"{where}: {given!r} is no mapping: write a cost for each label, such as {{sick: 0, well: 1}}."
        )
    found: dict[str, Any] = {}
    for key, value in given.items():
        label = _match(key, known, where)
        if label in found:
            raise ConfigError(f"{where}: {label} stands there twice: keep one of them.")
        found[label] = value
    missing = [label for label in known.labels if label not in found]
    if missing:
        more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise ConfigError(f"{where}: {what} {missing[0]!r}{more} is missing: add what it costs.")
    return found


def _spellings(labels: list[str]) -> _Spellings:
    by_yaml = defaultdict(list)
    for label in labels:
        by_yaml[_as_yaml(label)].append(label)
    return _Spellings(labels, set(labels), by_yaml)


def _match(key: Any, known: _Spellings, where: str) -> str:
    """The label that a key of the YAML means."""
    if key in known.exact:
        return str(key)
    same = known.by_yaml.get(_as_yaml(key), [])
    if len(same) == 1:
        return same[0]
    if same:
        raise ConfigError(f"{where}: {key!r} may be {' or '.join(same[:_SHOWN])}: put the label into quotes.")
    shown = ", ".join(known.labels[:_SHOWN]) + (", …" if len(known.labels) > _SHOWN else "")
    raise ConfigError(f"{where}: {key!r} is not a label{nearest(str(key), known.labels)}: the labels are {shown}.")


def _as_yaml(key: Any) -> tuple[type, str]:
    """What YAML reads a text as, and anything else as it is; with its type, since True equals 1 in Python."""
    value = key
    if isinstance(key, str):
        try:
            value = yaml.safe_load(key)
        except (yaml.YAMLError, ValueError):  # ValueError: of a date such as 2024-02-30
            value = key
    return type(value), repr(value)


def _check_meaning(matrix: Floats, labels: list[str], where: str) -> None:
    """Refuse a matrix in which no decision matters, or a right decision is dearer than each wrong one."""
    if np.all(matrix == matrix[:, :1]):
        raise ConfigError(f"{where}: every decision costs the same, so that there is nothing to decide: mend it.")
    wrong = matrix + np.diag(np.full(len(labels), -np.inf))
    dear = np.flatnonzero(matrix.diagonal() > wrong.max(axis=1))
    if len(dear):
        label = labels[dear[0]]
        raise ConfigError(
            f"{where}: {label}: the right decision costs {matrix[dear[0], dear[0]]:g}, more than any wrong one: is the "
            f"matrix turned around? It is {{true label: {{decision: cost}}}}."
        )


def decide(costs: dict[str, Any], probabilities: Floats) -> Decisions:
    """The decision of least expected cost for each row, by costs.json, for `probabilities` of shape (rows, labels).

    Of equal ones the most probable label, and any label before asking a person. Where no costs are set, the most
    probable label, whose expected cost is NaN.
    """
    if not costs["configured"]:
        return Decisions(probabilities.argmax(axis=1).astype(np.int64), np.full(len(probabilities), np.nan))
    return find_cheapest(np.array(costs["matrix"]), costs["abstain_cost"], probabilities)


def find_cheapest(matrix: Floats, abstain: float | None, probabilities: Floats) -> Decisions:
    """`decide` for a matrix of shape (labels, labels), true labels down."""
    expected = probabilities @ matrix
    room = _ROUNDING * np.abs(matrix).max()
    level = expected <= expected.min(axis=1, keepdims=True) + room
    codes = np.where(level, probabilities, -1.0).argmax(axis=1).astype(np.int64)
    costs = np.take_along_axis(expected, codes[:, None], axis=1)[:, 0]
    if abstain is not None:
        cheaper = abstain < costs - room
        codes, costs = np.where(cheaper, ABSTAIN, codes), np.where(cheaper, abstain, costs)
    return Decisions(codes, costs)


class Policies(NamedTuple):
    """What each way to decide decides for the test rows: codes of shape (rows,)."""

    loramake: Codes
    most_probable: Codes
    constant: Codes | None
    perfect: Codes
    baselines: dict[str, Codes]


def decide_by_cost(
    task: str | Path,
    train: str | Path,
    test: str | Path,
    baselines: str | Path,
    costs: Mapping[Any, Any] | None,
    abstain_cost: float | None,
    seed: int,
    out: str | Path,
) -> None:
    """Write costs.json: decisions on the test rows, which have calibrated probabilities, and what they cost.

    `train` holds the train split's predictions, of which only the true labels are looked at.
    """
    labels = read_labels(task)
    checked = check_costs(costs, abstain_cost, labels, "config.yaml")
    found = {
        "configured": checked is not None,
        "labels": labels,
        "matrix": checked and checked["matrix"],
        "abstain_cost": checked and checked["abstain"],
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        "test": None,
        "sentence": "No costs are set (costs), so each row is decided for its most probable label.",
    }
    if checked is not None:
        truth, scores = read_scores(test, baselines, labels, "test")
        policies = find_policies(found, scores, read_scored(train, labels).truth, truth)
        found["test"] = compare_costs(found, truth, policies, seed)
        found["sentence"] = summarize_costs(found)
    artifacts.write(out, found, "costs")
    say(str(found["sentence"]))


def find_policies(costs: dict[str, Any], scores: Scores, train: Codes, truth: Codes) -> Policies:
    """What each way to decide decides for the test rows, whose labels are `truth`; `train` are those of train rows."""
    count = len(costs["labels"])
    constant = None
    if len(train):
        frequencies = np.bincount(train, minlength=count)[None, :] / len(train)
        constant = np.repeat(decide(costs, frequencies).codes, len(truth))
    return Policies(
        loramake=decide(costs, scores[LORAMAKE]).codes,
        most_probable=scores[LORAMAKE].argmax(axis=1),
        constant=constant,
        perfect=decide(costs, np.eye(count)).codes[truth],
        baselines={name: decide(costs, found).codes for name, found in scores.items() if name != LORAMAKE},
    )


def compare_costs(costs: dict[str, Any], truth: Codes, policies: Policies, seed: int) -> dict[str, Any]:
    """`test` of costs.json: what every way to decide costs, with bootstrap intervals of the same resamples."""
    own = {name: codes for name, codes in policies._asdict().items() if name != "baselines" and codes is not None}
    ways = [*own.values(), *policies.baselines.values()]
    paid = np.column_stack([pay(costs, truth, codes) for codes in ways])
    means, resampled = _means(paid, seed)
    told = [
        _describe(codes, costs["labels"], estimate(float(mean), column), float(total))
        for codes, mean, column, total in zip(ways, means, resampled.T, paid.sum(axis=0), strict=True)
    ]
    names = list(policies.baselines)
    first, last = means[: len(own)], means[len(own) :]
    best = int(np.argmin(last))
    paired = resampled[:, 0] - resampled[:, len(own) + best]
    difference = estimate(float(first[0] - last[best]), paired)
    return {
        "rows": len(truth),
        "constant": None,
        **dict(zip(own, told, strict=False)),
        "baselines": dict(zip(names, told[len(own) :], strict=True)),
        "difference": {
            "baseline": names[best] if len(truth) else None,
            **difference,
            "outcome": outcome_of(difference, sign=-1),
        },
    }


def pay(costs: dict[str, Any], truth: Codes, codes: Codes) -> Floats:
    """What decisions cost when the truth is known, shape (rows,)."""
    # ABSTAIN is -1, the last column.
    asked = np.full((len(costs["labels"]), 1), costs["abstain_cost"] or 0.0)
    paid: Floats = np.hstack([np.array(costs["matrix"]), asked])[truth, codes]
    return paid


def _means(paid: Floats, seed: int) -> tuple[Floats, Floats]:
    """Means of each column, shape (ways,), and of each resample's rows, (resamples, ways); NaN of no rows."""
    if not len(paid):
        return np.full(paid.shape[1], np.nan), np.full((RESAMPLES, paid.shape[1]), np.nan)
    resampled = np.concatenate([counts @ paid for counts in draw_counts(len(paid), seed)]) / len(paid)
    return paid.mean(axis=0), resampled


def _describe(codes: Codes, labels: list[str], per_row: dict[str, float | None], total: float) -> dict[str, Any]:
    rows = np.bincount(codes[codes != ABSTAIN], minlength=len(labels)).tolist()
    return {
        "per_row": per_row,
        "total": total,
        "decisions": dict(zip(labels, rows, strict=True)),
        "abstentions": int((codes == ABSTAIN).sum()),
    }


def summarize_costs(costs: dict[str, Any]) -> str:
    """One sentence or two for a manager, the second where deciding by cost does not pay."""
    test = costs["test"]
    if not test["rows"]:
        return "There are no test rows to see what deciding by cost takes."
    digits = _digits(costs)
    ours, most, best = test["loramake"], test["most_probable"], test["difference"]["baseline"]
    against = [f"{_mean(most, digits)} for the most probable label"]
    if test["constant"]:
        against.append(f"{_mean(test['constant'], digits)} for {_always(test['constant'])}")
    told = f"Deciding by cost takes {_mean(ours, digits)} a row ({_interval(ours['per_row'], digits)})"
    if costs["abstain_cost"] is not None:
        told += f" and asks a person about {ours['abstentions'] / test['rows']:.1%} of rows"
    told += f", against {', '.join(against)} and {_mean(test['baselines'][best], digits)} for {best}, the best baseline"
    told += f": {_verdict(test['difference'], digits)}."
    cheaper = [way for way in (test["constant"], most) if way and way["per_row"]["value"] < ours["per_row"]["value"]]
    if not cheaper:
        return told
    way = min(cheaper, key=lambda way: way["per_row"]["value"])
    name = "the most probable label" if way is most else _always(way)
    return f"{told} It does not pay on these rows: {name} costs less."


def _digits(costs: dict[str, Any]) -> int:
    """Decimals that show a thousandth of the largest cost, which is not zero."""
    largest = max(abs(cost) for row in costs["matrix"] for cost in row)
    return max(0, 3 - math.ceil(math.log10(largest)))


def _mean(policy: dict[str, Any], digits: int) -> str:
    return _number(policy["per_row"]["value"], digits)


def _number(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:,.{digits}f}"


def _interval(found: dict[str, Any], digits: int) -> str:
    return f"{setting(CONFIDENCE)} interval {_number(found['low'], digits)} to {_number(found['high'], digits)}"


def _always(constant: dict[str, Any]) -> str:
    label = next((label for label, rows in constant["decisions"].items() if rows), None)
    return "always asking a person" if label is None else f"always {label!r}"


def _verdict(difference: dict[str, Any], digits: int) -> str:
    """How loramake stands beside the best baseline."""
    says = {"better": "cheaper than that", "level": "level with that", "worse": "dearer than that"}
    value = _number(difference["value"], digits)
    return f"{says[difference['outcome']]} (difference {value}, {_interval(difference, digits)})"

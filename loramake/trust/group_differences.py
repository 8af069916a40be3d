"""How much groups differ in each measure, with intervals that are valid for the two that differ most."""

from typing import NamedTuple

import numpy as np

from loramake.arrays import Floats
from loramake.artifact_types.trust import GroupMeasure, Spread, Spreads
from loramake.evaluation.intervals import CONFIDENCE, UNDEFINED
from loramake.trust.group_measures import MEASURES, SHARES, Rows, Sums, draw_shares, measure

NOTHING: Spread = {**UNDEFINED, "lowest": None, "highest": None, "label": None}
"""A difference or a ratio that is undefined."""


def compare_groups(names: list[str], sums: list[Sums], rows: Rows, seed: int) -> dict[GroupMeasure, Spreads]:
    """Largest minus smallest, and of shares smallest over largest, of each measure over groups."""
    if len(names) < 2:
        return {name: {"difference": NOTHING, "ratio": NOTHING if name in SHARES else None} for name in MEASURES}
    given = [measure(group.given, rows.binary) for group in sums]
    generator = np.random.default_rng(seed)
    shares, centres = ([draw_shares(group.given, source) for group in sums] for source in (generator, None))
    resampled = [measure(group.drawn, rows.binary) for group in sums]
    spreads: dict[GroupMeasure, Spreads] = {}
    for name in MEASURES:
        # Selection rates are compared label by label, and the label that differs most counts.
        by_label = name == "selection_rate"
        is_share = name in SHARES
        observed, centre, draws = (
            np.stack([rates[0] if by_label else values[name][:, None] for values, rates in measured], axis=1)
            for measured in (given, centres if is_share else given, shares if is_share else resampled)
        )
        drawn = Drawn(centre[0], draws)
        candidates: list[str | None] = [*rows.labels] if by_label and not rows.binary else [None]
        spreads[name] = {
            "difference": _difference(names, candidates, observed[0], drawn, top=1.0 if is_share else np.inf),
            "ratio": _ratio(names, candidates, observed[0], drawn) if is_share else None,
        }
    return spreads


class Drawn(NamedTuple):
    """Plausible values: their centre, shape (groups, candidates), and draws, (times, groups, candidates)."""

    centre: Floats
    values: Floats


def _difference(names: list[str], candidates: list[str | None], values: Floats, drawn: Drawn, top: float) -> Spread:
    """Largest minus smallest of values (groups, candidates), for the candidate where it is largest."""
    low, high = find_ends(values)
    reach = find_reach(drawn.values - drawn.centre)
    worst = np.fmax.reduce(high - low)
    least, most = find_ends(drawn.centre)
    middle = np.fmax.reduce(most - least)
    interval = np.clip([min(middle - reach, worst), max(middle + reach, worst)], 0, top)
    return _named(names, candidates, values, worst, high - low, interval)


def _ratio(names: list[str], candidates: list[str | None], values: Floats, drawn: Drawn) -> Spread:
    """Smallest over largest, where it is lowest; as `_difference`, since a ratio is a difference of logarithms."""
    low, high = find_ends(values)
    least, most = find_ends(drawn.centre)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = low / high
        middle = np.fmin.reduce(least / most)
        reach = find_reach(np.log(drawn.values) - np.log(drawn.centre))
    worst = np.fmin.reduce(ratios)
    # A share of 0 has no logarithm: how many times larger another is remains undefined.
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
    names: list[str], candidates: list[str | None], values: Floats, worst: float, spreads: Floats, interval: Floats
) -> Spread:
    """A difference or ratio with its groups and its candidate: the worst of `spreads` (candidates,)."""
    if np.isnan(worst):
        return NOTHING
    index = int(np.flatnonzero(spreads == worst)[0])
    low, high = (None if np.isnan(end) else float(end) for end in interval)
    return {
        "value": float(worst),
        "low": low,
        "high": high,
        "lowest": names[int(np.nanargmin(values[:, index]))],
        "highest": names[int(np.nanargmax(values[:, index]))],
        "label": candidates[index],
    }


def find_reach(errors: Floats) -> float:
    """The largest error of any difference of two groups in 95% of the draws, from errors (times, groups, candidates).

    No range of values can be off by more than the range of their errors, so the largest difference plus or minus this
    contains the true one at least that often: Tukey's range test, with draws in place of the normal distribution. A
    percentile interval would be biased: chance alone makes the largest difference of draws larger. NaN where more than
    half of the draws have fewer than two groups with a value.
    """
    ranges = np.fmax.reduce(errors, axis=1) - np.fmin.reduce(errors, axis=1)
    compared = (~np.isnan(errors)).sum(axis=1) >= 2
    worst = np.fmax.reduce(np.where(compared, ranges, np.nan), axis=1)
    defined = worst[~np.isnan(worst)]
    if 2 * len(defined) < len(worst):
        return np.nan
    return float(np.quantile(defined, CONFIDENCE, method="higher"))

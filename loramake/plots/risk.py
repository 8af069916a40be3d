"""The risk–coverage curve: what share of the answers is wrong, by the share of rows that is answered."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from loramake import artifacts, schemas
from loramake.artifact_types.trust import CurvePoint, Risk, RiskLevel
from loramake.evaluation.intervals import defined
from loramake.plots.figure import BLUE, GREY, LINES, VERMILION, explain_below, figure, say_instead
from loramake.text import as_percent, format_threshold

_ROOM = 1.35
"""What is shown above the highest of the lines that matter, as a multiple of it."""


def plot_risk_coverage(risk: str | Path, path: str | Path, title: str = "Risk and coverage on the test split") -> None:
    """The curve of risk.json with its intervals, against answering every row, and the chosen threshold."""
    found = artifacts.read(risk, schemas.RISK)
    with figure(path, 6.4, 4.8) as axes:
        axes.set(title=title, xlabel="share of rows answered", ylabel="share of these that is wrong")
        curve = found["test"]["curve"]
        if not curve:
            axes.set(xticks=[], yticks=[])
            say_instead(axes, "no curve: there are no test rows")
            return
        _draw_curve(axes, curve, found["interval_confidence"])
        overall = curve[-1]["error"]
        axes.axhline(overall, color=GREY, linestyle=LINES[0][1], label=f"every row answered: {overall:.1%} wrong")
        if found["chosen"] is not None:
            _draw_chosen(axes, found["chosen"])
        axes.set(xlim=(0, 1.01), ylim=(0, _top(found)))
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(axis="y", color="#E5E5E5", linewidth=0.8)
        axes.set_axisbelow(True)
        explain_below(axes, "")


def _draw_curve(axes: Axes, curve: list[CurvePoint], confidence: float) -> None:
    """The share that is wrong, and the band of its interval; a dot where the curve is a single point."""
    shares = [point["coverage"] for point in curve]
    marker = "o" if len(curve) == 1 else ""
    axes.plot(
        shares, [point["error"] for point in curve], color=BLUE, marker=marker, label="surest rows answered first"
    )
    low, high = [point["low"] for point in curve], [point["high"] for point in curve]
    axes.fill_between(
        shares, low, high, color=BLUE, alpha=0.15, linewidth=0, label=f"{as_percent(confidence)} interval"
    )


def _draw_chosen(axes: Axes, chosen: RiskLevel) -> None:
    """The share asked for, and the threshold's place on the curve where there is one."""
    asked = chosen["max_selective_error"]
    name = f"at most {as_percent(asked)} asked for"
    axes.axhline(
        asked, color=VERMILION, linestyle=LINES[2][1], label=name if chosen["achievable"] else f"{name}: not achievable"
    )
    test = chosen["test"]
    if test["answered"]:
        answered, value = defined(test["coverage"]), defined(test["selective_error"]["value"])
        opening = (
            f"threshold {format_threshold(chosen['threshold'])}" if chosen["threshold"] else "every row with a decision"
        )
        name = f"{opening}: {answered:.0%} answered, {value:.1%} wrong"
        axes.plot(answered, value, "o", color=VERMILION, markersize=8, zorder=5, clip_on=False, label=name)


def _top(found: Risk) -> float:
    """The upper end of the axis: few rows have a wide interval, which would press the curve to the ground."""
    asked = found["chosen"]["max_selective_error"] if found["chosen"] else 0.0
    curve = found["test"]["curve"]
    highest: float = max(asked, curve[-1]["high"], *(point["error"] for point in curve))
    return min(1.0, max(_ROOM * highest, 0.02))

"""The risk–coverage curve: the share of incorrect answers by the share of rows answered."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from loramake import artifacts, schemas
from loramake.artifact_types.trust import CurvePoint, Risk, RiskLevel
from loramake.evaluation.intervals import defined
from loramake.plots.figure import BLUE, GREY, GRID, LINES, VERMILION, WIDTH, explain_below, figure, say_instead
from loramake.text import as_percent, format_threshold

_ROOM = 1.35
"""Upper end of the axis, as a multiple of the highest line that matters."""


def plot_risk_coverage(risk: str | Path, path: str | Path, title: str = "Risk and coverage on the test split") -> None:
    """The curve of risk.json with its intervals, compared with answering every row, and the chosen threshold."""
    content = artifacts.read(risk, schemas.RISK)
    with figure(path, WIDTH, 4.4) as axes:
        axes.set(title=title, xlabel="share of rows answered", ylabel="share of answers that is incorrect")
        curve = content["test"]["curve"]
        if not curve:
            axes.set(xticks=[], yticks=[])
            say_instead(axes, "no curve: there are no test rows")
            return
        _draw_curve(axes, curve, content["interval_confidence"])
        overall = curve[-1]["error"]
        axes.axhline(overall, color=GREY, linestyle=LINES[0][1], label=f"every row answered: {overall:.1%} incorrect")
        if content["chosen"] is not None:
            _draw_chosen(axes, content["chosen"])
        axes.set(xlim=(0, 1.01), ylim=(0, _top(content)))
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(axis="y", color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        explain_below(axes, "")


def _draw_curve(axes: Axes, curve: list[CurvePoint], confidence: float) -> None:
    """The share of incorrect answers, and the band of its interval; a dot where the curve is a single point."""
    shares = [point["coverage"] for point in curve]
    marker = "o" if len(curve) == 1 else ""
    axes.plot(
        shares,
        [point["error"] for point in curve],
        color=BLUE,
        marker=marker,
        label="most confident rows answered first",
    )
    low, high = [point["low"] for point in curve], [point["high"] for point in curve]
    axes.fill_between(
        shares, low, high, color=BLUE, alpha=0.15, linewidth=0, label=f"{as_percent(confidence)} interval"
    )


def _draw_chosen(axes: Axes, chosen: RiskLevel) -> None:
    """The configured share, and the threshold's position on the curve where there is one."""
    requested = chosen["max_selective_error"]
    name = f"configured: at most {as_percent(requested)}"
    axes.axhline(
        requested,
        color=VERMILION,
        linestyle=LINES[2][1],
        label=name if chosen["achievable"] else f"{name}, not achievable",
    )
    test = chosen["test"]
    if test["answered"]:
        answered, value = defined(test["coverage"]), defined(test["selective_error"]["value"])
        opening = (
            f"threshold {format_threshold(chosen['threshold'])}" if chosen["threshold"] else "every row with a decision"
        )
        name = f"{opening}: {answered:.0%} answered, {value:.1%} incorrect"
        axes.plot(answered, value, "o", color=VERMILION, markersize=8, zorder=5, clip_on=False, label=name)


def _top(risk: Risk) -> float:
    """The upper end of the axis: with few rows, the interval is wide and would flatten the curve."""
    requested = risk["chosen"]["max_selective_error"] if risk["chosen"] else 0.0
    curve = risk["test"]["curve"]
    highest: float = max(requested, curve[-1]["high"], *(point["error"] for point in curve))
    return min(1.0, max(_ROOM * highest, 0.02))

"""How often the sets hold the true label, and how large they are, at every confidence."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from loramake import artifacts, schemas
from loramake.artifact_types.trust import Conformal, ConformalLevel
from loramake.evaluation.intervals import defined
from loramake.plots.figure import BLUE, GREY, VERMILION, figure, say_instead
from loramake.text import as_percent

_NAMES = {"lac": "LAC", "aps": "APS", "raps": "RAPS", "class_conditional": "class-conditional"}


def plot_conformal(conformal: str | Path, path: str | Path) -> None:
    """Draw conformal.json: coverage of the test split against the confidence asked for, and below it the set size."""
    found = artifacts.read(conformal, schemas.CONFORMAL)
    with figure(path, 6.4, 6.4) as whole:
        title = f"Prediction sets of the test split ({_NAMES[found['method']]})"
        if found["test"]["rows"] == 0:
            whole.set(title=title, xticks=[], yticks=[])
            say_instead(whole, "no test rows to try the sets on")
            return
        upper, lower = whole.figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        whole.remove()  # its place is taken by the two
        upper.set_title(title)
        _draw_coverage(upper, found)
        _draw_sizes(lower, found)
        for axes in (upper, lower):
            axes.axvline(100 * found["conformal_confidence"], color=GREY, linewidth=1, linestyle=":", zorder=1)
            axes.grid(axis="y", color="#E5E5E5", linewidth=0.8)
            axes.set_axisbelow(True)
        upper.figure.legend(loc="outside lower center", ncols=3, fontsize=9)  # below, where it hides nothing


def _draw_coverage(axes: Axes, found: Conformal) -> None:
    levels = found["levels"]
    asked = [100 * level["conformal_confidence"] for level in levels]
    measured = [100 * defined(level["coverage"]["value"]) for level in levels]
    low, high = ([100 * defined(end) for end in ends] for ends in zip(*(_ends(level) for level in levels), strict=True))
    axes.fill_between(asked, low, high, color="#DDDDDD", linewidth=0, label="within chance, 19 times in 20")
    axes.plot(asked, asked, color=GREY, linewidth=1, linestyle="--", label="as asked")
    axes.plot(asked, measured, color=BLUE, marker="o", ms=5, linewidth=1.6, label="measured")
    axes.set_ylabel("sets that hold the true label")
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.set_ylim(top=102)


def _ends(level: ConformalLevel) -> tuple[float | None, float | None]:
    return level["expected"]["low"], level["expected"]["high"]


def _draw_sizes(axes: Axes, found: Conformal) -> None:
    levels = found["levels"]
    asked = [100 * level["conformal_confidence"] for level in levels]
    sizes = [defined(level["mean_set_size"]) for level in levels]
    axes.plot(asked, sizes, color=VERMILION, marker="s", ms=4, linewidth=1.6)
    dotted = as_percent(found["conformal_confidence"])
    axes.set(xlabel=f"confidence (dotted: the {dotted} asked for)", ylabel="labels in a set")
    axes.xaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.set_ylim(0, 1.2 * max(*sizes, 1))
    place = [level["conformal_confidence"] for level in levels].index(found["conformal_confidence"])
    side, shift = ("left", 6) if place < 3 else ("right", -6)
    text = f"{sizes[place]:.2f} of {len(found['labels']):,}"
    point = (asked[place], sizes[place])
    axes.annotate(text, point, (shift, 8), textcoords="offset points", ha=side, color=VERMILION)

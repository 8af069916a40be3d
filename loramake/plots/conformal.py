"""How often the prediction sets contain the true label, and how large they are, at every confidence."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from loramake import artifacts, schemas
from loramake.artifact_types.trust import Conformal, ConformalLevel
from loramake.evaluation.intervals import defined
from loramake.plots.figure import BLUE, FAINT, GREY, GRID, VERMILION, WIDTH, figure, say_instead
from loramake.text import as_percent
from loramake.trust.sentences.conformal import METHOD_NAMES


def plot_conformal(conformal: str | Path, path: str | Path) -> None:
    """Draw conformal.json: coverage of the test split by confidence, and below it the set size."""
    content = artifacts.read(conformal, schemas.CONFORMAL)
    with figure(path, WIDTH, 5.4) as axes:
        title = f"Prediction sets of the test split ({METHOD_NAMES[content['method']]})"
        if content["test"]["rows"] == 0:
            axes.set(title=title, xticks=[], yticks=[])
            say_instead(axes, "no test rows to measure coverage on")
            return
        upper, lower = axes.figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        axes.remove()  # replaced by the two panels
        upper.set_title(title)
        _draw_coverage(upper, content)
        _draw_sizes(lower, content)
        for panel in (upper, lower):
            panel.axvline(100 * content["conformal_confidence"], color=GREY, linewidth=1, linestyle=":", zorder=1)
            panel.grid(axis="y", color=GRID, linewidth=0.8)
            panel.set_axisbelow(True)
        upper.figure.legend(loc="outside lower center", ncols=2, fontsize=9)


def _draw_coverage(axes: Axes, content: Conformal) -> None:
    levels = content["levels"]
    confidences = [100 * level["conformal_confidence"] for level in levels]
    measured = [100 * defined(level["coverage"]["value"]) for level in levels]
    low, high = ([100 * defined(end) for end in ends] for ends in zip(*(_ends(level) for level in levels), strict=True))
    axes.fill_between(
        confidences, low, high, color=FAINT, alpha=0.5, linewidth=0, label="expected by chance, 19 times in 20"
    )
    axes.plot(confidences, confidences, color=GREY, linewidth=1, linestyle="--", label="target")
    axes.plot(confidences, measured, color=BLUE, marker="o", ms=5, linewidth=1.6, label="measured")
    axes.set_ylabel("sets with the true label")
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.set_ylim(top=102)


def _ends(level: ConformalLevel) -> tuple[float | None, float | None]:
    return level["expected"]["low"], level["expected"]["high"]


def _draw_sizes(axes: Axes, content: Conformal) -> None:
    levels = content["levels"]
    confidences = [100 * level["conformal_confidence"] for level in levels]
    sizes = [defined(level["mean_set_size"]) for level in levels]
    axes.plot(confidences, sizes, color=VERMILION, marker="s", ms=4, linewidth=1.6)
    dotted = as_percent(content["conformal_confidence"])
    axes.set(xlabel=f"confidence (dotted: the configured {dotted})", ylabel="labels per set")
    axes.xaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.set_ylim(0, 1.2 * max(*sizes, 1))
    index = [level["conformal_confidence"] for level in levels].index(content["conformal_confidence"])
    side, shift = ("left", 6) if index < 3 else ("right", -6)
    text = f"{sizes[index]:.2f} of {len(content['labels']):,}"
    point = (confidences[index], sizes[index])
    axes.annotate(text, point, (shift, 8), textcoords="offset points", ha=side, color=VERMILION)

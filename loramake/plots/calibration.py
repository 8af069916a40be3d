"""Reliability diagrams: how often predictions of each confidence are right, before and after calibration."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from loramake import artifacts, schemas
from loramake.artifact_types.trust import ReliabilityBin
from loramake.evaluation.intervals import CONFIDENCE, defined, proportion
from loramake.plots.figure import BLUE, GREY, VERMILION, figure, say_instead
from loramake.text import as_percent

_METHODS = {"temperature": "after temperature scaling", "isotonic": "after isotonic regression"}


def plot_reliability(measures: str | Path, out: str | Path) -> None:
    """Draw the diagrams of calibration_measures.json beside each other, each over the numbers of rows in its bins.

    Where nothing was calibrated, there is one.
    """
    found = artifacts.read(measures, schemas.CALIBRATION_MEASURES)
    panels = {"before calibration" if found["method"] != "none" else "not calibrated": (found["before"], VERMILION)}
    if found["method"] != "none":
        panels[_METHODS[found["method"]]] = (found["after"], BLUE)
    with figure(out, 4.2 * len(panels) + 0.6, 6.2) as axes:
        if found["rows"] == 0:
            axes.set(title="Reliability on the test split", xticks=[], yticks=[])
            say_instead(axes, "no reliability diagram: the test split has no rows")
            return
        # `figure` gives one pair of axes, and this needs a grid of them.
        drawing = axes.figure
        axes.remove()
        rows = f"{found['rows']:,} row{'s' if found['rows'] > 1 else ''}"
        drawing.suptitle(f"Reliability on the test split, {rows}", fontsize=12)
        grid = drawing.subplots(2, len(panels), sharex=True, sharey="row", height_ratios=(3.4, 1), squeeze=False)
        for (name, (measured, colour)), above, below in zip(panels.items(), *grid, strict=True):
            bins = [each for each in measured["reliability"] if each["rows"]]
            _draw_accuracy(above, bins, colour)
            above.set_title(f"{name}: ECE {measured['measures']['ece']['value']:.3f}")
            _draw_rows(below, bins, colour)
        grid[0, 0].set_ylabel("share of right predictions")
        grid[1, 0].set_ylabel("rows")
        drawing.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)


def _draw_accuracy(axes: Axes, bins: list[ReliabilityBin], colour: str) -> None:
    """A point for each bin with rows, and the Wilson interval of its accuracy."""
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=(0, (4, 3)), linewidth=1, label="perfectly calibrated")
    across = [defined(each["mean_confidence"]) for each in bins]
    up = [defined(each["accuracy"]) for each in bins]
    shares = [proportion(round(accuracy * each["rows"]), each["rows"]) for accuracy, each in zip(up, bins, strict=True)]
    lows, highs = [defined(share["low"]) for share in shares], [defined(share["high"]) for share in shares]
    axes.vlines(across, lows, highs, color=colour, linewidth=1.2, alpha=0.6)
    axes.plot(across, up, color=colour, marker="o", markersize=5, linewidth=1.4)
    name = f"rows of one bin, with {as_percent(CONFIDENCE)} interval"
    axes.plot([], [], color=GREY, marker="o", markersize=5, label=name)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))


def _draw_rows(axes: Axes, bins: list[ReliabilityBin], colour: str) -> None:
    """A bar for each bin with rows, as wide as the bin."""
    lows, widths = [each["low"] for each in bins], [each["high"] - each["low"] for each in bins]
    rows = [each["rows"] for each in bins]
    axes.bar(lows, rows, widths, align="edge", color=colour, edgecolor="white", linewidth=0.6)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlabel("probability of the predicted label")

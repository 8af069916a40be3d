"""Reliability diagrams: how often predictions of each confidence are correct, before and after calibration."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from loramake import artifacts, schemas
from loramake.artifact_types.trust import ReliabilityBin
from loramake.evaluation.intervals import CONFIDENCE, defined, proportion
from loramake.plots.figure import BLUE, GREY, PAPER, VERMILION, WIDTH, figure, say_instead
from loramake.text import as_percent

_METHODS = {"temperature": "after temperature scaling", "isotonic": "after isotonic regression"}


def plot_reliability(measures: str | Path, out: str | Path) -> None:
    """Draw the diagrams of calibration_measures.json side by side, each above the numbers of rows in its bins.

    Where nothing was calibrated, there is only one.
    """
    content = artifacts.read(measures, schemas.CALIBRATION_MEASURES)
    panels = {"before calibration" if content["method"] != "none" else "not calibrated": (content["before"], VERMILION)}
    if content["method"] != "none":
        panels[_METHODS[content["method"]]] = (content["after"], BLUE)
    with figure(out, WIDTH, 5.0) as axes:
        if content["rows"] == 0:
            axes.set(title="Reliability on the test split", xticks=[], yticks=[])
            say_instead(axes, "no reliability diagram: the test split has no rows")
            return
        # `figure` yields a single pair of axes, and this needs a grid.
        drawing = axes.figure
        axes.remove()
        rows = f"{content['rows']:,} row{'s' if content['rows'] > 1 else ''}"
        drawing.suptitle(f"Reliability on the test split, {rows}", fontsize=11)
        grid = drawing.subplots(2, len(panels), sharex=True, sharey="row", height_ratios=(3.4, 1), squeeze=False)
        for (name, (measured, colour)), above, below in zip(panels.items(), *grid, strict=True):
            bins = [entry for entry in measured["reliability"] if entry["rows"]]
            _draw_accuracy(above, bins, colour)
            above.set_title(f"{name}\nECE {measured['measures']['ece']['value']:.3f}")
            _draw_rows(below, bins, colour)
        for axes in grid[1]:
            axes.set_xlabel("predicted probability")
        grid[0, 0].set_ylabel("share of correct predictions")
        grid[1, 0].set_ylabel("rows")
        drawing.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=1, fontsize=9)


def _draw_accuracy(axes: Axes, bins: list[ReliabilityBin], colour: str) -> None:
    """A point for each bin with rows, and the Wilson interval of its accuracy."""
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=(0, (4, 3)), linewidth=1, label="perfectly calibrated")
    across = [defined(entry["mean_confidence"]) for entry in bins]
    up = [defined(entry["accuracy"]) for entry in bins]
    shares = [
        proportion(round(accuracy * entry["rows"]), entry["rows"]) for accuracy, entry in zip(up, bins, strict=True)
    ]
    lows, highs = [defined(share["low"]) for share in shares], [defined(share["high"]) for share in shares]
    axes.vlines(across, lows, highs, color=colour, linewidth=1.2, alpha=0.6)
    axes.plot(across, up, color=colour, marker="o", markersize=5, linewidth=1.4)
    name = f"rows in one bin, with {as_percent(CONFIDENCE)} interval"
    axes.plot([], [], color=GREY, marker="o", markersize=5, label=name)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_xticks([0, 0.5, 1])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))


def _draw_rows(axes: Axes, bins: list[ReliabilityBin], colour: str) -> None:
    """A bar for each bin with rows, as wide as the bin."""
    lows, widths = [entry["low"] for entry in bins], [entry["high"] - entry["low"] for entry in bins]
    rows = [entry["rows"] for entry in bins]
    axes.bar(lows, rows, widths, align="edge", color=colour, edgecolor=PAPER, linewidth=0.6)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))

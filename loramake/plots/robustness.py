"""What the model relies on: a bar for each feature, as long as the increase of the loss without it."""

from pathlib import Path

from matplotlib.axes import Axes

from loramake import artifacts, schemas
from loramake.artifact_types.trust import Importance
from loramake.plots.figure import BLUE, GREY, INK, WIDTH, figure, readable, say_instead
from loramake.text import as_percent
from loramake.trust.sentences.robustness import describe_rows

MAX_BARS = 30
"""With more features, only the most important ones have bars."""


def plot_importance(robustness: str | Path, path: str | Path) -> None:
    """The increase of the test log loss without each feature, with its interval, from robustness.json."""
    content = artifacts.read(robustness, schemas.ROBUSTNESS)
    shown = content["importance"][:MAX_BARS]
    with figure(path, WIDTH, 0.28 * max(len(shown), 6) + 1.5) as axes:
        axes.figure.suptitle("Increase of the loss without a column", fontsize=11)
        if not shown:
            axes.set(xticks=[], yticks=[])
            say_instead(axes, "there are no test rows to measure it on")
            return
        _draw_bars(axes, shown)
        interval = f"{as_percent(content['confidence'])} interval"
        explained = f"log loss (nats), {interval}; pale: may be chance;\non {describe_rows(content)}"
        axes.figure.supxlabel(explained, fontsize="medium")
        axes.set_yticks(range(len(shown)), [readable(entry["feature"]) for entry in shown], fontsize=9)
        axes.set_ylim(len(shown) - 0.4, -0.6)


def _draw_bars(axes: Axes, shown: list[Importance]) -> None:
    """Most important feature at the top; pale where its interval includes no increase."""
    for position, entry in enumerate(shown):
        increase = entry["log_loss_increase"]
        value, low, high = increase["value"], increase["low"], increase["high"]
        is_sure = low is not None and low > 0
        axes.barh(position, value, color=BLUE, alpha=1.0 if is_sure else 0.45, height=0.72, linewidth=0)
        if low is not None and high is not None:
            axes.plot([low, high], [position, position], color=INK, linewidth=1.2, solid_capstyle="butt")
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)

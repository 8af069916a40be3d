"""What the model goes by: a bar for each feature, as long as what is lost without it."""

from pathlib import Path

from matplotlib.axes import Axes

from loramake import artifacts, schemas
from loramake.artifact_types.trust import Importance
from loramake.plots.figure import BLUE, GREY, figure, readable, say_instead
from loramake.text import as_percent

MAX_BARS = 30
"""Of more features, the most important ones have bars."""


def plot_importance(robustness: str | Path, path: str | Path) -> None:
    """The increase of the test log loss without each feature, with its interval, from robustness.json."""
    found = artifacts.read(robustness, schemas.ROBUSTNESS)
    shown = found["importance"][:MAX_BARS]
    with figure(path, 7.2, 0.26 * max(len(shown), 6) + 1.6) as axes:
        axes.set(title="What is lost without a column, on the test rows")
        if not shown:
            axes.set(xticks=[], yticks=[])
            say_instead(axes, "there are no test rows to try it on")
            return
        _draw_bars(axes, shown)
        interval = f"{as_percent(found['confidence'])} interval"
        axes.set_xlabel(f"increase of the log loss (nats), {interval}; pale: it may be chance")
        axes.set_yticks(range(len(shown)), [readable(entry["feature"]) for entry in shown])
        axes.set_ylim(len(shown) - 0.4, -0.6)


def _draw_bars(axes: Axes, shown: list[Importance]) -> None:
    """Most important feature at the top; pale where its interval does not exclude that nothing is lost."""
    for place, entry in enumerate(shown):
        increase = entry["log_loss_increase"]
        value, low, high = increase["value"], increase["low"], increase["high"]
        is_sure = low is not None and low > 0
        axes.barh(place, value, color=BLUE, alpha=1.0 if is_sure else 0.45, height=0.72, linewidth=0)
        if low is not None and high is not None:
            axes.plot([low, high], [place, place], color="#222222", linewidth=1.2, solid_capstyle="butt")
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)

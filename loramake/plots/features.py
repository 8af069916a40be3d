"""Feature rankings: a bar for each of the best features."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from loramake.plots.figure import BLUE, GREEN, GREY, ORANGE, WIDTH, figure, readable, say_instead
from loramake.prepare.ranking import METHODS
from loramake.spreadsheet import original

MAX_BARS = 40
"""With more features, only the best ones have bars."""


def plot_feature_rankings(rankings: str | Path, path: str | Path) -> None:
    """A bar for each of the best features, from feature_rankings.csv; the better the average rank, the longer the bar.

    The segments of a bar are the ranks by which each method puts the feature ahead of those at chance level.
    """
    table = pd.read_csv(rankings, dtype={"feature": str}, keep_default_na=False, na_values=[""])
    ranked = table[np.isfinite(table["average_rank"])]
    shown = ranked.head(MAX_BARS)
    with figure(path, WIDTH, 0.24 * max(len(shown), 8) + 1.5) as axes:
        if shown.empty:
            axes.set(title="Feature ranking", xticks=[], yticks=[])
            say_instead(axes, "not ranked: there are few enough features to keep all")
            return
        axes.set(title=f"The best {len(shown)} of {len(table):,} features")
        _draw_bars(axes, shown, ranked)
        axes.set_xlabel("ranks ahead of chance, train rows\n(in grey: the average rank)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.tick_params(axis="y", length=0)
        axes.margins(x=0.08, y=0.01)
        axes.figure.legend(loc="outside lower center", ncols=2, fontsize=9)


def _draw_bars(axes: Axes, shown: pd.DataFrame, ranked: pd.DataFrame) -> None:
    """Best feature at the top, with its average rank after the bar."""
    positions, ends = np.arange(len(shown)), np.zeros(len(shown))
    for method, colour in zip(METHODS, (BLUE, ORANGE, GREEN), strict=True):
        ahead = (ranked[f"{method}_rank"].max() - shown[f"{method}_rank"]).to_numpy()
        axes.barh(positions, ahead, left=ends, color=colour, height=0.75, label=method.replace("_", " "))
        ends += ahead
    for position, end, average in zip(positions, ends, shown["average_rank"], strict=True):
        text = f"{average:,.1f}"
        axes.annotate(text, (end, position), (4, 0), textcoords="offset points", va="center", color=GREY, fontsize=9)
    axes.set_yticks(positions, [readable(original(name)) for name in shown["feature"]], fontsize=9)
    axes.invert_yaxis()

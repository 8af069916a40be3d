"""The style of every picture: its figure, its colours, and names that fit.

The same data gives the same bytes. Drawn without pyplot, whose state is global. Text stays text in the SVG, so that the
browser's fonts draw labels of every script.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loramake import artifacts
from loramake.text import shorten

# Okabe and Ito's palette, distinguishable with every kind of colour vision; dashes distinguish lines without colour.
BLUE, ORANGE, GREEN, VERMILION, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#777777"
PURPLE = "#CC79A7"
LINES: tuple[tuple[str, Any], ...] = (
    (ORANGE, (0, (6, 2))),
    (GREEN, (0, (3, 1, 1, 1))),
    (VERMILION, (0, (2, 2))),
    (PURPLE, (0, (8, 2, 2, 2))),
)
_LABEL_LENGTH = 24
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "loramake",
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "text.parse_math": False,  # a label may contain dollar signs
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


@contextmanager
def figure(path: str | Path, width: float, height: float) -> Iterator[Axes]:
    """Axes of a figure (inches) that is written to `path`, SVG or PNG, when the block ends without an error."""
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        drawing = Figure(figsize=(width, height), layout="constrained")
        yield drawing.add_subplot()
        # What matplotlib would add: the date into an SVG, its own version into a PNG.
        metadata = {"Date": None} if Path(path).suffix == ".svg" else {"Software": None}
        with artifacts.atomic(path) as temporary:
            drawing.savefig(temporary, metadata=metadata, dpi=150)


def readable(label: str) -> str:
    """A label on one line, shortened, without characters that an SVG may not contain."""
    line = " ".join("".join(character if character.isprintable() else " " for character in label).split())
    return shorten(line, _LABEL_LENGTH)


def say_instead(axes: Axes, sentence: str) -> None:
    axes.text(0.5, 0.5, sentence, transform=axes.transAxes, ha="center", va="center", color=GREY)


def explain_below(axes: Axes, title: str) -> None:
    """The legend below the axes, where it hides no curve."""
    names = axes.get_legend_handles_labels()[1]
    columns = 2 if max(map(len, names)) <= 40 else 1
    axes.figure.legend(loc="outside lower center", ncols=columns, title=title, fontsize=9, title_fontsize=9)

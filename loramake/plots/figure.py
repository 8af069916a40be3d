"""The style of every picture: its figure, its colours, and names that fit.

The same data gives the same bytes. Drawn without pyplot, whose state is global. Text stays text in the SVG, so that the
browser's fonts draw labels of every script. An SVG is drawn in dark colours where its reader prefers these; a program
that knows no styles, and a PNG, show the light ones.
"""

import re
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
INK, FAINT, GRID, PAPER = "#1c2330", "#bbbbbb", "#e5e5e5", "#ffffff"
ON_BLUE = "#f7f9fc"
"""Text on a blue field, which is as blue in the dark."""
WIDTH = 4.8
"""Inches of a picture whose letters can still be read on a phone."""
DARK = {
    INK: "#e7eaf0",
    PAPER: "#181d26",
    GRID: "#333b49",
    FAINT: "#566070",
    GREY: "#a5aebd",
    BLUE: "#56a8e0",
    ORANGE: "#f0b454",
    GREEN: "#3fcfa0",
    VERMILION: "#ff8f4d",
    PURPLE: "#e3a3c7",
}
"""Each colour in the dark; others, such as ON_BLUE, stay. INK and PAPER are the colours of the page, too."""
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
    "axes.linewidth": 0.8,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    "legend.frameon": False,
}


@contextmanager
def figure(path: str | Path, width: float, height: float) -> Iterator[Axes]:
    """Axes of a figure (inches) that is written to `path`, SVG or PNG, when the block ends without an error."""
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        drawing = Figure(figsize=(width, height), layout="constrained")
        yield drawing.add_subplot()
        is_svg = Path(path).suffix == ".svg"
        # What matplotlib would add: the date into an SVG, its own version into a PNG.
        metadata = {"Date": None} if is_svg else {"Software": None}
        with artifacts.atomic(path) as temporary:
            drawing.savefig(temporary, metadata=metadata, dpi=150)
            if is_svg:
                _add_dark_colours(temporary)


def _add_dark_colours(path: Path) -> None:
    """Rules for a dark page: matplotlib writes each colour into the style of its element, which they override."""
    rules = [
        f'[style*="{what}: {light.lower()}"] {{ {what}: {dark} !important }}'
        for light, dark in DARK.items()
        for what in ("fill", "stroke")
    ]
    style = "<style>@media (prefers-color-scheme: dark) {\n" + "\n".join(rules) + "\n}</style>"
    drawn = path.read_text(encoding="utf-8")
    path.write_text(re.sub("<svg [^>]*>", lambda tag: f"{tag[0]}\n{style}", drawn, count=1), encoding="utf-8")


def readable(label: str) -> str:
    """A label on one line, shortened, without characters that an SVG may not contain."""
    line = " ".join("".join(character if character.isprintable() else " " for character in label).split())
    return shorten(line, _LABEL_LENGTH)


def say_instead(axes: Axes, sentence: str) -> None:
    axes.text(0.5, 0.5, sentence, transform=axes.transAxes, ha="center", va="center", color=GREY)


def explain_below(axes: Axes, title: str) -> None:
    """The legend below the axes, where it hides no curve."""
    names = axes.get_legend_handles_labels()[1]
    columns = 2 if max(map(len, names)) <= 24 else 1
    axes.figure.legend(loc="outside lower center", ncols=columns, title=title, fontsize=9, title_fontsize=9)

"""The audit's picture: a panel for each measure, a line for each group, a dot with its interval."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from loramake import artifacts, schemas
from loramake.artifact_types.trust import Audit, AuditedColumn, AuditedGroup, GroupMeasure
from loramake.evaluation.intervals import defined
from loramake.plots.figure import BLUE, FAINT, GREY, GRID, INK, PAPER, WIDTH, figure, readable, say_instead
from loramake.text import as_percent

PANELS: dict[GroupMeasure, str] = {
    "accuracy": "accuracy",
    "selection_rate": "selection\nrate",
    "tpr": "true positive\nrate",
    "fpr": "false positive\nrate",
    "coverage": "coverage\nof sets",
}
MAX_GROUPS = 60
"""Groups that are drawn, in whole columns; the audit itself contains all."""


def plot_audit(audit: str | Path, out: str | Path) -> None:
    """Draw audit.json: each group's measures, with those of all test rows as a line across; small groups in grey."""
    content = artifacts.read(audit, schemas.AUDIT)
    shown = _first_columns(content["columns"])
    panels = [name for name in PANELS if content["overall"][name]["value"] is not None]
    lines = _lines(shown)
    if not lines or not panels:
        with figure(out, WIDTH, 1.6) as axes:
            axes.set(title="Groups of the test rows", xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            say_instead(axes, "audit_columns is not set" if not content["columns"] else "no test row has a group")
        return
    with figure(out, 2.4 + 1.2 * len(panels), 1.6 + 0.27 * len(lines)) as axes:
        drawing = axes.figure
        axes.remove()
        row = drawing.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for panel, name in zip(row, panels, strict=True):
            _draw_panel(panel, name, lines, defined(content["overall"][name]["value"]))
        _name_lines(row[0], lines)
        drawing.suptitle(_title(content, shown), fontsize=11)


def _first_columns(columns: Sequence[AuditedColumn]) -> list[AuditedColumn]:
    """The columns whose groups fit into the picture, and always the first one."""
    shown: list[AuditedColumn] = []
    for column in columns:
        if shown and sum(len(entry["groups"]) for entry in [*shown, column]) > MAX_GROUPS:
            break
        shown.append(column)
    return shown


def _lines(columns: Sequence[AuditedColumn]) -> list[tuple[str, AuditedGroup | None]]:
    """Name and group of each line, from the top; a column's name has a line without a group."""
    lines: list[tuple[str, AuditedGroup | None]] = []
    for column in columns:
        lines.append((readable(column["name"]), None))
        lines += [(f"{readable(group['name'])} · {group['rows']:,}", group) for group in column["groups"]]
    return lines if any(group for _, group in lines) else []


def _draw_panel(
    axes: Axes, measure: GroupMeasure, lines: Sequence[tuple[str, AuditedGroup | None]], overall: float
) -> None:
    axes.axvline(overall, color=FAINT, linewidth=1, zorder=1)
    for small, colour, inside in ((False, BLUE, BLUE), (True, GREY, PAPER)):
        measures = [
            (line, group[measure]) for line, (_, group) in enumerate(lines) if group and group["small"] == small
        ]
        dots = [(measured["value"], line) for line, measured in measures if measured["value"] is not None]
        intervals = [
            (line, measured["low"], measured["high"]) for line, measured in measures if measured["low"] is not None
        ]
        if intervals:
            axes.hlines(*zip(*intervals, strict=True), color=colour, linewidth=1.4, zorder=2)
        if dots:
            axes.plot(*zip(*dots, strict=True), "o", ms=5, color=colour, markerfacecolor=inside, zorder=3)
    axes.set(title=PANELS[measure], xlim=(-0.04, 1.04))
    axes.title.set_fontsize(10)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _name_lines(axes: Axes, lines: Sequence[tuple[str, AuditedGroup | None]]) -> None:
    """Labels each group with name and rows, and each column in bold above its groups."""
    axes.set_yticks(range(len(lines)), [name for name, _ in lines], fontsize=9)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    for name, (_, group) in zip(axes.get_yticklabels(), lines, strict=True):
        name.set_fontweight("bold" if group is None else "normal")
        name.set_color(GREY if group and group["small"] else INK)


def _title(audit: Audit, shown: Sequence[AuditedColumn]) -> str:
    interval = f"{as_percent(audit['confidence'])} intervals"
    title = f"Groups of the test rows and their sizes, with {interval};\nthe grey line is all rows"
    notes = []
    if any(column["too_small"] for column in shown):
        notes.append(f"groups in grey have fewer than {audit['min_rows']} rows")
    if more := len(audit["columns"]) - len(shown):
        notes.append(f"{more:,} more columns are in audit.json")
    return "\n".join([title, "; ".join(notes)]) if notes else title

"""Groups of an audited column: how much they differ."""

from loramake.artifact_types.trust import MeasuredColumn
from loramake.evaluation.intervals import CONFIDENCE, defined
from loramake.text import as_percent, shorten
from loramake.trust.groups import MIN_ROWS


def summarize_column(column: MeasuredColumn) -> str:
    """One sentence on one audited column."""
    spread, name = column["differences"]["accuracy"]["difference"], shorten(column["name"], 40)
    small = ", ".join(shorten(group, 40) for group in column["too_small"])
    left_out = f"; left out, with fewer than {MIN_ROWS} rows: {small}" if small else ""
    if spread["value"] is None:
        return f"{name} has fewer than two groups of {MIN_ROWS} rows or more, so nothing is compared{left_out}."
    values = [defined(group["accuracy"]["value"]) for group in column["groups"] if not group["small"]]
    low, high = (
        f"{min(values):.2f} ({shorten(str(spread['lowest']), 40)})",
        f"{max(values):.2f} ({shorten(str(spread['highest']), 40)})",
    )
    interval = f"{as_percent(CONFIDENCE)} interval {spread['low']:.2f} to {spread['high']:.2f}"
    difference = f"a difference of {spread['value']:.2f} ({interval})"
    return f"By {name}, accuracy ranges from {low} to {high}, {difference}{left_out}."

"""loramake compare."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from loramake.errors import ConfigError

if TYPE_CHECKING:
    from loramake.artifact_types.shared import Estimate
    from loramake.evaluation.compare import Comparison, Experiment

_COLOURS = {"better": "green", "worse": "red"}


def compare(
    experiments: Annotated[list[str], typer.Argument(help="Finished experiments; the others are held to the first.")],
    directory: Annotated[Path, typer.Option(help="Where results/ is.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:
    """Show the settings that differ, metrics with intervals, and what each experiment gained over the first.

    The difference is a paired bootstrap over the test rows that both have.
    """
    from loramake.console import SafeConsole, printable, printable_json, put
    from loramake.evaluation import compare as library
    from loramake.experiments import find_experiment

    if len(set(experiments)) < 2:
        raise ConfigError("one experiment cannot be compared: name two or more, such as loramake compare exp1 exp2.")
    with contextlib.chdir(directory):
        found = [library.read_experiment(find_experiment(name)) for name in experiments]
    settings = library.differing_settings(found)
    differences = [library.compare(found[0], other) for other in found[1:]]
    if as_json:
        compared = found[0].task.compared_metrics
        metrics = {one.name: {metric.name: one.metrics[metric.name] for metric in compared} for one in found}
        made = {"settings": settings, "metrics": metrics, "against": found[0].name, "differences": differences}
        put(printable_json(made, indent=2) + "\n")
        return
    console = SafeConsole()
    console.print(_settings_table(found, settings))
    console.print(_metrics_table(found, differences))
    for difference in differences:
        console.print(Text(printable(difference["sentence"]), style="bold"))
        if difference["only_in_one"]:
            console.print(f"{difference['only_in_one']:,} test rows of only one of the two are left out.")


def _settings_table(experiments: "list[Experiment]", settings: dict[str, list[Any]]) -> Table:
    from loramake.console import printable

    table = Table(title="Settings that differ", title_justify="left")
    for head in ("setting", *(experiment.name for experiment in experiments)):
        table.add_column(Text(head), overflow="fold")
    for name, values in settings.items():
        table.add_row(Text(name), *(Text("–" if value is None else printable(str(value))) for value in values))
    if not settings:
        table.add_row("none", *("" for _ in experiments))
    return table


def _metrics_table(experiments: "list[Experiment]", differences: "list[Comparison]") -> Table:
    """A row a metric and experiment: its value, and its difference from the first one's."""
    from loramake.evaluation.intervals import CONFIDENCE
    from loramake.text import as_percent

    table = Table(title=f"On the test rows, with {as_percent(CONFIDENCE)} intervals", title_justify="left")
    for head in ("metric", "experiment", "value", f"less {experiments[0].name}"):
        table.add_column(Text(head), overflow="fold")
    for metric in experiments[0].task.compared_metrics:
        for place, experiment in enumerate(experiments):
            value = _interval(experiment.metrics[metric.name], "")
            gained = differences[place - 1]["differences"].get(metric.name) if place else None
            colour = _COLOURS.get(gained["outcome"] or "", "") if gained else ""
            against = Text(_interval(gained, "+") if gained else "", style=colour)
            table.add_row(metric.title if place == 0 else "", Text(experiment.name), value, against)
        table.add_section()
    return table


def _interval(estimate: "Estimate", sign: str) -> str:
    if estimate["value"] is None:
        return "–"
    value, low, high = (
        format(end or 0.0, f"{sign}.3f") for end in (estimate["value"], estimate["low"], estimate["high"])
    )
    return f"{value} ({low} to {high})"

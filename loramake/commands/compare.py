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
    experiments: Annotated[
        list[str],
        typer.Argument(help="Finished experiments, or kept runs (exp1/runs/…); compared with the first."),
    ],
    directory: Annotated[Path, typer.Option(help="Where results/ is.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:
    """Show the settings that differ, metrics with intervals, and each experiment's gain over the first.

    The differences come from a paired bootstrap over the test rows that both have.
    """
    from loramake.console import SafeConsole, printable, printable_json, put
    from loramake.evaluation import compare as library
    from loramake.experiments import find_run

    if len(set(experiments)) < 2:
        raise ConfigError(
            "there is only one experiment to compare: name two or more, such as loramake compare exp1 exp2."
        )
    with contextlib.chdir(directory):
        finished = [library.read_experiment(find_run(name)) for name in experiments]
    settings = library.differing_settings(finished)
    differences = [library.compare(finished[0], other) for other in finished[1:]]
    if as_json:
        compared = finished[0].task.compared_metrics
        metrics = {
            experiment.name: {metric.name: experiment.metrics[metric.name] for metric in compared}
            for experiment in finished
        }
        comparison = {
            "settings": settings,
            "metrics": metrics,
            "trust": {experiment.name: experiment.trust for experiment in finished},
            "against": finished[0].name,
            "differences": differences,
        }
        put(printable_json(comparison, indent=2) + "\n")
        return
    console = SafeConsole()
    console.print(_settings_table(finished, settings))
    console.print(_metrics_table(finished, differences))
    for difference in differences:
        console.print(Text(printable(difference["sentence"]), style="bold"))
        if difference["only_in_one"]:
            console.print(f"{difference['only_in_one']:,} test rows that only one of the two has are left out.")


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
    """One row per metric and experiment: the value, and its difference from the first experiment's."""
    from loramake.evaluation.intervals import CONFIDENCE
    from loramake.text import as_percent

    title = f"On the test rows, with {as_percent(CONFIDENCE)} intervals; difference from {experiments[0].name}"
    table = Table(title=Text(title), title_justify="left")
    for head in ("metric", "experiment", "value", "difference"):
        table.add_column(head, overflow="fold", no_wrap=head in ("metric", "experiment"))
    for metric in experiments[0].task.compared_metrics:
        for index, experiment in enumerate(experiments):
            value = _interval(experiment.metrics[metric.name], "")
            gained = differences[index - 1]["differences"].get(metric.name) if index else None
            colour = _COLOURS.get(gained["outcome"] or "", "") if gained else ""
            against = Text(_interval(gained, "+") if gained else "", style=colour)
            table.add_row(metric.title if index == 0 else "", Text(experiment.name), value, against)
        table.add_section()
    for measure in experiments[0].trust:
        for index, experiment in enumerate(experiments):
            shown = _interval(experiment.trust[measure], "")
            table.add_row(measure if index == 0 else "", Text(experiment.name), shown, "")
        table.add_section()
    return table


def _interval(estimate: "Estimate", plus: str) -> str:
    if estimate["value"] is None:
        return "–"
    if estimate["low"] is None:
        return format(estimate["value"], f"{plus}.3f")
    value, low, high = (
        format(end or 0.0, f"{plus}.3f") for end in (estimate["value"], estimate["low"], estimate["high"])
    )
    return f"{value} ({low} to {high})"

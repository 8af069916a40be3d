"""loramake status."""

import contextlib
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from loramake.workflow.status import Status

_COLOURS = {
    "fresh": "green",
    "stale": "yellow",
    "made by an older version": "yellow",
    "missing": "red",
    "waiting for you": "bold magenta",
}

_WIDE = 100
"""Columns of a terminal in which every column of the table has room."""


def status(
    experiment: Annotated[str | None, typer.Argument(help="One experiment, artifact by artifact; unset, all.")] = None,
    directory: Annotated[Path, typer.Option(help="Where results/ is, and config.yaml, if there is one.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Show which artifacts are fresh, stale or missing, what would run next, and what waits for you.

    Nothing is run or changed. The same as snakemake --summary, for all experiments at once.
    """
    from loramake.console import SafeConsole, say, working
    from loramake.experiments import find_experiments
    from loramake.workflow.status import FRESH, read_status

    with contextlib.chdir(directory):
        names = [_checked_name(experiment)] if experiment else find_experiments()
        if any(Path(".snakemake/locks").glob("*")):
            say("a run is in progress here, or was killed: its files may change while you read.")
        with working("asking Snakemake"):
            statuses = read_status(names)
    if as_json:
        sys.stdout.write(json.dumps([dataclasses.asdict(entry) for entry in statuses], indent=2) + "\n")
    elif not statuses:
        say("there are no experiments here: loramake init my.csv, or loramake run --csv my.csv, starts one.")
    else:
        console = SafeConsole()
        console.print(_artifact_table(statuses[0], console.width) if experiment else _table(statuses))
    are_fresh = all(not entry.note and entry.count(FRESH) == len(entry.artifacts) for entry in statuses)
    raise typer.Exit(0 if are_fresh else 3)


def _checked_name(experiment: str) -> str:
    """The name of an experiment that is listed or has a folder."""
    from loramake.experiments import find_experiment, find_experiments

    name = Path(experiment).name
    return name if name in find_experiments() else find_experiment(experiment).name


def _table(statuses: "list[Status]") -> Table:
    """One row per experiment."""
    from loramake.workflow.versions import MEANINGS

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))  # borders would leave long names no room
    table.add_column("experiment", overflow="fold", no_wrap=True)
    for head in ("fresh", "stale", "missing"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("next", overflow="fold", min_width=max(map(len, MEANINGS)))
    for status in statuses:
        if status.note:
            table.add_row(Text(status.experiment), "", "", "", Text(status.note))
            continue
        waiting = Text(f"{status.next_rule}: waiting for you", style=_COLOURS["waiting for you"])
        following = waiting if status.is_waiting else Text(status.next_rule or "done")
        missing = status.count("missing") + status.count("waiting for you")
        table.add_row(
            Text(status.experiment), str(status.count("fresh")), str(status.count("stale")), str(missing), following
        )
    return table


def _artifact_table(status: "Status", width: int) -> Table | Text:
    """One row per artifact; a narrow terminal has no room for when it was made."""
    if status.note:
        return Text(f"{status.experiment}: {status.note}")
    table = Table(title=Text(f"results/{status.experiment}"), title_justify="left")
    heads = ("rule", "artifact", "state", "made")[: 4 if width >= _WIDE else 3]
    for head in heads:
        table.add_column(head, overflow="fold", no_wrap=head != "state")
    last = ""
    for artifact in status.artifacts:
        path = artifact.path.removeprefix(f"results/{status.experiment}/")
        rule, last = "" if artifact.rule == last else artifact.rule, artifact.rule
        cells = (rule, Text(path), Text(artifact.state, style=_COLOURS[artifact.state]), artifact.made[4:16])
        table.add_row(*cells[: len(heads)])
    return table

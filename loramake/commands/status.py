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


def status(
    experiment: Annotated[str | None, typer.Argument(help="One experiment, artifact by artifact; unset, all.")] = None,
    directory: Annotated[Path, typer.Option(help="Where results/ is, and config.yaml, if there is one.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Show which artifacts are fresh, stale or missing, what would run next, and who is waited for.

    Nothing is run or changed. The same as snakemake --summary, for all experiments at once.
    """
    from loramake.console import SafeConsole, say, working
    from loramake.experiments import find_experiments
    from loramake.workflow.status import FRESH, read_status

    with contextlib.chdir(directory):
        names = [_known(experiment)] if experiment else find_experiments()
        if any(Path(".snakemake/locks").glob("*")):
            say("a run goes on here, or was killed: what it makes may change while you read.")
        with working("asking Snakemake"):
            found = read_status(names)
    if as_json:
        sys.stdout.write(json.dumps([dataclasses.asdict(one) for one in found], indent=2) + "\n")
    elif not found:
        say("no experiment is here: loramake init my.csv, or loramake run --csv my.csv, begins one.")
    else:
        SafeConsole().print(_one_table(found[0]) if experiment else _table(found))
    are_fresh = all(not one.note and one.count(FRESH) == len(one.artifacts) for one in found)
    raise typer.Exit(0 if are_fresh else 3)


def _known(experiment: str) -> str:
    """The name of an experiment that is listed or has a folder."""
    from loramake.experiments import find_experiment, find_experiments

    name = Path(experiment).name
    return name if name in find_experiments() else find_experiment(experiment).name


def _table(found: "list[Status]") -> Table:
    """A row an experiment."""
    table = Table()
    for head in ("experiment", "fresh", "stale", "missing", "next"):
        table.add_column(head, justify="right" if head in ("fresh", "stale", "missing") else "left", overflow="fold")
    for one in found:
        if one.note:
            table.add_row(Text(one.experiment), "", "", "", Text(one.note))
            continue
        waiting = Text(f"{one.next_rule}: waiting for you", style=_COLOURS["waiting for you"])
        following = waiting if one.is_waiting else Text(one.next_rule or "done")
        missing = one.count("missing") + one.count("waiting for you")
        table.add_row(Text(one.experiment), str(one.count("fresh")), str(one.count("stale")), str(missing), following)
    return table


def _one_table(one: "Status") -> Table | Text:
    """A row an artifact."""
    if one.note:
        return Text(f"{one.experiment}: {one.note}")
    table = Table(title=Text(f"results/{one.experiment}"), title_justify="left")
    for head in ("rule", "artifact", "state", "made"):
        table.add_column(head, overflow="fold")
    last = ""
    for artifact in one.artifacts:
        path = artifact.path.removeprefix(f"results/{one.experiment}/")
        rule, last = "" if artifact.rule == last else artifact.rule, artifact.rule
        table.add_row(rule, Text(path), Text(artifact.state, style=_COLOURS[artifact.state]), artifact.made[4:16])
    return table

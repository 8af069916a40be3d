"""loramake report."""

import contextlib
import webbrowser
from pathlib import Path
from typing import Annotated

import typer


def report(
    experiment: Annotated[str, typer.Argument(help="An experiment, such as exp1.")],
    directory: Annotated[Path, typer.Option(help="Where results/ is.")] = Path(),
    opens: Annotated[bool, typer.Option("--open/--no-open", help="Open it in a browser, if there is one.")] = True,
) -> None:
    """Open an experiment's report, and print where it is."""
    from loramake import layout
    from loramake.console import put
    from loramake.experiments import find_artifact, find_run

    with contextlib.chdir(directory):
        path = find_artifact(find_run(experiment), layout.REPORT).resolve()
    put(f"{path}\n")
    if opens and not _open(path):
        typer.echo("no browser was found: open the file above yourself.", err=True)


def _open(path: Path) -> bool:
    try:
        return webbrowser.open(path.as_uri())
    except webbrowser.Error:
        return False

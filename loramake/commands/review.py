"""loramake review."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer


def review(
    experiment: Annotated[str, typer.Argument(help="An experiment, such as exp1, that is waiting for you.")],
    directory: Annotated[Path, typer.Option(help="Where results/ is, and config.yaml, if there is one.")] = Path(),
) -> None:
    """Decide on the next open review without running anything.

    The decision applies to the files as they are; the next run uses it, also one on a cluster with review: file.
    """
    from loramake.config import read_config, resolve
    from loramake.experiments import find_experiment
    from loramake.review.screens import review_next

    with contextlib.chdir(directory):
        folder = find_experiment(experiment)
        settings = resolve(read_config(), folder.name, {"csv": "not read here"})
        review_next(folder, settings["balance"])

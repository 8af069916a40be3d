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
    from loramake.config import read_config, resolve, split_ratios
    from loramake.experiments import find_experiment, read_command_line
    from loramake.feedback import FEEDBACK_SETTINGS, read_feedback
    from loramake.review.screens import review_next

    with contextlib.chdir(directory):
        folder = find_experiment(experiment)
        given, path = read_command_line(folder.name).counting, folder / "feedback/splits.yaml"
        of_splits = {key: given[key] for key in (*FEEDBACK_SETTINGS["splits"], "test_csv") if key in given}
        feedback = read_feedback(path) if path.is_file() else {}
        settings = resolve(read_config(), folder.name, {**of_splits, "csv": "not read here"}, feedback)
        review_next(folder, settings["balance"], split_ratios(settings))

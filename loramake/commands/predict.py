"""loramake predict."""

import enum
import sys
from pathlib import Path
from typing import Annotated

import typer


class Format(enum.StrEnum):
    csv = "csv"
    jsonl = "jsonl"


def predict(
    experiment: Annotated[str, typer.Argument(help="A finished one, by its name or its folder.")],
    table: Annotated[
        Path, typer.Argument(metavar="CSV", help="New rows, with the columns the experiment was trained on.")
    ],
    out: Annotated[Path | None, typer.Option(help="Where to write; unset, to the terminal.")] = None,
    output_format: Annotated[Format, typer.Option("--format", help="CSV, or one JSON object a line.")] = Format.csv,
) -> None:
    """Predict the label of new rows, with a probability for every label.

    The result has one line a row of the CSV, in its order: row (0-based), prediction, and p_<label> for every label.
    """
    from loramake import artifacts
    from loramake.experiments import find_experiment
    from loramake.prediction import predict_rows
    from loramake.tables import read_table

    results = Path(experiment) if Path(experiment).is_dir() else find_experiment(experiment)
    predictions = predict_rows(results, read_table(table), table)
    if output_format is Format.csv:
        text = predictions.to_csv(index=False, lineterminator="\n")
    else:
        text = predictions.to_json(orient="records", lines=True, force_ascii=False, double_precision=15)
    if out is None:
        sys.stdout.write(text)
    else:
        artifacts.write_text(out, text)

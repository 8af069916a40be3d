"""The command `loramake`. Everything it does can be done with snakemake and files, too."""

import enum
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from loramake import artifacts
from loramake.errors import LoramakeError

app = typer.Typer(
    name="loramake",
    help="From any CSV to a fine-tuned LLM predictor whose probabilities can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_MARKS = {"ok": ("✓", "green"), "missing": ("!", "yellow"), "broken": ("✗", "red")}


class Format(enum.StrEnum):
    csv = "csv"
    jsonl = "jsonl"


@app.command(epilog="Example: loramake predict results/exp1 new.csv --out predictions.csv")
def predict(
    results: Annotated[Path, typer.Argument(help="A finished experiment, such as results/exp1.")],
    table: Annotated[
        Path, typer.Argument(metavar="CSV", help="New rows, with the columns the experiment was trained on.")
    ],
    out: Annotated[Path | None, typer.Option(help="Where to write; unset, to the terminal.")] = None,
    output_format: Annotated[Format, typer.Option("--format", help="CSV, or one JSON object a line.")] = Format.csv,
) -> None:
    """Predict the label of new rows, with a probability for every label.

    The result has one line a row of the CSV, in its order: row (0-based), prediction, and p_<label> for every label.
    """
    from loramake.prediction import predict_rows
    from loramake.tables import read_table

    try:
        predictions = predict_rows(results, read_table(table), table)
    except LoramakeError as error:
        sys.exit(f"loramake: {error}")
    if output_format is Format.csv:
        text = predictions.to_csv(index=False, lineterminator="\n")
    else:
        text = predictions.to_json(orient="records", lines=True, force_ascii=False, double_precision=15)
    if out is None:
        sys.stdout.write(text)
    else:
        artifacts.write_text(out, text)


@app.command(epilog="Exit code: 0 all is well, 1 something that some need is missing, 2 nothing can run.")
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Say what this machine has of what loramake can use, and how to get what is missing.

    Where an endpoint is set up, its model is asked a few words.
    """
    from loramake.doctor import examine, exit_code

    console, findings = Console(), []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            mark, colour = _MARKS[finding.severity]
            line = Text.assemble((mark, colour), " ", (f"{finding.what}: ", "bold"), finding.detail)
            console.print(line, soft_wrap=True, highlight=False)
    if as_json:
        found = [finding.as_dict() for finding in findings]
        sys.stdout.write(json.dumps({"exit_code": exit_code(findings), "findings": found}, indent=2) + "\n")
    raise typer.Exit(exit_code(findings))

"""loramake predict."""

import contextlib
import enum
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from loramake.serving.new_rows import Rows
    from loramake.serving.predictor import Predictor


class Format(enum.StrEnum):
    csv = "csv"
    jsonl = "jsonl"


class Sandbox(enum.StrEnum):
    auto = "auto"
    bubblewrap = "bubblewrap"
    none = "none"


def predict(
    experiment: Annotated[str, typer.Argument(help="A finished experiment, by its name or its folder.")],
    source: Annotated[str | None, typer.Argument(metavar="[-]", help="- reads rows from standard input.")] = None,
    csv: Annotated[Path | None, typer.Option(help="A table with the columns the experiment was trained on.")] = None,
    json: Annotated[str | None, typer.Option(metavar="OBJECT", help='One row, such as {"age": 40}, or a list.')] = None,
    input_format: Annotated[Format | None, typer.Option(help="Format of standard input; unset, detected.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Where to write; unset, to the terminal. Replaces earlier predictions, but no other file."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace any file, except the input rows and the files of an experiment.")
    ] = False,
    form: Annotated[
        Format | None, typer.Option("--format", help="CSV, or one JSON object a line; unset, the input's format.")
    ] = None,
    conformal_confidence: Annotated[
        float | None,
        typer.Option(min=0.01, max=0.9999, help="Confidence of the prediction sets; unset, the experiment's."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows prepared and predicted at once.")] = 2000,
    sandbox: Annotated[
        Sandbox | None, typer.Option(help="Sandbox for the experiment's code; unset, the one in your config.yaml.")
    ] = None,
    trust_remote_code: Annotated[
        bool | None,
        typer.Option(help="Let the base model run its own code; unset, as your config.yaml says."),
    ] = None,
) -> None:
    """Decide about new rows: a label, or to ask a person, with calibrated probabilities and a prediction set.

    One line per row: row (0-based), decision, abstain and its reason, probabilities, set, and expected_cost if costs
    are set. Give --csv, --json or -. With --output, the same command continues where it was stopped. An experiment
    from somebody else has no say in --sandbox and --trust-remote-code.
    """
    from loramake.config import read_trust
    from loramake.console import refusal
    from loramake.serving.output import check_output, predict_new_rows
    from loramake.serving.predictor import Predictor, name_here

    if sum(argument is not None for argument in (source, csv, json)) != 1:
        raise typer.BadParameter("give one of --csv PATH, --json OBJECT and - (standard input).")
    if source not in (None, "-"):
        raise typer.BadParameter(f"{source!r} is not understood: give --csv {shlex.quote(str(source))}, or -.")
    if output is not None:
        check_output(output, csv or Path("/dev/stdin"), force)
    for name in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(name) == signal.SIG_DFL:  # nohup ignores it
            signal.signal(name, signal.default_int_handler)
    try:
        trust = read_trust(name_here(experiment))
        options = {"sandbox": sandbox and sandbox.value, "trust_remote_code": trust_remote_code}
        predictor = Predictor(experiment, **trust | {key: value for key, value in options.items() if value is not None})
        with _opened(predictor, csv, json, input_format) as rows:
            predict_new_rows(predictor, rows, output, form or rows.form, conformal_confidence, batch_size)
    except KeyboardInterrupt:
        command = shlex.join(["loramake", *sys.argv[1:]])
        sys.exit(refusal(f"stopped by you; {command} continues." if output else "stopped by you."))


@contextlib.contextmanager
def _opened(
    predictor: "Predictor", csv: Path | None, json: str | None, input_format: Format | None
) -> Iterator["Rows"]:
    """The rows to predict: of the CSV, of the JSON, or else of standard input."""
    from loramake.serving.new_rows import open_objects, open_standard_input, open_table

    if csv is not None:
        yield open_table(csv.expanduser(), predictor.columns)
    elif json is not None:
        yield open_objects(json, predictor.columns)
    else:
        with open_standard_input(predictor.columns, predictor.folder / "data", input_format) as rows:
            yield rows

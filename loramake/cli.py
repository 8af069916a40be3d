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


_SETTINGS = {
    "epochs": "num_train_epochs",
    "batch_size": "per_device_train_batch_size",
    "grad_accumulation": "gradient_accumulation_steps",
}
"""Options that are called otherwise in config.yaml."""
_OF_THE_RUN = ("name", "directory", "ask_api_key", "cores", "profile", "verbose")
"""Options that are no settings."""


class Format(enum.StrEnum):
    csv = "csv"
    jsonl = "jsonl"


@app.command(
    epilog="Example: loramake run --csv visits.csv --target ill --epochs 5. Exit code: Snakemake's; 0 all is done."
)
def run(
    context: typer.Context,
    csv: Annotated[Path, typer.Option(help="The table to learn from.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="Folder under results/; unset, the CSV's name.")] = None,
    directory: Annotated[Path, typer.Option(help="Where results/ is, and config.yaml, if there is one.")] = Path(),
    target: Annotated[str | None, typer.Option(help="The column to predict; unset, it is found.")] = None,
    model: Annotated[str | None, typer.Option(help="The base model: a folder or a hub id.")] = None,
    test_csv: Annotated[Path | None, typer.Option(help="A second table to test on.")] = None,
    test_ratio: Annotated[float | None, typer.Option(help="Share of the rows to test on.")] = None,
    review: Annotated[str | None, typer.Option(help="Who approves: ask, approve or file.")] = None,
    agent_model: Annotated[str | None, typer.Option(help="A language model as the agent.")] = None,
    coder_model: Annotated[str | None, typer.Option(help="One that writes code.")] = None,
    agent_api_base: Annotated[str | None, typer.Option(help="Where it is: http://host:port/v1.")] = None,
    ask_api_key: Annotated[bool, typer.Option("--ask-api-key", help="Type the endpoint's key, unseen.")] = False,
    epochs: Annotated[float | None, typer.Option(help="Passes over the training split.")] = None,
    lora_rank: Annotated[int | None, typer.Option(help="Rank of the LoRA matrices.")] = None,
    lora_alpha: Annotated[int | None, typer.Option(help="Scale of the LoRA update.")] = None,
    use_dora: Annotated[bool | None, typer.Option(help="Weight-decomposed LoRA.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Its peak.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows in one forward pass.")] = None,
    grad_accumulation: Annotated[int | None, typer.Option(help="Forward passes in one step.")] = None,
    cutoff_len: Annotated[int | None, typer.Option(help="Longest prompt and answer in tokens.")] = None,
    logging_steps: Annotated[int | None, typer.Option(help="Steps between two logged losses.")] = None,
    save_steps: Annotated[int | None, typer.Option(help="Steps between two checkpoints.")] = None,
    quantization_bit: Annotated[int | None, typer.Option(help="4 or 8: quantize the base.")] = None,
    flash_attn: Annotated[str | None, typer.Option(help="auto, disabled, sdpa or fa2.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, bf16, fp16 or fp32.")] = None,
    cores: Annotated[int, typer.Option(help="CPU cores.")] = 2,
    profile: Annotated[str | None, typer.Option(help="A profile of Snakemake, such as one for a cluster.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Snakemake's own log, too.")] = False,
) -> None:
    """Run everything for one CSV, and go on after each review until all approve.

    The same as snakemake --cores N results/NAME/evaluation/results.json --config csv=…, again after each feedback.
    """
    from loramake.run import Run, name_of

    asked = {_SETTINGS.get(key, key): value for key, value in context.params.items() if key not in _OF_THE_RUN}
    settings = {key: value for key, value in asked.items() if value is not None}
    if agent_model or agent_api_base:
        settings["agent"] = "openai"
    paths = {"csv": csv, "test_csv": test_csv, "model": Path(model) if model and Path(model).is_dir() else None}
    settings |= {key: _seen_from(directory, path) for key, path in paths.items() if path}
    key = {"OPENAI_API_KEY": typer.prompt("Key of the endpoint", hide_input=True)} if ask_api_key else {}
    options = ["--cores", str(cores), *(["--profile", profile] if profile else [])]
    try:
        code = Run(name or name_of(csv), directory, options, key, verbose).until_approved(settings)
    except LoramakeError as error:
        sys.exit(f"loramake: {error}")
    raise typer.Exit(code)


def _seen_from(directory: Path, path: Path) -> str:
    """A path as it is, or whole where the run is in another folder."""
    return str(path if directory == Path() else path.resolve())


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

"""loramake init."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loramake.errors import ConfigError

if TYPE_CHECKING:
    from loramake.workflow.init import Proposal

_TINY, _HUB = "models/tiny: built in, trains on a CPU", "another: a hub id or a folder"
_RULES, _LLM = "rules: built in, no key and no network", "a language model behind an OpenAI-compatible endpoint"
_REVIEWS = {"me, at the terminal": "ask", "nobody: run through": "approve", "a file, for a cluster": "file"}


def init(
    csv: Annotated[Path, typer.Argument(help="The table to learn from.")],
    name: Annotated[str | None, typer.Option(help="Name of the experiment; unset, the CSV's.")] = None,
    target: Annotated[str | None, typer.Option(help="The column to predict; unset, you are asked.")] = None,
    directory: Annotated[Path, typer.Option(help="Where to write config.yaml.")] = Path(),
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing, and print what is chosen and why.")] = False,
) -> None:
    """Write a commented config.yaml for a CSV, after four questions.

    If config.yaml exists, the experiment is added to it. Nothing else is changed, and Ctrl-C writes nothing.
    """
    from loramake.workflow.init import check_column, check_free, propose, write_config
    from loramake.workflow.run import name_of

    csv = csv.expanduser()
    path = csv if directory == Path() else csv.resolve()
    if not (yes or (sys.stdin.isatty() and sys.stdout.isatty())):
        raise ConfigError("init asks four questions: run it in a terminal, or with --yes for the proposed answers.")
    with contextlib.chdir(directory):
        experiment = name or name_of(path)
        check_free(experiment)
        proposal = propose(path)
        given = target and check_column(target, path, proposal.values)
        answers = _proposed(proposal, given, path) if yes else _ask(proposal, given)
        write_config(experiment, {"csv": str(path), **answers})
    typer.echo(f"config.yaml now has {experiment}. Next: loramake run --name {experiment}")


def _proposed(proposal: "Proposal", target: str | None, csv: Path) -> dict[str, str]:
    """The proposed answers, each printed with the reason for it."""
    from loramake.console import put

    likely = proposal.likely
    if target is None and likely is None:
        raise ConfigError(f"{csv}: no column stands out as the target: name it with --target COLUMN.")
    chosen = {
        "target": (target, "as you say") if likely is None or target else (likely.name, ", ".join(likely.reasons)),
        "model": ("models/tiny", "built in, trains on a CPU"),
        "agent": ("builtin", "rules, without a key or a network"),
        "review": ("ask", "you approve at the terminal"),
    }
    for key, (answer, reason) in chosen.items():
        put(f"{key}: {answer} ({reason})\n")
    return {key: str(answer) for key, (answer, _) in chosen.items()}


def _ask(proposal: "Proposal", target: str | None) -> dict[str, str]:
    import questionary

    target = target or _ask_for_target(proposal)
    model = _answer(questionary.select("Which base model?", choices=[_TINY, _HUB]))
    model = "models/tiny" if model == _TINY else _answer(questionary.text("Its hub id or folder:"))
    agent = _answer(questionary.select("Who plans and writes the preparation code?", choices=[_RULES, _LLM]))
    agent_settings: dict[str, str] = {"agent": "builtin"}
    if agent == _LLM:
        base = _answer(questionary.text("Its address:", default="http://127.0.0.1:8000/v1"))
        agent_settings = {
            "agent": "openai",
            "agent_model": _answer(questionary.text("Its name:")),
            "agent_api_base": base,
        }
        typer.echo("Put its key, if it has one, into OPENAI_API_KEY, in the environment or in .env.")
    review = _answer(questionary.select("Who approves the three reviews?", choices=list(_REVIEWS)))
    return {"target": target, "model": model, **agent_settings, "review": _REVIEWS[review]}


def _ask_for_target(proposal: "Proposal") -> str:
    """The chosen column, likely targets first; typing shows only the columns that contain what is typed."""
    import questionary

    from loramake.console import fitted, printable

    if likely := proposal.likely:
        typer.echo(fitted(printable(f"{likely.name} is a likely target: {', '.join(likely.reasons)}.")))
    choices = [
        questionary.Choice(printable(f"{column.name}  ({proposal.values[column.name]})"), column.name)
        for column in proposal.candidates
    ]
    return _answer(
        questionary.select(
            "Which column should be predicted?",
            choices=choices,
            instruction="(move with the arrows, or type to filter)",
            use_search_filter=True,
            use_jk_keys=False,
        )
    )


def _answer(question: Any) -> str:
    """The answer; ConfigError if there is none."""
    answer = question.ask(kbi_msg="")
    if not answer:
        raise ConfigError("stopped by you; nothing was written.")
    return str(answer)

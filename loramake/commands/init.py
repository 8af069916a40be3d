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
    directory: Annotated[Path, typer.Option(help="Where to write config.yaml.")] = Path(),
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing and use the proposed answers.")] = False,
) -> None:
    """Write a commented config.yaml for a CSV, after four questions.

    If config.yaml exists, the experiment is added to it. Nothing else is changed, and Ctrl-C writes nothing.
    """
    from loramake.workflow.init import check_free, propose, write_config
    from loramake.workflow.run import name_of

    csv = csv.expanduser()
    path = csv if directory == Path() else csv.resolve()
    if not (yes or (sys.stdin.isatty() and sys.stdout.isatty())):
        raise ConfigError("init asks four questions: run it in a terminal, or with --yes for the proposed answers.")
    with contextlib.chdir(directory):
        experiment = name or name_of(path)
        check_free(experiment)
        proposal = propose(path)
        answers = _proposed(proposal) if yes else _ask(proposal)
        write_config(experiment, {"csv": str(path), **answers})
    typer.echo(f"config.yaml now has {experiment}. Next: loramake run --name {experiment}")


def _proposed(proposal: "Proposal") -> dict[str, str]:
    if proposal.target is None:
        raise ConfigError("no column is a likely target: run init in a terminal, without --yes.")
    return {"target": proposal.target, "model": "models/tiny", "agent": "builtin", "review": "ask"}


def _ask(proposal: "Proposal") -> dict[str, str]:
    import questionary

    from loramake.console import printable

    shown = {printable(f"{name}  ({proposal.values[name]})"): name for name in proposal.columns}
    likely = next((text for text, name in shown.items() if name == proposal.target), None)
    target = _answer(questionary.select("Which column should be predicted?", choices=list(shown), default=likely))
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
    return {"target": shown[target], "model": model, **agent_settings, "review": _REVIEWS[review]}


def _answer(question: Any) -> str:
    """The answer; ConfigError if there is none."""
    answer = question.ask(kbi_msg="")
    if not answer:
        raise ConfigError("stopped by you; nothing was written.")
    return str(answer)

"""The command `loramake`. Everything it does can be done with snakemake and files, too."""

import contextlib
import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from loramake.commands.compare import compare
from loramake.commands.doctor import doctor
from loramake.commands.init import init
from loramake.commands.predict import predict
from loramake.commands.report import report
from loramake.commands.review import review
from loramake.commands.run import run
from loramake.commands.status import status
from loramake.errors import LoramakeError, OptionError

_INVALID_OPTION = 2
"""The exit code of typer, too."""


class _OneSentence(TyperGroup):
    """A LoramakeError ends a command with its sentence and exit code 1, or 2 for an option; errors are printable."""

    def main(self, *arguments: Any, **named: Any) -> Any:
        from loramake.console import show_traceback

        sys.excepthook = show_traceback
        return super().main(*arguments, **named)

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        with _printable_errors():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: Any) -> Any:
        with _printable_errors():
            try:
                return super().invoke(ctx)
            except OptionError as error:
                from loramake.console import refusal

                typer.echo(refusal(error), err=True)
                sys.exit(_INVALID_OPTION)
            except LoramakeError as error:
                from loramake.console import refusal

                sys.exit(refusal(error))
            except (KeyboardInterrupt, typer.Abort):
                from loramake.console import refusal

                sys.exit(refusal("stopped by you."))


@contextlib.contextmanager
def _printable_errors() -> Iterator[None]:
    """A command-line error quotes what was typed, which may be the name of somebody else's file."""
    try:
        yield
    except TyperException as error:
        from loramake.console import printable

        error.message = printable(_renamed(error) or error.message)
        raise


def _renamed(error: TyperException) -> str | None:
    """What to say about an option that is the old name of a setting; None for any other error.

    If the command has an option of the new name, typer's own message names it.
    """
    from loramake.settings import RENAMED

    option = str(getattr(error, "option_name", ""))
    old = option.removeprefix("--").replace("-", "_")
    context = getattr(error, "ctx", None)
    options = [] if context is None else [parameter.name for parameter in context.command.params]
    if old not in RENAMED or RENAMED[old] in options:
        return None
    return f"{option}: {old} is now called {RENAMED[old]}: set it in config.yaml."


app = typer.Typer(
    name="loramake",
    cls=_OneSentence,
    epilog="Start with: loramake run --csv my.csv. Exit codes: 0 done, 1 refused or failed, 2 invalid option.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"loramake {importlib.metadata.version('loramake')}")
        raise typer.Exit


def _check(is_requested: bool) -> None:
    if is_requested:
        doctor()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", callback=_check, is_eager=True, help="The same as loramake doctor.")
    ] = False,
) -> None:
    """From any CSV to a fine-tuned LLM predictor whose probabilities can be trusted."""


_EXAMPLES: dict[Callable[..., None], str] = {
    init: "loramake init visits.csv",
    run: "loramake run --csv visits.csv --target ill --epochs 5",
    review: "loramake review exp1. Exit codes: 0 decided, or feedback saved; 1 refused or stopped",
    status: "loramake status exp1. Exit codes: 0 everything is fresh, 1 refused, 3 not everything is fresh",
    predict: "loramake predict exp1 --csv new.csv --output predictions.csv",
    compare: "loramake compare exp1 exp2",
    report: "loramake report exp1",
    doctor: "loramake doctor. Exit codes: 0 all is well, with or without a GPU; 1 something is missing; 2 nothing runs",
}
for command, example in _EXAMPLES.items():
    app.command(epilog=f"Example: {example}.")(command)

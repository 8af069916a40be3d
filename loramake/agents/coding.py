"""Code that an agent writes: its contract, and writing it again until it does what it has to."""

import ast
from collections.abc import Callable
from pathlib import Path

from loramake.agents import Agent, Failure
from loramake.console import log, say
from loramake.errors import CodeError


def check_functions(code: str, names: tuple[str, ...], where: str | Path) -> None:
    """Raise CodeError where generated code is no Python or lacks one of the functions that its contract names."""
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        raise CodeError(f"{where}: line {error.lineno}: the generated code is no Python: {error.msg}.") from error
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for name in names:
        if name not in defined:
            raise CodeError(f"{where}: the generated code defines no {name}().")


def write_until_it_works(
    agent: Agent,
    write: Callable[[list[Failure]], str],
    complete: Callable[[str], str],
    try_out: Callable[[Path], Failure | None],
    out: str | Path,
) -> str:
    """The script around what `write` wrote, after as many tries as `try_out` finds something wrong with it.

    `write` is told of all failures so far, `complete` makes a script of functions, and a failure's code is filled in
    here. Every try is kept beside `out`, in tries/. Code of an agent of one try is not tried out: it is known to work.
    CodeError after the last one.
    """
    out = Path(out)
    folder = out.parent / "tries"
    for old in folder.glob(f"{out.stem}-*"):
        old.unlink()
    failures: list[Failure] = []
    for number in range(1, agent.tries + 1):
        functions = write(failures)
        script = complete(functions)
        if agent.tries == 1:
            return script
        path = folder / f"{out.stem}-{number}.py"
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(script, encoding="utf-8")
        failure = try_out(path)
        if failure is None:
            say(f"{out.name}: try {number} did what it has to.")
            return script
        failures.append({**failure, "code": functions, "above": script.partition(functions)[0].count("\n")})
        _keep(path, failure, f"{out.name}: try {number} of {agent.tries}")
    agent.forget()
    raise CodeError(
        f"{out}: none of {agent.tries} tries did what it has to; the last: {failures[-1]['complaint']} All are in "
        f"{folder}: set another coder_model, say more in feedback (notes), or set agent: builtin, and run the same "
        f"command again."
    )


def _keep(path: Path, failure: Failure, what: str) -> None:
    """A failed try's complaint and output beside its code, and a line for the user."""
    say(f"{what}: {failure['complaint']}")
    text = "\n".join([failure["complaint"], failure["output"], *failure["rows"]])
    path.with_suffix(".txt").write_text(text, encoding="utf-8")
    log.info("%s", text)

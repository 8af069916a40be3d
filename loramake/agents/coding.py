"""Code that an agent writes: its contract, and retries until it works."""

import ast
from collections.abc import Callable
from pathlib import Path

from loramake.agents import Agent, Failure
from loramake.console import log, say
from loramake.errors import CodeError


def check_functions(code: str, names: tuple[str, ...], where: str | Path) -> None:
    """Raise CodeError if generated code is not valid Python or lacks a function of its contract."""
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        raise CodeError(
            f"{where}: line {error.lineno}: the generated code is not valid Python: {error.msg}."
        ) from error
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for name in names:
        if name not in defined:
            raise CodeError(f"{where}: the generated code does not define {name}().")


def write_until_it_works(
    agent: Agent,
    write: Callable[[list[Failure]], str],
    complete: Callable[[str], str],
    try_out: Callable[[Path], Failure | None],
    out: str | Path,
) -> str:
    """The first script that `try_out` finds nothing wrong with.

    `write` gets all failures so far, `complete` makes a script from functions, and a failure's code is filled in here.
    Every attempt is kept beside `out`, in tries/. Code from an agent with one try is not tried out: it is known to
    work. CodeError after the last attempt.
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
            say(f"{out.name}: attempt {number} works.")
            return script
        failures.append({**failure, "code": functions, "above": script.partition(functions)[0].count("\n")})
        _keep(path, failure, f"{out.name}: attempt {number} of {agent.tries} failed")
    agent.forget()
    raise CodeError(
        f"{out}: none of {agent.tries} attempts worked; the last: {failures[-1]['complaint']} All are in {folder}. Set "
        f"another coder_model, say more in feedback (notes), or set agent: builtin, and run the same command again."
    )


def _keep(path: Path, failure: Failure, heading: str) -> None:
    """Write a failed attempt's complaint and output beside its code, and a line for the user."""
    say(f"{heading}: {failure['complaint']}")
    text = "\n".join([failure["complaint"], failure["output"], *failure["rows"]])
    path.with_suffix(".txt").write_text(text, encoding="utf-8")
    log.info("%s", text)

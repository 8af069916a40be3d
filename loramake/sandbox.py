"""The one place where generated code is started.

There is no isolation here yet beyond an empty environment, Python's isolated mode and a time limit: enough for the
builtin agent, whose code is rendered from this project's own templates, and not for code that an LLM wrote.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from loramake.console import log
from loramake.errors import CodeError

TIME_LIMIT = 600
"""Seconds."""


def run_script(script: str | Path, arguments: Mapping[str, str | Path | int | None]) -> None:
    """Run a generated script with `--name value` for every argument that is not None; CodeError where it fails."""
    command = [sys.executable, "-I", str(Path(script).resolve())]
    for name, value in arguments.items():
        if value is not None:
            command += [f"--{name}", str(value.resolve() if isinstance(value, Path) else value)]
    environment = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR", "SYSTEMROOT") if key in os.environ}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        raise CodeError(f"{script} did not end within {TIME_LIMIT} s: look at its loops.") from None
    log.info("%s\n%s%s", " ".join(command[2:]), done.stdout, done.stderr)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise CodeError(f"{script} failed: {last} (its whole output is in the step's log).")

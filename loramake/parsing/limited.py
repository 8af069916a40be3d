"""JSON from generated code, parsed first in a child process with limited memory and time.

Only what the child accepted is parsed here: it takes no more memory and time than it took there.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loramake.parsing import MIB, ParsingError, decode, shown_size, without_collector

MEMORY = 384 * MIB
"""Bytes of address space of the child, plus MEMORY_PER_BYTE of its input."""
MEMORY_PER_BYTE = 20
"""Text beyond Unicode's first plane takes four bytes a character, and exists in several copies."""
SECONDS = 10
"""CPU time, plus a second for every 4 MiB."""
_WAITING = 6
"""Wall-clock time may be so many times the CPU time: other processes run, too."""
_CONTAINERS_PER_ROW = 4
"""A row is one mapping; the schema refuses ordinary mistakes, such as lists in it."""
_START = "import json, sys; task = json.loads(sys.argv[1]); sys.path[:] = task['path']; from {} import main; main(task)"
_ROOT = str(Path(__file__).parents[2])


def parse_limited(data: bytes, schema: Mapping[str, Any] | None, rows: int | None = None) -> Any:
    """The value of JSON that has at most `rows` rows and matches the schema; else ParsingError.

    Its message quotes nothing of the values.
    """
    containers = len(data) // 16 + 1_000 if rows is None else rows * _CONTAINERS_PER_ROW + 1_000
    memory, seconds = MEMORY + MEMORY_PER_BYTE * len(data), SECONDS + len(data) // (4 * MIB)
    too_much = f"it takes more than {shown_size(memory)} of memory or {seconds} s to read"
    task = {
        "path": [_ROOT, *filter(None, sys.path)],
        "limits": {"AS": memory, "CPU": seconds, "CORE": 0},
        "schema": schema,
        "rows": rows,
        "containers": containers,
        "too_much": too_much,
    }
    reason = _ask_child(task, data, seconds * _WAITING, too_much)
    if reason is not None:
        raise ParsingError(reason)
    with without_collector():
        return json.loads(decode(data))  # the child accepted it: no check is needed twice


def _ask_child(task: dict[str, Any], data: bytes, seconds: float, too_much: str) -> str | None:
    command = [sys.executable, "-I", "-S", "-B", "-c", _START.format("loramake.parsing.child"), json.dumps(task)]
    try:
        done = subprocess.run(command, input=data, env={}, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return too_much
    if done.returncode < 0 or b"MemoryError" in done.stderr:  # killed by the kernel, or by a library out of memory
        return too_much
    if done.returncode != 0:
        raise RuntimeError(f"the process that reads JSON failed: {done.stderr.decode(errors='replace')}")
    reason: str | None = json.loads(done.stdout)
    return reason

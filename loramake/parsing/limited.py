"""JSON from generated code, parsed first in a child process whose memory and time are limited.

Only what the child has found good is parsed here: it takes no more memory and no more time than it took there.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loramake.parsing import MIB, ParsingError, decode, shown_size, without_collector

MEMORY = 384 * MIB
"""Bytes of address space of the child, beside MEMORY_PER_BYTE of what it reads."""
MEMORY_PER_BYTE = 20
"""Text beyond Unicode's first plane takes four bytes a character, and is there several times."""
SECONDS = 10
"""Of CPU time, beside a second for every 4 MiB."""
_WAITING = 6
"""By the clock it may take so many times its CPU time: other processes work, too."""
_CONTAINERS_PER_ROW = 4
"""A row is one mapping; one that is wrong in an ordinary way, with lists in it, is for the schema to refuse."""
_START = "import json, sys; task = json.loads(sys.argv[1]); sys.path[:] = task['path']; from {} import main; main(task)"
_ROOT = str(Path(__file__).parents[2])


def parse_limited(data: bytes, schema: Mapping[str, Any] | None, rows: int | None = None) -> Any:
    """The value of JSON that has no more rows than `rows` and is what the schema says; else ParsingError.

    Its sentence quotes nothing of the values.
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
        return json.loads(decode(data))  # found good as it is: no check is needed twice


def _ask_child(task: dict[str, Any], data: bytes, seconds: float, too_much: str) -> str | None:
    command = [sys.executable, "-I", "-S", "-B", "-c", _START.format("loramake.parsing.child"), json.dumps(task)]
    try:
        done = subprocess.run(command, input=data, env={}, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return too_much
    if done.returncode < 0 or b"MemoryError" in done.stderr:  # the kernel ended it, or a library without memory
        return too_much
    if done.returncode != 0:
        raise RuntimeError(f"the process that reads JSON failed: {done.stderr.decode(errors='replace')}")
    reason: str | None = json.loads(done.stdout)
    return reason

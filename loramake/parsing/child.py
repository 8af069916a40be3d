"""Runs in the child process: reads JSON from standard input under limits, and reports what is wrong with it.

Needs nothing of the project but the parser; imports little, since it is started for every file.
"""

import gc
import json
import resource
import sys
from typing import Any

import jsonschema_rs

from loramake.parsing import ParsingError
from loramake.parsing.json_text import parse_json
from loramake.parsing.shape import find_error


def main(task: dict[str, Any]) -> None:
    """Print, as JSON, why standard input does not meet the task; null if it does."""
    gc.disable()
    for name, most in task["limits"].items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))
    try:
        reason = _reason(task)
    except MemoryError:
        reason = task["too_much"]
    sys.stdout.write(json.dumps(reason))
    sys.stdout.flush()


def _reason(task: dict[str, Any]) -> str | None:
    try:
        value = parse_json(sys.stdin.buffer.read(), task["containers"])
        if task["rows"] is not None and isinstance(value, list) and len(value) > task["rows"]:
            return f"it has {len(value):,} rows, more than the {task['rows']:,} that it can have"
    except ParsingError as error:
        return str(error)
    if task["schema"] is None:
        return None
    fault = find_error(jsonschema_rs.validator_for(task["schema"], mask="the value"), value, quotes=False)
    return None if fault is None else ": ".join(fault)

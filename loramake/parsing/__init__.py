"""Parses untrusted bytes within limits: of bytes, nesting, values and digits.

ParsingError gives a reason (`line 3: the key 'csv' appears twice`); the caller names the file and what to do next.
Knows formats; knows nothing of what a file means.
"""

import contextlib
import gc
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MIB = 1 << 20
DEPTH = 64
"""Levels of lists and mappings inside one another."""
DIGITS = 1_000
"""Characters of one number: reading one takes quadratic time."""


class ParsingError(ValueError):
    """Why bytes cannot be read, with the line if it is known."""


class EncodingError(ParsingError):
    """Bytes that are not text in UTF-8."""


def read_bytes(path: Path, most: int) -> bytes:
    """The bytes of an ordinary file; ParsingError if it is larger than `most` or not one, such as a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ParsingError("it is not an ordinary file")
            data = file.read(min(most, status.st_size) + 1)  # room for so much is taken at once
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ParsingError(error.strerror or str(error)) from error
    if len(data) > most:
        raise ParsingError(f"it is larger than {shown_size(most)}, more than a file of its kind takes")
    if len(data) > status.st_size:
        raise ParsingError("it grows while it is read")
    return data


def decode(data: bytes) -> str:
    """The text of bytes in UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise EncodingError(f"line {line}: it is not text in UTF-8") from error


def shown_size(size: int) -> str:
    """A number of bytes for people."""
    return f"{size // MIB:,} MiB" if size >= MIB else f"{size:,} bytes"


def check_size(value: Any, values: int) -> None:
    """Raise ParsingError if a value, with repeated parts counted each time, is too large or too deep.

    `values` counts lists, mappings, and texts once per 256 characters.
    """
    left, waiting = values, [(value, 1)]
    while waiting:
        part, level = waiting.pop()
        left -= 1 + (len(part) >> 8 if isinstance(part, str) else 0)
        if left < 0:
            raise ParsingError(f"it contains more than {values:,} values")
        if isinstance(part, dict | list):
            if level > DEPTH:
                raise ParsingError(f"it is nested more than {DEPTH} levels deep")
            children = [*part, *part.values()] if isinstance(part, dict) else part
            if len(children) > left:
                raise ParsingError(f"it contains more than {values:,} values")
            waiting += [(child, level + 1) for child in children]


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """No garbage collection while many live values are created: it took most of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

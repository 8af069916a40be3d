"""Bytes that somebody else wrote, read within limits: of bytes, nesting, values and digits.

ParsingError gives a reason (`line 3: the key 'csv' is there twice`); the caller names the file and what to do next.
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
"""Characters of one number: reading one takes the square of them."""


class ParsingError(ValueError):
    """Why bytes cannot be read, with the line where that is known."""


class EncodingError(ParsingError):
    """Bytes that are not text in UTF-8."""


def read_bytes(path: Path, most: int) -> bytes:
    """The bytes of an ordinary file; ParsingError where it is larger than `most` or not one, such as a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ParsingError("it is not an ordinary file")
            data = file.read(most + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ParsingError(error.strerror or str(error)) from error
    if len(data) > most:
        raise ParsingError(f"it is larger than {shown_size(most)}, more than a file of its kind takes")
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
    """Raise ParsingError where a value, what it holds several times counted each time, is too large or too deep.

    `values` counts lists, mappings, and texts by 256 characters begun.
    """
    left, waiting = values, [(value, 1)]
    while waiting:
        one, level = waiting.pop()
        left -= 1 + (len(one) >> 8 if isinstance(one, str) else 0)
        if left < 0:
            raise ParsingError(f"it contains more than {values:,} values")
        if isinstance(one, dict | list):
            if level > DEPTH:
                raise ParsingError(f"it is nested more than {DEPTH} levels deep")
            inside = [*one, *one.values()] if isinstance(one, dict) else one
            if len(inside) > left:
                raise ParsingError(f"it contains more than {values:,} values")
            waiting += [(part, level + 1) for part in inside]


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """No search for garbage while many values are made, none of which is any: it took most of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

"""JSON and JSON lines within limits. Too deep or too large input is refused by its brackets, before it is parsed.

Stricter than Python's own: no NaN and no infinity, no lone surrogate. Of a repeated key the last value counts.
"""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loramake.parsing import DEPTH, DIGITS, MIB, ParsingError, decode, read_bytes, shown_size, without_collector

LONGEST_LINE = 16 * MIB
"""Of JSON lines."""

_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(code for code in range(256) if code not in b'"[]{}')
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

Pairs = Callable[[list[tuple[str, Any]]], dict[str, Any]]


def parse_json(data: bytes, containers: int | None = None, pairs: Pairs | None = None, takes_nan: bool = False) -> Any:
    """The value of JSON text; ParsingError if it is not JSON, or too large.

    `containers` is the most lists and mappings, `pairs` makes the mappings, `takes_nan` accepts Python's NaN.
    """
    check_brackets(data, containers)
    decoder = _decoder(pairs, float if takes_nan else _refuse_constant)
    with without_collector():
        value = _decoded(decoder, decode(data))
    _check_text(data, value)
    return value


def parse_json_lines(data: bytes, containers: int | None = None) -> list[Any]:
    """The values of JSON lines as a list; ParsingError, with the line, if one is not JSON or too long."""
    check_brackets(data, containers)
    decoder, values = _decoder(), list[Any]()
    with without_collector():
        for number, line in enumerate(decode(data).split("\n"), 1):
            if len(line) > LONGEST_LINE:
                raise ParsingError(f"line {number}: it is longer than {shown_size(LONGEST_LINE)}")
            if line.strip():
                values.append(_decoded(decoder, line, number))
    _check_text(data, values)
    return values


def read_json(path: Path, most: int = 64 * MIB) -> Any:
    """The value of a JSON file of at most so many bytes; ParsingError, or FileNotFoundError."""
    return parse_json(read_bytes(path, most))


def read_json_lines(path: Path, most: int = 64 * MIB) -> list[Any]:
    """The values of a file of JSON lines of at most so many bytes; ParsingError, or FileNotFoundError."""
    return parse_json_lines(read_bytes(path, most))


def check_brackets(data: bytes, containers: int | None) -> None:
    """Raise ParsingError if JSON contains more lists and mappings than `containers`, or deeper ones than DEPTH.

    Linear in the bytes. Brackets that do not match are left to the parser.
    """
    brackets = _brackets(data)
    if containers is not None and (count := brackets.count(b"[")) > containers:
        raise ParsingError(f"it contains {count:,} lists and mappings, more than the {containers:,} of a file like it")
    for _ in range(DEPTH):  # each time the innermost ones go
        outer = brackets.replace(b"[]", b"")
        if len(outer) == len(brackets):
            return
        brackets = outer
    if b"[]" in brackets:
        raise ParsingError(f"it is nested more than {DEPTH} levels deep")


def _brackets(data: bytes) -> bytes:
    """The brackets of JSON that are not inside a text, braces as brackets."""
    if b'\\"' in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Adjacent quotes do not change whether a bracket is inside a text: this removes most texts at once.
    marks = data.translate(_BRACKETS, _OTHERS).replace(b'""', b"")
    return b"".join(marks.split(b'"')[::2])


def _refuse_constant(name: str) -> float:
    raise ParsingError(f"{name} is not a number in JSON: write null")


def _decoder(pairs: Pairs | None = None, constant: Callable[[str], float] = _refuse_constant) -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=pairs, parse_float=_finite, parse_int=_integer, parse_constant=constant)


def _decoded(decoder: json.JSONDecoder, text: str, line: int | None = None) -> Any:
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        raise ParsingError(f"line {line or error.lineno}: {error.msg}, column {error.colno}") from error
    except ParsingError as error:
        raise ParsingError(f"line {line}: {error}" if line else str(error)) from error
    except RecursionError:
        raise ParsingError(f"it is nested more than {DEPTH} levels deep") from None


def _finite(text: str) -> float:
    number = float(text) if len(text) <= DIGITS else math.inf
    if math.isinf(number):
        raise ParsingError("it has a number that is out of range, beyond 1e308 or of more than 1,000 digits")
    return number


def _integer(text: str) -> int:
    if len(text) > DIGITS:
        raise ParsingError(f"it has a number of {len(text):,} digits, more than {DIGITS:,}")
    return int(text)


def _check_text(data: bytes, value: Any) -> None:
    """Raise ParsingError if a text of the value has a lone surrogate: it could not be written."""
    if not _SURROGATE.search(data):
        return
    for number, part in enumerate(value, 1) if isinstance(value, list) else [(None, value)]:
        try:
            json.dumps(part, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError as error:
            where = "" if number is None else f": object {number}"
            raise ParsingError(f"it contains a lone surrogate, which is not text{where}") from error

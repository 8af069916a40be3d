"""Extracts the JSON object or the code from a model's answer, whatever text surrounds it.

An answer is untrusted text of any length: each scan here takes linear time.
"""

import ast
import json
import re
from typing import Any

import json_repair

from loramake.errors import AgentError


class AnswerError(AgentError):
    """An answer that cannot be used; the message goes back to the model."""


LONGEST = 100_000
"""Characters of an answer without its thoughts."""
_LONGEST_REPAIRED = 10_000
"""Characters of loosely written JSON: repairing takes a while."""
_MOST_BRACES = 1_000
"""Braces that open no object, as in prose, before an answer is rejected."""
_OPENING, _CLOSING = "<think>", "</think>"
_FENCE = "```"
_KEY = re.compile(r"""\{\s*("[^"\n]{1,200}"|'[^'\n]{1,200}'|\w{1,200})\s*:""")
"""The start of an object: a brace in prose is not followed by a key."""


def without_thoughts(text: str) -> str:
    """The answer behind a model's reasoning, even if its opening or closing tag is missing."""
    parts, position = [], 0
    while (start := text.find(_OPENING, position)) >= 0 and (end := text.find(_CLOSING, start)) >= 0:
        parts.append(text[position:start])
        position = end + len(_CLOSING)
    parts.append(text[position:])
    return "".join(parts).rpartition(_CLOSING)[2].replace(_OPENING, "").strip()


def _read(text: str) -> str:
    """The answer behind the reasoning; AnswerError where it is too long."""
    text = without_thoughts(text)
    if len(text) > LONGEST:
        raise AnswerError(f"The answer has {len(text):,} characters, at most {LONGEST:,} are allowed: be shorter.")
    return text


def read_json(text: str) -> dict[str, Any]:
    """The JSON object of an answer; of several the last, since what comes first may be quoted from the data.

    AnswerError if there is none. An object that is cut off or written loosely is repaired.
    """
    try:
        return _read_object(_read(text))
    except (RecursionError, ValueError) as error:
        raise AnswerError("The JSON of the answer is nested too deeply or too long. Be shorter.") from error


def _read_object(text: str) -> dict[str, Any]:
    last = _last_object(text)
    if last is None:
        raise AnswerError("The answer contains no JSON object. Answer with one JSON object and nothing else.")
    if isinstance(last, dict):
        return last
    repaired = json_repair.loads(last) if len(last) <= _LONGEST_REPAIRED else None
    if isinstance(repaired, dict) and repaired:
        return repaired
    raise AnswerError("The JSON object of the answer cannot be read. Answer with one JSON object and nothing else.")


def _last_object(text: str) -> dict[str, Any] | str | None:
    """The last outermost object; a malformed one as the text from its brace on, which ends the search."""
    decoder, last, braces, position = json.JSONDecoder(), None, 0, text.find("{")
    while position >= 0:
        try:
            last, end = decoder.raw_decode(text, position)
        except json.JSONDecodeError:
            if _KEY.match(text, position):
                return text[position:]
            braces, end = braces + 1, position + 1
            if braces > _MOST_BRACES:
                raise AnswerError("The answer contains too many braces. Answer with one JSON object.") from None
        position = text.find("{", end)
    return last


def read_code(text: str, functions: tuple[str, ...]) -> str:
    """The last block of Python in an answer; AnswerError if none defines the functions."""
    text = _read(text)
    blocks = _blocks(text) or [text]
    code: str = next((block for block in reversed(blocks) if f"def {functions[-1]}" in block), blocks[-1])
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        raise AnswerError(f"Line {error.lineno} of the code is not valid Python: {error.msg}.") from error
    except (RecursionError, MemoryError, ValueError) as error:
        raise AnswerError("The code cannot be read as Python. Be shorter.") from error
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    missing = [name for name in functions if name not in defined]
    if missing:
        raise AnswerError(f"The code does not define {missing[0]}() at its top level. Answer with one block of Python.")
    return code.strip("\n") + "\n"


def _blocks(text: str) -> list[str]:
    """The text between code fences; the last may be unclosed."""
    blocks: list[str] = []
    block: list[str] | None = None
    for line in text.split("\n"):
        if block is None:
            block = [] if _FENCE in line else None
        elif line.lstrip(" \t").startswith(_FENCE):
            blocks.append("\n".join(block))
            block = None
        else:
            block.append(line)
    return [*blocks, "\n".join(block)] if block else blocks

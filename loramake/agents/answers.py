"""What a model answered: the JSON object or the code in it, whatever else it wrote around that."""

import ast
import json
import re
from typing import Any

import json_repair

from loramake.errors import AgentError


class AnswerError(AgentError):
    """An answer that cannot be used; the sentence is what the model is told."""


_THOUGHT = re.compile(r"<think>.*?</think>", re.S)
_FENCE = re.compile(r"```[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:\n[ \t]*```|\Z)", re.S)


def without_thoughts(text: str) -> str:
    """The answer behind a model's reasoning, also where its opening or closing mark is missing."""
    text = _THOUGHT.sub("", text)
    return text.rpartition("</think>")[2].replace("<think>", "").strip()


def read_json(text: str) -> dict[str, Any]:
    """The JSON object of an answer; of several the last, since what comes first may be quoted from the data.

    AnswerError where there is none. An object that is cut off or written loosely is mended.
    """
    try:
        return _read_object(without_thoughts(text))
    except (RecursionError, ValueError) as error:
        raise AnswerError("The JSON of the answer is too deep or too long to be read. Be shorter.") from error


def _read_object(text: str) -> dict[str, Any]:
    found = _objects(text)
    if not found:
        raise AnswerError("There is no JSON object in the answer. Answer with one JSON object and nothing else.")
    last = found[-1]
    if isinstance(last, dict):
        return last
    mended = json_repair.loads(last)
    if isinstance(mended, dict) and mended:
        return mended
    raise AnswerError("The JSON object of the answer cannot be read. Answer with one JSON object and nothing else.")


def _objects(text: str) -> list[dict[str, Any] | str]:
    """The outermost objects in their order; a broken one as the text from its brace on, which ends the search."""
    decoder, found, at = json.JSONDecoder(), list[dict[str, Any] | str](), text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
            found.append(value)
        except json.JSONDecodeError:
            if re.match(r"\{\s*[\"'\w]+\s*:", text[at:]):
                return [*found, text[at:]]
            end = at + 1
        at = text.find("{", end)
    return found


def read_code(text: str, functions: tuple[str, ...]) -> str:
    """The last block of Python in an answer; AnswerError where there is none that defines the functions."""
    text = without_thoughts(text)
    blocks = [code for _, code in _FENCE.findall(text)] or [text]
    code: str = next((block for block in reversed(blocks) if f"def {functions[-1]}" in block), blocks[-1])
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        raise AnswerError(f"Line {error.lineno} of the code is no Python: {error.msg}.") from error
    except (RecursionError, MemoryError, ValueError) as error:
        raise AnswerError("The code cannot be read as Python. Be shorter.") from error
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    missing = [name for name in functions if name not in defined]
    if missing:
        raise AnswerError(f"The code defines no {missing[0]}() at its top level. Answer with one block of Python.")
    return code.strip("\n") + "\n"

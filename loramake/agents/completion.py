"""Reads a chat completion from a server's response: untrusted bytes, of which nothing is assumed."""

import json
from dataclasses import dataclass
from typing import Any

_MOST_TOKENS = 10**9
"""More than any answer has: a larger count is not one."""


@dataclass(frozen=True)
class Completion:
    """The first choice of a chat completion."""

    text: str
    """Empty where the model called tools instead."""
    tokens_in: int
    tokens_out: int
    is_whole: bool
    """Whether it ended by itself, not at the token limit."""


def read_completion(body: bytes) -> Completion:
    """The completion in a response's body; ValueError if it is not one."""
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        text = choice["message"].get("content")
        usage = data.get("usage")
    except (AttributeError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise ValueError("not a chat completion") from error
    if not isinstance(text, str | None):
        raise ValueError("the content is not text")
    text = (text or "").encode("utf-8", errors="replace").decode()
    is_whole = choice.get("finish_reason") != "length"
    return Completion(text, _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"), is_whole)


def _count(usage: Any, name: str) -> int:
    """A number of tokens; 0 where the server does not say."""
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if type(count) is int and 0 <= count <= _MOST_TOKENS else 0

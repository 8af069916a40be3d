import contextlib
import time

import pytest

from loramake.agents.answers import AnswerError, read_code, read_json

CODE = "def fit(train):\n    return {}\n\n\ndef transform(rows, state):\n    return []\n"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        '```json\n{"a": 1}\n```',
        'Use {braces}, said the table: {"a": 0}. So:\n{"a": 1}\nI hope this helps.',
        '<think>Perhaps {"a": 0}?</think>{"a": 1}',
        'Perhaps {"a": 0}?</think>{"a": 1}',
        '<think>Perhaps {"a": 0}. Yes.\n{"a": 1}',
        "{'a': 1,}",
        '{"a": 0} or rather {"a": 1,}',
        '{"a": 0} {"a": 1',
        "{a: 1}",
    ],
)
def test_the_last_object_counts_whatever_stands_around_it(text: str) -> None:
    assert read_json(text) == {"a": 1}


@pytest.mark.parametrize("text", ["", "I cannot do that.", "[1, 2]", "{}{", "<think>{"])
def test_an_answer_without_an_object_is_refused(text: str) -> None:
    if text == "{}{":
        assert read_json(text) == {}
        return
    with pytest.raises(AnswerError, match="no JSON object"):
        read_json(text)


@pytest.mark.parametrize(
    "text",
    [
        CODE,
        f"```python\n{CODE}```",
        f"Not this:\n```python\nraise SystemExit\n```\nbut this:\n```python\n{CODE}```\nand run it:\n```\nls\n```",
        f"<think>```python\nraise SystemExit\n```</think>\n```py\n{CODE}",
    ],
)
def test_the_last_block_that_defines_the_functions_counts(text: str) -> None:
    assert read_code(text, ("fit", "transform")) == CODE


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("I cannot.", "is not valid Python"),
        ("```python\ndef fit(train):\n    return {}\n```", r"does not define transform\(\)"),
        (
            "```python\ndef fit(train)\n    return {}\ndef transform(a, b): pass\n```",
            "Line 1 of the code is not valid Python",
        ),
        ("", r"does not define fit\(\)"),
    ],
)
def test_an_answer_without_the_functions_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(AnswerError, match=sentence):
        read_code(text, ("fit", "transform"))


SCANNED = {
    "thoughts that open": "<think>",
    "thoughts that close": "</think>",
    "thoughts": "<think>a</think>",
    "fences": "```\n",
    "fences in one line": "```",
    "fences and spaces": "```\n   ",
    "braces": "{",
    "objects": "{}",
    "keys": '{"a b": ',
    "keys with quotes": '{"a\\"b": ',
    "long keys": '{"' + "k" * 210 + '": ',
    "quotes": '{"',
    "lists": '{"a":[',
    "lines": "{\n",
    "all": "```\n<think>{",
}
HANG = 10.0
"""Seconds: each takes less than one; some took minutes."""


@pytest.mark.parametrize("name", SCANNED)
@pytest.mark.parametrize("is_thought", [False, True])
def test_an_answer_of_200_000_marks_is_read_or_refused_at_once(name: str, is_thought: bool) -> None:
    text = SCANNED[name] * 200_000
    text = f"<think>{text}</think>{text[:99_000]}" if is_thought else text
    started = time.monotonic()
    for read in (read_json, lambda text: read_code(text, ("fit", "transform"))):
        with contextlib.suppress(AnswerError):
            read(text)
    assert time.monotonic() - started < HANG


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x" * 100_001, "has 100,001 characters, at most 100,000"),
        ('{"a": ' + "1, " * 20_000, "cannot be read"),
        ('{"a": ' + "[" * 50_000, "too deeply or too long"),
        ('{"a": ' + "9" * 5_000 + "}", "too deeply or too long"),
        ("{ " * 2_000 + '{"a": 1}', "too many braces"),
    ],
)
def test_an_answer_that_is_too_much_is_refused_with_what_to_do(text: str, sentence: str) -> None:
    with pytest.raises(AnswerError, match=sentence):
        read_json(text)

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
        ("I cannot.", "is no Python"),
        ("```python\ndef fit(train):\n    return {}\n```", r"defines no transform\(\)"),
        ("```python\ndef fit(train)\n    return {}\ndef transform(a, b): pass\n```", "Line 1 of the code is no Python"),
        ("", r"defines no fit\(\)"),
    ],
)
def test_an_answer_without_the_functions_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(AnswerError, match=sentence):
        read_code(text, ("fit", "transform"))

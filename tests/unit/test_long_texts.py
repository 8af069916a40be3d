"""Texts of a table, a person or a program that are long on purpose: none is read in more than time like its length.

What took the square of the length took minutes to hours here.
"""

import io
import re
from collections.abc import Callable

import pandas as pd
import pytest

from loramake.agents.disclosure import Disclosure, find_personal
from loramake.errors import ConfigError, nearest
from loramake.explore.leaks.names import split_name
from loramake.explore.leaks.words import normalise
from loramake.explore.profile import profile_column
from loramake.review.changes import LONGEST_TEXT, Change, FeedbackContext, parse_feedback
from loramake.spreadsheet import escape_formula, original
from loramake.tables.dates import to_days
from loramake.training.finetuning import follow
from tests.hang import ends_within

MANY = [f"column {index}" for index in range(20_000)]
KNOWN = FeedbackContext(["a", "b", *MANY], ["0", "1"], reads_notes=True)
PROFILE = {"columns": []}
HALF = LONGEST_TEXT // 2 - 50


def understood(text: str) -> list[Change] | str:
    """The changes that a text asks for, or the sentence with which it is refused."""
    try:
        return parse_feedback(text, KNOWN)
    except ConfigError as error:
        return str(error)


@pytest.mark.parametrize(
    "text",
    [
        "lora_rank: 1" + ", a: 1" * (HALF // 3),
        "lora_rank: {" + ", a: 1" * (HALF // 3),
        "change instruction to" + " " * (2 * HALF) + "::",
        "change target mapping: 0: a," + " " * (2 * HALF) + "x",
        "change target mapping: 0: a" + ", x" * (HALF // 2),
        "drop features: " + "a," * HALF,
        "drop features: " + "'a'," * (HALF // 2),
        "drop features: " + ",'" * HALF,
        "drop features: " + ", ".join(MANY[:6_000]),
        "drop features: " + "c" * HALF,
        "drop features: " + "column " * 20,
        "use " + "o" * HALF,
        "k" * HALF + ": 1",
        "a:" + " " * HALF + "\nx",
    ],
)
def test_feedback(text: str) -> None:
    with ends_within(30):
        assert understood(text)


def test_feedback_beyond_a_length_is_refused_before_it_is_read() -> None:
    with pytest.raises(ConfigError, match="has 100,001 characters, more than 100,000: enter it in parts"):
        parse_feedback("x" * 100_001, KNOWN)
    assert parse_feedback("drop features: a" + " " * 99_000, KNOWN) == [Change("plan", "drop", ["a"])]


def test_an_error_quotes_the_beginning_of_a_long_name_alone() -> None:
    for text in ("drop features: ", "use ", "change target mapping: 0: a, "):
        with pytest.raises(ConfigError) as caught:
            parse_feedback(text + "x" * 50_000 + (": b" if "mapping" in text else ""), KNOWN)
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("unit", "tail"),
    [
        ("a", ""), ("a@", ""), ("a@a", "."), (".a", "@"), ("AA00", ""), ("AA00 ", "!"), ("1 ", "x"), ("+1 ", ""),
        ("(01 (", ""), ("01 1 ", "x"), ("+1(", "x"), ("123-45-", "x"), (" 01 ((((1a", ""),
    ],
)  # fmt: skip
def test_personal_data(unit: str, tail: str) -> None:
    with ends_within(30):
        assert Disclosure("samples", PROFILE).clean(unit * (1_000_000 // len(unit)) + tail)


@pytest.mark.parametrize("name", ["name_" * 40_000 + "\nx", "_nam" * 50_000, "a_" * 100_000, "é" * 200_000])
def test_names_of_columns(name: str) -> None:
    column = {"name": name, "type": "text", "top_values": []}
    with ends_within(30):
        assert list(find_personal({"columns": [column]})) in ([], [name])
        assert split_name(name)
        assert normalise(name)


def test_what_is_personal_is_what_it_was() -> None:
    clean = Disclosure("samples", PROFILE).clean
    assert clean("ask a.b+c@d-e.org, or x@y.z!") == "ask [e-mail], or [e-mail]!"
    assert clean("a@b@c.de and @x.y") == "a@[e-mail] and @x.y"
    assert find_personal({"columns": [{"name": "full name\n(2)", "type": "text", "top_values": []}]})


@pytest.mark.parametrize(
    "cell",
    ["2024-01-01 10:00" + tail * 1_000_000 for tail in ("9", ".", " a", ":1", "-")]
    + [unit * 100_000 for unit in ("1", "1,111", "0 ", "a", "1e", "\n")],
)
def test_cells(cell: str) -> None:
    column = pd.Series([cell, "2024-01-01", "1"], name="x", dtype=object)
    with ends_within(30):
        assert profile_column(column)["distinct"] == 3
        assert to_days(column).notna()[1]
        assert original(escape_formula(cell)) == cell


def test_dates_are_what_they_were() -> None:
    assert profile_column(pd.Series(["2024-01-31 10:00:00.123456+02:00", "2023-02-01 09:30"]))["type"] == "date"


@pytest.mark.parametrize("line", ["x" * 20_000_000, "1" * 1_000_000 + "\n", "0%|" * 300_000, "1%|" + "a" * 1_000_000])
def test_a_trainings_output(line: str) -> None:
    with ends_within(30):
        assert all(len(kept) <= 2**17 for kept in follow(io.BytesIO(line.encode()), lambda *_: None))


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("ab" * 45_000, ["ba" * 50_000]),
        ("abcdefgh" * 11, ["hgfedcba" * 11 + str(index) for index in range(20_000)]),
    ],
)
def test_the_nearest_of_names(word: str, known: list[str]) -> None:
    with ends_within(30):
        assert nearest(word, known) == ""


def test_a_hang_is_ended() -> None:
    slow: Callable[[str], object] = re.compile(r"(a+)+b").fullmatch
    with pytest.raises(TimeoutError), ends_within(0.2):
        slow("a" * 60)

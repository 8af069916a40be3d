import pandas as pd
import pytest

from loramake.errors import DataError
from loramake.tasks.labels import (
    check_test_labels,
    describe_merged,
    find_labels,
    find_spellings,
    find_synonyms,
    match_label,
    typed_labels,
)


def column(*parts: tuple[str | None, int]) -> "pd.Series[str]":
    """Labels, each so many times."""
    return pd.Series([label for label, rows in parts for _ in range(rows)], name="sick", dtype=object)


def test_labels_are_counted_in_their_own_order_without_the_missing_ones() -> None:
    assert find_labels("x.csv", column(("yes", 6), (None, 9), ("no", 5)), "refuse").to_dict() == {"no": 5, "yes": 6}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([(None, 20)], "x.csv: the target sick has no values"),
        ([("yes", 20)], "x.csv: the target sick has only the value 'yes'"),
        ([("yes", 8), ("no", 1), ("maybe", 1)], "'maybe', 'no' of the target sick occur in only one row each"),
        ([("yes", 6), ("no", 3)], "x.csv: 9 rows are too few for 2 labels of the target sick: at least 5 per label"),
        ([("a", 6), ("b", 4), ("c", 4)], "x.csv: 14 rows are too few for 3 labels"),
        ([(str(number), 2) for number in range(21)], "the target sick is numeric with 21 distinct values"),
        ([(f"2024-01-{day:02d}", 3) for day in range(1, 29)], "the target sick is a column of date"),
    ],
)
def test_what_cannot_be_learnt_is_refused(parts: list[tuple[str | None, int]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        find_labels("x.csv", column(*parts), "refuse")


def test_ten_rows_for_two_labels_are_enough_and_twenty_numbers_are_labels() -> None:
    assert len(find_labels("x.csv", column(("yes", 5), ("no", 5)), "refuse")) == 2
    assert len(find_labels("x.csv", column(*((str(number), 5) for number in range(20))), "refuse")) == 20


def test_rare_labels_are_dropped_where_that_is_set_and_what_is_left_has_to_be_enough() -> None:
    kept = find_labels("x.csv", column(("yes", 8), ("no", 5), ("maybe", 1), ("two", 2)), "drop")
    assert kept.to_dict() == {"no": 5, "two": 2, "yes": 8}
    with pytest.raises(DataError, match="9 rows are too few for 2 labels"):
        find_labels("x.csv", column(("yes", 5), ("no", 4), ("maybe", 1)), "drop")


def test_a_test_table_has_labels_of_the_task_and_one_at_least() -> None:
    check_test_labels("t.csv", column(("yes", 1), (None, 3)), ["no", "yes"])
    with pytest.raises(DataError, match=r"t.csv: no row has a value in the target sick"):
        check_test_labels("t.csv", column((None, 3)), ["no", "yes"])
    with pytest.raises(DataError, match=r"t.csv: 2 rows have labels.*'maybe'.*first in row 3"):
        check_test_labels("t.csv", column(("yes", 1), ("maybe", 2)), ["no", "yes"])


@pytest.mark.parametrize(
    ("parts", "merged", "apart"),
    [
        ([("Yes", 2), ("YES", 3), ("yes", 1), ("no", 4)], {"YES": 6, "no": 4}, ["YES", "Yes", "no", "yes"]),
        ([("0", 2), ("0.0", 3), ("1", 1), ("1.0", 9)], {"0": 5, "1": 10}, ["0", "0.0", "1", "1.0"]),
        ([("0.0", 5), ("1.0", 6)], {"0.0": 5, "1.0": 6}, ["0.0", "1.0"]),
        ([("0.5", 2), ("0.50", 3), ("1", 4)], {"0.50": 5, "1": 4}, ["0.5", "0.50", "1"]),
        ([("007", 5), ("7", 4)], {"007": 5, "7": 4}, ["007", "7"]),
        ([("TRUE", 5), ("True", 6), ("false", 3)], {"True": 11, "false": 3}, ["TRUE", "True", "false"]),
        ([("not  sure", 5), ("not\u00a0sure", 3), ("sure", 3)], {"not sure": 8, "sure": 3}, ["not sure", "sure"]),
        ([("caf\u00e9", 5), ("cafe\u0301", 3), ("bar", 3)], {"caf\u00e9": 8, "bar": 3}, ["bar", "caf\u00e9"]),
        ([("a\u200bb", 5), ("ab", 3), ("\uff21\uff22", 1), ("c", 1)], {"ab": 9, "c": 1}, ["ab", "c", "\uff21\uff22"]),
        ([("yes", 5), ("Y", 3), ("no", 3)], {"yes": 5, "Y": 3, "no": 3}, ["Y", "no", "yes"]),
    ],
)
def test_spellings_of_a_label_are_merged_into_the_most_frequent_one(
    parts: list[tuple[str, int]], merged: dict[str, int], apart: list[str]
) -> None:
    spellings = find_spellings(column(*parts), merge_labels=True)
    assert {label: sum(cells.values()) for label, cells in spellings.items()} == merged
    assert list(find_spellings(column(*parts), merge_labels=False)) == apart


def test_long_numbers_are_compared_in_every_digit() -> None:
    ones = ["1" * 40, "1" * 39 + "2"]
    assert len(find_spellings(column(*((label, 3) for label in ones)), merge_labels=True)) == 2


def test_what_is_merged_is_said_with_the_setting_that_keeps_it_apart_where_there_is_one() -> None:
    cells = column(("Yes", 30), ("YES", 12), ("no", 9))
    assert describe_merged("sick", find_spellings(cells, merge_labels=True)) == (
        "different spellings of a label in sick are merged: 'Yes' from 'YES' (12 rows); merge_labels: false keeps them "
        "apart."
    )
    assert describe_merged("sick", find_spellings(cells, merge_labels=False)) is None
    spaced = find_spellings(column(("not sure", 3), ("not  sure", 2), ("no", 1)), merge_labels=True)
    assert describe_merged("sick", spaced) == (
        "different spellings of a label in sick are merged: 'not sure' from 'not  sure' (2 rows)."
    )


@pytest.mark.parametrize(
    ("labels", "typed"),
    [
        (["0", "1"], [0, 1]),
        (["-1", "+1"], [-1, 1]),
        (["0.0", "1.0"], [0.0, 1.0]),
        (["0", "0.5"], [0.0, 0.5]),
        (["TRUE", "False"], [True, False]),
        (["007", "010"], ["007", "010"]),
        (["1", "1.0"], ["1", "1.0"]),
        (["yes", "no"], ["yes", "no"]),
        (["1", "x"], ["1", "x"]),
        (["9" * 30, "1"], [float("9" * 30), 1.0]),
        (["1e999", "1"], ["1e999", "1"]),
    ],
)
def test_labels_have_the_type_that_pandas_gives_them(labels: list[str], typed: list[object]) -> None:
    assert [(type(label), label) for label in typed_labels(labels)] == [(type(label), label) for label in typed]


@pytest.mark.parametrize(
    ("values", "groups"),
    [
        (["yes", "no", "Y", "N", "TRUE", "1"], [["1", "TRUE", "Y", "yes"], ["N", "no"]]),
        (["Y", "N", "1", "0"], [["1", "Y"], ["0", "N"]]),
        (["yes", "YES", "no"], []),
        (["0", "1"], []),
        (["yes", "no", "maybe"], []),
        (list("0123456789ABCDEF"), []),
    ],
)
def test_words_that_probably_mean_the_same_are_found(values: list[str], groups: list[list[str]]) -> None:
    assert find_synonyms(values) == groups


def test_a_person_may_write_a_label_in_another_way_unless_that_is_another_label() -> None:
    assert match_label("YES", ["yes", "no"]) == "yes"
    assert match_label("1.0", ["0", "1"]) == "1"
    assert match_label("A", ["a", "A"]) == "A"
    assert match_label("Yes", ["yes", "YES"]) is None
    assert match_label("y", ["yes", "no"]) is None

import pandas as pd
import pytest

from loramake.errors import DataError
from loramake.tasks.labels import check_test_labels, find_labels


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
    with pytest.raises(DataError, match=r"t.csv: 2 rows have labels.*'maybe'.*data row 1"):
        check_test_labels("t.csv", column(("yes", 1), ("maybe", 2)), ["no", "yes"])

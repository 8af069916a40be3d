from typing import Any

import numpy as np
import pandas as pd

from loramake.trust.groups import MAX_VALUES, split_groups


def column(cells: Any, name: str = "Sex") -> Any:
    return pd.Series(list(cells), name=name, dtype=object)


def names_of(cells: Any) -> list[tuple[str, str, int]]:
    return [(group.name, group.kind, len(group.rows)) for group in split_groups(column(cells))[1]]


def test_numbers_are_parted_at_quartiles_and_named_by_what_is_in_them() -> None:
    kind, _ = split_groups(column(str(number) for number in range(1, 101)))
    assert kind == "numeric"
    assert names_of(str(number) for number in range(1, 101)) == [
        ("1 to 25", "range", 25),
        ("26 to 50", "range", 25),
        ("51 to 75", "range", 25),
        ("76 to 100", "range", 25),
    ]
    for write, first, last in (
        (lambda number: f"{number / 4 - 3}", "-2.75 to 3.25", "16 to 22"),
        (lambda number: f"{1000 * number}.5", "1000.5 to 25,000.5", "76,000.5 to 100,000.5"),
        (lambda number: f"{1920 + number}", "1921 to 1945", "1996 to 2020"),
    ):
        names = [name for name, *_ in names_of(write(number) for number in range(1, 101))]
        assert (names[0], names[-1]) == (first, last)


def test_fewer_rows_are_parted_into_fewer_ranges_and_equal_numbers_stay_together() -> None:
    assert [rows for *_, rows in names_of(str(number) for number in range(60))] == [20, 20, 20]
    assert [rows for *_, rows in names_of(str(number) for number in range(10))] == [5, 5]
    zeros = ["0"] * 70 + [str(number) for number in range(1, 31)]
    assert [(name, rows) for name, _, rows in names_of(zeros)] == [("0", 70), ("1 to 5", 5), ("6 to 30", 25)]


def test_few_different_numbers_are_kept_in_ascending_order() -> None:
    cells = ["10"] * 30 + ["2"] * 50 + ["2.0"] + ["-1"] * 3
    assert names_of(cells) == [("-1", "value", 3), ("2", "value", 51), ("10", "value", 30)]


def test_missing_cells_and_cells_that_are_no_number_are_groups_of_their_own_at_the_end() -> None:
    cells = [None, "unknown", *[str(number) for number in range(40)], None]
    assert names_of(cells)[-2:] == [("(no number)", "words", 1), ("(missing)", "missing", 2)]
    assert names_of(["b", None, "a", "a"]) == [("a", "value", 2), ("b", "value", 1), ("(missing)", "missing", 1)]
    assert names_of([None, None]) == [("(missing)", "missing", 2)]


def test_rare_values_are_one_group_which_no_value_of_that_name_joins() -> None:
    cells = [f"town {index:02}" for index in range(MAX_VALUES + 3) for _ in range(40 - index)] + ["(other)"] * 50
    result = names_of(cells)
    assert result[0] == ("(other)", "value", 50)
    assert result[-1] == ("(other)", "other", 30 + 29 + 28 + 31)
    assert len(result) == MAX_VALUES + 1


def test_values_of_equal_rows_come_by_name_whatever_the_order_of_the_rows() -> None:
    cells = np.array(["b", "a", "c", "d"] * 5 + ["e"])
    for seed in range(3):
        shuffled = np.random.default_rng(seed).permutation(cells)
        assert [name for name, *_ in names_of(shuffled)] == ["a", "b", "c", "d", "e"]


def test_every_row_is_in_one_group() -> None:
    generator = np.random.default_rng(0)
    for cells in (
        generator.choice([None, "x", *map(str, range(50))], size=300),
        generator.choice([None, *(f"v{index}" for index in range(30))], size=300),
    ):
        indices = np.concatenate([group.rows for group in split_groups(column(cells))[1]])
        assert sorted(indices) == list(range(300))

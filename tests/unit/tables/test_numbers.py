from pathlib import Path

import pandas as pd
import pytest

from loramake.tables.numbers import STYLES, NumberStyle, find_number_style, read_number, read_numbers, to_numbers
from loramake.tables.reading import read_table


def test_numbers_are_nan_where_a_cell_is_missing_or_infinite_or_no_number(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,x\ninf,x\n,x\nabc,x\n-2.5,x\n", encoding="utf-8")
    numbers = to_numbers(read_table(path)["a"])
    assert numbers.dropna().tolist() == [1.0, -2.5]
    assert numbers.isna().tolist() == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1,234", "999", "12,345.5"], [1234, 999, 12345.5]),
        (["1,5", "2,25", "3"], [1.5, 2.25, 3]),
        (["0,125", "0,250"], [0.125, 0.25]),
        (["1.234,5", "2"], [1234.5, 2]),
        (["1.234.567", "1.234"], [1234567, 1234]),
        (["1 234", "5\u00a0600"], None),
        (["1\u202f234,5", "2"], [1234.5, 2]),
        (["1'000.5", "2"], [1000.5, 2]),
        (["1,2", "1,3,4"], None),
        (["1.2.3", "1.2.4"], None),
        ([], None),
    ],
)
def test_a_column_of_numbers_is_read_by_its_own_signs(cells: list[str], numbers: list[float] | None) -> None:
    style = find_number_style(pd.Series(cells, dtype=object))
    assert (style and [float(getattr(read_number(cell, style), "text", "nan")) for cell in cells]) == numbers


def test_few_words_among_numbers_are_no_numbers_and_do_not_spoil_the_column() -> None:
    column = pd.Series(["1,5"] * 19 + ["on request"], dtype=object)
    assert find_number_style(column) == NumberStyle(",")
    assert set(read_numbers(list(column.unique()), NumberStyle(","))) == {"1,5"}


@pytest.mark.parametrize("cell", ["1" * 100, "1e999", "(5", "5)", "--5", "(-5)", "$", "5 kg 3", "1_000", "0x10", "½"])
def test_what_only_resembles_a_number_is_none(cell: str) -> None:
    assert all(read_number(cell, style) is None for style in STYLES)

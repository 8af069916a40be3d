"""New rows become the cells that the training CSV would have held; what may mean two things is not guessed."""

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loramake.errors import DataError
from loramake.explore.profile import profile_column
from loramake.serving.columns import Columns, NewCells, count_remarks, count_text
from loramake.serving.new_rows import table_of_objects
from loramake.serving.remarks import FAR_OUTSIDE, NEW_CATEGORY, NO_CELL, NOT_A_DATE, NOT_A_NUMBER, UNCLEAR
from loramake.tables.reading import read_table
from tests.conftest import ROOT

TRAINING = {
    "age": [f"{20 + i % 50}.5" for i in range(100)],
    "size": [f"{i % 7},{i % 9}" for i in range(100)],
    "pay": [f"${1000 + i:,}.00" for i in range(100)],
    "ward": ["1.0", "2.0", "3.0", "North"] * 25,
    "smokes": ["TRUE", "FALSE"] * 50,
    "seen": [f"2024-01-{1 + i % 28:02}" for i in range(100)],
    "left": [f"{1 + i % 28:02}/02/2024" for i in range(100)],
    "share": [f"{i}.5%" for i in range(100)],
    "length": [f"{i % 9}:30:00" for i in range(100)],
    "day": [f"202401{1 + i % 28:02}" for i in range(100)],
    "town": [f"town {i % 40}" for i in range(100)],
}
ROW = {"age": 40, "size": 1.5, "pay": "1000", "ward": 2, "smokes": True, "seen": "2024-01-31", "left": ""}
ROW |= {"share": "5%", "length": "1:00:00", "day": "20240131", "town": ""}


def columns_of(training: dict[str, list[str]]) -> Columns:
    profile = [profile_column(pd.Series(cells, name=name, dtype=object)) for name, cells in training.items()]
    plan: Any = {"features": [{"name": name} for name in training], "dropped": [{"name": "id"}], "target": "ill"}
    return Columns.of(plan, {"columns": profile})  # type: ignore[typeddict-item]


COLUMNS = columns_of(TRAINING)


def read(*rows: dict[str, Any]) -> NewCells:
    table, _ = table_of_objects([{**ROW, **row} for row in rows], COLUMNS, "it")
    return COLUMNS.read(table, COLUMNS.adapt({name: count_text(table[name]) for name in COLUMNS.features}))


def kinds(new: NewCells) -> dict[tuple[str | None, str], int]:
    return dict(count_remarks(new.remarks))


def test_a_value_is_written_as_training_was_given_such_values() -> None:
    new = read({})
    expected = {"age": "40", "size": "1.5", "pay": "1000", "ward": "2.0", "smokes": "TRUE", "seen": "2024-01-31"}
    expected |= {"share": "5", "length": "3600", "day": "2024-01-31"}
    assert dict(new.cells.iloc[0]) == {**expected, "left": None, "town": None}
    assert kinds(new) == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (40, "40"),
        (40.0, "40"),
        (np.int8(40), "40"),
        (np.float32(0.1), "0.1"),
        (-0.0, "0"),
        (1e22, "10000000000000000000000"),
        (1e-7, "1e-07"),
        (decimal.Decimal("40.50"), "40.50"),
        (decimal.Decimal("NaN"), None),
        (float("inf"), "inf"),
        (" 40 ", "40"),
        ("3.0", "3.0"),
        ("40 kg", "40"),
        ("\u221240", "-40"),
        ("(40)", "-40"),
        (">40", "40"),
        ("n/k", None),
        (None, None),
        (float("nan"), None),
        (pd.NA, None),
        ("?", None),
        ("", None),
    ],
)
def test_every_kind_of_number_becomes_plain_text_or_missing(value: Any, text: str | None) -> None:
    assert read({"age": value}).cells["age"][0] == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (pd.Timestamp("2024-01-31"), "2024-01-31"),
        (datetime.datetime(2024, 1, 31, 12, 30), "2024-01-31 12:30:00"),
        (pd.Timestamp("2024-01-31 12:30+02:00"), "2024-01-31 10:30:00"),
        (datetime.date(2024, 1, 31), "2024-01-31"),
        (pd.NaT, None),
        ("31 Jan 2024", "2024-01-31"),
        ("31/01/2024", "2024-01-31"),
        ("2024-01-31 00:00:00", "2024-01-31"),
    ],
)  # fmt: skip
def test_every_kind_of_date_becomes_iso(value: Any, text: str | None) -> None:
    assert read({"seen": value}).cells["seen"][0] == text


@pytest.mark.parametrize("value", [True, np.True_, 1, 1.0, "1", "1.0", "true", "YES", "y", "TRUE"])
def test_a_flag_is_the_training_s_own_whatever_it_looks_like(value: Any) -> None:
    new = read({"smokes": value})
    assert (new.cells["smokes"][0], kinds(new)) == ("TRUE", {})


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, b"40", object()])
def test_what_is_no_single_value_is_refused_with_its_place(value: Any) -> None:
    with pytest.raises(DataError, match=r"it, object 1: the column 'age' contains a \w+: give it one text or one num"):
        read({"age": value})


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_text_that_no_file_can_hold_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="object 1: the column 'town' contains a character that no text file can"):
        read({"town": text})


def test_a_dataframe_read_with_pandas_own_types_gives_the_cells_of_the_csv() -> None:
    for name in ("penguins", "heart", "titanic"):
        path = ROOT / f"data/{name}.csv"
        text = read_table(path)
        columns = columns_of({column: text[column].tolist() for column in text.columns})
        cells = columns.as_text(pd.read_csv(path, keep_default_na=False, na_values=[""]), name)
        new = columns.read(cells, columns.adapt({column: count_text(cells[column]) for column in columns.features}))
        assert new.remarks == []
        for column in columns.features:
            expected = columns.readings[column].read(text[column])
            pairs = zip(new.cells[column], expected, strict=True)
            assert all(ours == theirs or float(ours) == float(theirs) for ours, theirs in pairs if ours or theirs)


def test_a_missing_column_is_named_with_the_nearest_and_an_unknown_one_is_listed() -> None:
    names = list(TRAINING)
    with pytest.raises(DataError, match=r"^it lacks the column 'age' \(did you mean agee\?\), which the model was"):
        COLUMNS.align(["agee", *names[1:]], "it")
    with pytest.raises(DataError, match="it has the column 'age' more than once"):
        COLUMNS.align(["age", *names], "it")
    aligned = COLUMNS.align([" AGE", *names[1:], "ill", "id", "mood"], "it")
    assert aligned[0] == "age"
    assert COLUMNS.unknown([*aligned, "mood"]) == ["mood"]


def test_columns_that_training_dropped_reach_no_prompt() -> None:
    assert "id" not in read({"id": "7"}).cells


@pytest.mark.parametrize(
    ("column", "cell", "kind"),
    [
        ("age", "old", NOT_A_NUMBER),
        ("age", "inf", NOT_A_NUMBER),
        ("age", 9999, FAR_OUTSIDE),
        ("age", -500, FAR_OUTSIDE),
        ("seen", "next week", NOT_A_DATE),
        ("seen", "45123", NOT_A_DATE),
        ("seen", "2023", NOT_A_DATE),
        ("seen", "2023-02-30", NOT_A_DATE),
        ("ward", "South", NEW_CATEGORY),
        ("town", "town 77", NEW_CATEGORY),
        ("smokes", "sometimes", NEW_CATEGORY),
    ],
)
def test_a_cell_unlike_all_of_training_is_predicted_and_remarked_on(column: str, cell: Any, kind: str) -> None:
    new = read({}, {column: cell})
    assert new.cells[column][1] == str(cell)
    assert [(remark.row, remark.column, remark.kind) for remark in new.remarks] == [(1, column, kind)]
    assert str(cell) in new.remarks[0].text


@pytest.mark.parametrize(("column", "cell"), [("age", 71), ("ward", "north"), ("ward", "NORTH"), ("town", " town  7")])
def test_a_cell_like_those_of_training_is_not_remarked_on(column: str, cell: Any) -> None:
    new = read({column: cell})
    assert kinds(new) == {}
    assert new.cells[column][0] == {"ward": "North"}.get(column, str(cell).strip())


def test_a_row_without_any_value_is_remarked_on() -> None:
    assert kinds(read(dict.fromkeys(ROW), {})) == {(None, NO_CELL): 1}


@pytest.mark.parametrize(
    ("column", "cells", "read_as"),
    [
        ("age", ["1,050"], [None]),  # a thousand, or one and a bit
        ("age", ["1,050", "2,000.5"], ["1050", "2000.5"]),
        ("age", ["1.234", "1.234,5"], ["1234", "1234.5"]),
        ("age", ["51,1"], ["51.1"]),
        ("age", ["$51.10"], ["51.10"]),
        ("size", ["1.5"], ["1.5"]),
        ("pay", ["1,234.50", "$2"], ["1234.50", "2"]),
        ("pay", ["€5"], [None]),
        ("seen", ["03/07/2023"], [None]),
        ("seen", ["03/07/2023", "31/07/2023"], ["2023-07-03", "2023-07-31"]),
        ("seen", ["03/07/2023", "07/31/2023"], ["2023-03-07", "2023-07-31"]),
        ("left", ["03/07/2023"], ["2023-07-03"]),
        ("left", ["03/07/2023", "07/31/2023"], ["2023-03-07", "2023-07-31"]),
        ("left", ["03/07/2023", "07/31/2023", "31/07/2023"], [None, "2023-07-31", "2023-07-31"]),
    ],
)
def test_another_format_is_read_where_the_table_decides_and_not_guessed_where_it_does_not(
    column: str, cells: list[str], read_as: list[str | None]
) -> None:
    new = read(*({column: cell} for cell in cells))
    assert new.cells[column].tolist() == read_as
    unclear = [remark.row for remark in new.remarks if remark.kind == UNCLEAR]
    assert unclear == [row for row, text in enumerate(read_as) if text is None]


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("age", "1,050", "age '1,050' may be two numbers: write it as 1234.5"),
        ("pay", "€5", "pay '€5' has another unit than in training: convert it"),
        ("seen", "03/07/2023", "seen '03/07/2023' may be two dates: write it as 2024-07-03"),
    ],
)
def test_why_a_row_is_not_predicted_is_said_with_the_way_on(column: str, cell: str, reason: str) -> None:
    assert [remark.text for remark in read({column: cell}).remarks] == [reason]


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("length", datetime.timedelta(hours=1), "3600"),
        ("length", datetime.time(1, 30), "5400"),
        ("length", 1800, "1800"),
        ("day", 20240131, "2024-01-31"),
        ("share", 0.05, None),
        ("share", "0.05", None),
        ("age", "12k", None),
        ("age", "1%", None),
        ("length", "1800", None),
    ],
)
def test_a_value_is_what_it_would_be_in_the_csv_and_one_that_scales_otherwise_is_unclear(
    column: str, value: Any, text: str | None
) -> None:
    new = read({column: value})
    assert (new.cells[column][0], [remark.kind for remark in new.remarks]) == (text, [] if text else [UNCLEAR])

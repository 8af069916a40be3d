"""Small tables as people have them: what each column is read as."""

from typing import Any

import pytest

from loramake.explore.column_notes import describe_reading
from loramake.explore.profile import describe_csv
from tests.conftest import ROOT

FOLDER = ROOT / "tests/everyday"


def column_of(case: str, name: str) -> Any:
    columns = describe_csv(FOLDER / case / "t.csv", None)["columns"]
    return next(column for column in columns if column["name"] == name)


@pytest.mark.parametrize(
    ("case", "name", "kind", "missing"),
    [
        ("20-na-country", "country", "categorical", 0),
        ("22-na-target", "outcome", "categorical", 0),
        ("22e-na-binary", "outcome", "categorical", 0),
        ("23-mixed-missing", "income", "numeric", 23),
        ("23c-dash-only", "income", "numeric", 30),
        ("30-zip-leading-zero", "zip", "categorical", 0),
        ("31-percent", "rate", "numeric", 0),
        ("32-currency", "price", "numeric", 0),
        ("32d-units", "weight", "numeric", 0),
        ("33-dates-3-formats", "joined", "date", 0),
        ("33c-dates-one-bad", "joined", "date", 1),
        ("34-yesno-mix", "smoker", "boolean", 0),
        ("39-unicode-minus", "delta", "numeric", 0),
        ("39c-lt-gt", "crp", "numeric", 0),
    ],
)
def test_a_column_is_read_as_a_person_would_read_it(case: str, name: str, kind: str, missing: int) -> None:
    column = column_of(case, name)
    assert (column["type"], column["missing"], column["words"] or 0) == (kind, missing, 0)


@pytest.mark.parametrize(
    ("case", "name", "sentence"),
    [
        ("20-na-country", "country", "'NA' kept as a category"),
        ("23c-dash-only", "income", "read as missing: '-' (30 cells)"),
        ("32-currency", "price", "read as numbers with the unit '$'"),
        ("33-dates-3-formats", "joined", "dates are read with the day first"),
        ("33c-dates-one-bad", "joined", "read as missing: 'n/k' (1 cell)"),
        ("34-yesno-mix", "smoker", "read as 'TRUE' or 'FALSE', whichever means the same"),
        ("39c-lt-gt", "crp", "60 cells such as '<40' read as the bound itself"),
    ],
)
def test_what_is_not_plain_to_see_is_said(case: str, name: str, sentence: str) -> None:
    assert any(sentence in line for line in describe_reading(column_of(case, name)))


def test_zeros_far_from_every_other_number_are_warned_of_with_the_setting() -> None:
    columns = {column["name"]: column for column in describe_csv(ROOT / "data/heart.csv", None)["columns"]}
    assert columns["Cholesterol"]["warnings"] == [
        "0 in 172 rows, and no other value below 85; if 0 stands for a missing cell, set missing_values: "
        "{Cholesterol: [0]}"
    ]
    assert not any(column["warnings"] for name, column in columns.items() if name != "Cholesterol")
    settings = {"missing_values": {"Cholesterol": ["0"]}}
    read = describe_csv(ROOT / "data/heart.csv", None, settings)["columns"]
    assert [column["missing"] for column in read if column["name"] == "Cholesterol"] == [172]

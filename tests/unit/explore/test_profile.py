from pathlib import Path

import pandas as pd
import pytest

from loramake import artifacts
from loramake.explore.profile import profile_csv
from loramake.tables.readings import find_reading
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("x", ["1", "2.5", "-3e2", None] * 9, "numeric"),
        ("x", ["a", "b", "c"] * 9, "categorical"),
        ("x", ["True", "false"] * 9, "boolean"),
        ("x", ["0", "1"] * 9, "boolean"),
        ("x", ["2024-01-31", "2023-12-01 10:00"] * 9, "date"),
        ("x", ["31.01.2024", "1/2/24"] * 9, "date"),
        ("x", [f"the patient came in on day {i} and left" for i in range(30)], "text"),
        ("patient_id", [str(7 * i) for i in range(30)], "id"),
        ("x", [str(i) for i in range(30)], "id"),
        ("x", [f"AB-{i * 17 % 101}" for i in range(30)], "id"),
        ("height", [str(150 + i * 1.5) for i in range(30)], "numeric"),
        ("x", ["a", "a", "a"], "constant"),
        ("x", ["a", None, "a"], "categorical"),
        ("amount_paid", [str(7 * i % 29) for i in range(30)], "numeric"),
        ("idle_time", [*(str(7 * i) for i in range(30)), None], "numeric"),
        ("amount_paid", [str(7 * i) for i in range(30)], "id"),
        ("customerId", [str(7 * i) for i in range(30)], "id"),
        ("price", [f"{i},{i % 7}5" for i in range(30)], "numeric"),
        ("x", ["a1", "b"] + [f"{i}.5" for i in range(30)], "numeric"),
        ("x", ["a1", "b"] * 5 + [f"{i}.5" for i in range(30)], "categorical"),
        ("x", [None, None], "constant"),
    ],
)
def test_a_column_is_called_what_a_person_would_call_it(name: str, cells: list[str | None], kind: str) -> None:
    assert find_reading(pd.Series(cells, name=name, dtype=object)).kind == kind


def test_a_profile_holds_rows_duplicates_missing_quantiles_and_capped_cells(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("n;t;y\n1;" + "x" * 100_000 + ";a\n3;short;b\n3;short;b\n;short;a\n", encoding="utf-8")
    profile_csv(path, None, tmp_path / "profile.json")
    profile = artifacts.read(tmp_path / "profile.json", "profile")
    assert (profile["rows"], profile["duplicate_rows"], profile["delimiter"]) == (4, 1, ";")
    number, text, _ = profile["columns"]
    assert (number["missing"], number["distinct"], number["quantiles"]["0.5"]) == (1, 2, 3.0)
    assert text["top_values"][0] == {"value": "short", "rows": 3}
    assert len(text["top_values"][1]["value"]) == 80


@pytest.mark.parametrize("name", ["heart", "diabetes", "titanic", "penguins"])
def test_the_demo_tables_hold_no_false_ids(tmp_path: Path, name: str) -> None:
    profile_csv(ROOT / f"data/{name}.csv", None, tmp_path / "profile.json")
    types = {column["type"] for column in artifacts.read(tmp_path / "profile.json", "profile")["columns"]}
    assert types <= {"numeric", "categorical", "boolean"}

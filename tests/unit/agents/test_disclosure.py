"""What is sent away of a table, and what is not."""

from pathlib import Path

import pandas as pd
import pytest

from loramake import artifacts
from loramake.agents.disclosure import Disclosure
from loramake.explore.profile import profile_csv
from loramake.tables.reading import read_table

PEOPLE = pd.DataFrame(
    {
        "FirstName": [f"Anna{chr(97 + index)}" for index in range(24)],
        "contact": [f"anna.{index}@mail.example" for index in range(24)],
        "reach": [f"+49 30 1234{index:04}" for index in range(24)],
        "account": [f"DE{index:02} 3704 0044 0532 0130 00" for index in range(24)],
        "insurance": [f"123-45-{index:04}" for index in range(24)],
        "age": [str(20 + index % 7) for index in range(24)],
        "note": ["call +49 30 99991111" if index % 2 else "fine" for index in range(24)],
        "ill": ["yes", "no"] * 12,
    }
)


def sight_of(folder: Path, table: pd.DataFrame, level: str) -> tuple[Disclosure, pd.DataFrame]:
    table.to_csv(folder / "table.csv", index=False)
    profile_csv(folder / "table.csv", None, folder / "profile.json")
    return Disclosure(level, artifacts.read(folder / "profile.json", "profile")), read_table(folder / "table.csv")


def test_no_cell_of_a_personal_column_is_shown(tmp_path: Path) -> None:
    disclosure, table = sight_of(tmp_path, PEOPLE, "samples")
    assert {
        name: disclosure.personal.get(name) for name in ("FirstName", "contact", "reach", "account", "insurance")
    } == {
        "FirstName": "name",
        "contact": "e-mail",
        "reach": "phone number",
        "account": "IBAN",
        "insurance": "SSN",
    }
    assert "age" not in disclosure.personal
    shown = disclosure.columns() + str(disclosure.rows(table))
    for secret in ("Annaa", "Annab", "mail.example", "+49", "3704", "123-45", "99991111"):
        assert secret not in shown
    assert "quantiles 20" in shown
    assert "'ill'" in shown
    assert "but no cell of FirstName (name)" in disclosure.says(with_rows=True)


def test_a_prompt_is_shown_without_the_cells_of_its_row(tmp_path: Path) -> None:
    disclosure, table = sight_of(tmp_path, PEOPLE, "samples")
    text = "FirstName: Annac, contact: anna.2@mail.example, age: 22"
    assert disclosure.clean(text, table.loc[2]) == "FirstName: [name], contact: [e-mail], age: 22"


@pytest.mark.parametrize(("level", "has_types", "has_rows"), [("names", False, False), ("profile", True, False)])
def test_the_user_decides_how_much_is_shown(tmp_path: Path, level: str, has_types: bool, has_rows: bool) -> None:
    disclosure, table = sight_of(tmp_path, PEOPLE, level)
    assert ("numeric" in disclosure.columns()) == has_types
    assert ("yes" in disclosure.columns()) == has_types
    assert (disclosure.rows(table) is not None) == has_rows
    assert "some rows" not in disclosure.says(with_rows=True)


def test_wide_tables_and_long_cells_are_cut(tmp_path: Path) -> None:
    wide = pd.DataFrame({f"measurement_of_{index}": ["a" * 5000, "b" * 5000] * 5 for index in range(400)})
    disclosure, table = sight_of(tmp_path, wide, "samples")
    assert len(disclosure.columns()) + len(str(disclosure.rows(table))) < 13_000
    assert "more" in disclosure.columns()

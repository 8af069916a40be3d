"""Cells that a spreadsheet would compute: guarded in every CSV that people open, and read back as they were."""

import csv
import io
import random
import re

import pytest

from loramake.spreadsheet import escape_formula, original, write_csv
from tests.conftest import ROOT
from tests.hang import ends_within


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "  =1",
        "\x00=1",
        "\ufeff=1",
        "\u200b=1",
        "\xad=1",
        "\uff1d1+1",
        '=HYPERLINK("http://x")',
        "-",
        "--5",
        "+-3",
        "-3.5x",
    ],
)
def test_a_cell_that_a_spreadsheet_would_compute_begins_with_an_apostrophe(cell: str) -> None:
    assert escape_formula(cell) == f"'{cell}"


@pytest.mark.parametrize("sign", ["\t", "\r", "\n"])
def test_a_formula_behind_a_sign_that_parts_cells_has_an_apostrophe_before_both(sign: str) -> None:
    assert escape_formula(f"{sign}=1") == f"'{sign}'=1"


@pytest.mark.parametrize("cell", ["-3.5", "+4", "-1e-5", "-1,234.50", "-1.234,5", "-12%", "3", "", "a=b", "x-y", "é@b"])
def test_numbers_and_ordinary_text_stay_as_they_are(cell: str) -> None:
    assert escape_formula(cell) == cell


@pytest.mark.parametrize("cell", ["a;=1+1", 'a;"=1+1', "a;\n@x", "a\t+b()", "a\n=1"])
def test_a_formula_behind_a_sign_that_parts_cells_elsewhere_is_harmless_too(cell: str) -> None:
    """A spreadsheet that parts cells at semicolons begins one there, whatever quotes are around them."""
    told = escape_formula(cell)
    assert told != cell
    assert told.replace("'", "") == cell
    for part in told.replace("\t", ";").replace("\n", ";").split(";"):
        assert part.strip(' "')[:1] not in set("=+-@")


def test_what_is_written_is_read_back_as_it_was() -> None:
    chance = random.Random(0)
    for _ in range(20_000):
        cell = "".join(chance.choices("=+-@'\" ;|\t\r\nab1.,\uff1d", k=chance.randint(0, 6)))
        assert original(escape_formula(cell)) == cell


def test_a_set_of_texts_is_one_cell_none_of_whose_parts_is_computed() -> None:
    assert escape_formula(["=a", "b", "@c"]) == "'=a | b | '@c"
    assert original("'=a | b | '@c") == "=a | b | @c"
    assert escape_formula(["-1", "1"]) == "-1 | 1"
    assert escape_formula([]) == ""


def test_numbers_stay_numbers_and_half_a_pair_of_utf_16_is_replaced() -> None:
    out = io.StringIO()
    write_csv(out, [[-0.5, 1e-05, None, True, "a\ud800", "-0.5"]])
    out.getvalue().encode()
    assert next(csv.reader([out.getvalue()])) == ["-0.5", "1e-05", "", "True", "a\ufffd", "-0.5"]


@pytest.mark.parametrize("unit", ["\n", "'", " '", "\n'", ";=", "1 ", '"', "| \t"])
def test_a_long_cell_takes_no_longer_than_its_length(unit: str) -> None:
    with ends_within(30):
        for cell in (unit * 500_000, unit * 500_000 + "x"):
            assert original(escape_formula(cell)) == cell


def test_no_other_module_writes_a_csv_of_its_own() -> None:
    """Those of splits and preparation are read by programs alone, and features.py guards its names itself."""
    writes = re.compile(r"csv\.writer|DictWriter|\.to_csv\(")
    modules = {path.name for path in (ROOT / "loramake").rglob("*.py") if writes.search(path.read_text("utf-8"))}
    assert modules == {"spreadsheet.py", "splits.py", "execution.py", "features.py"}

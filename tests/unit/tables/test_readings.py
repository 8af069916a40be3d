"""How a column is read: one test of outcomes over what people's tables contain."""

from typing import Any

import pandas as pd
import pytest

from loramake.errors import DataError
from loramake.explore.column_notes import describe_reading
from loramake.explore.profile import describe_csv, profile_column
from loramake.parsing.yaml_text import parse_yaml
from loramake.tables.readings import Declared, Reading, find_reading
from loramake.tables.source import read_columns


def column(cells: list[str | None], name: str = "x") -> "pd.Series[Any]":
    return pd.Series(cells, name=name, dtype=object)


def read(cells: list[str | None], name: str = "x") -> tuple[str, list[str | None]]:
    """The type of a column, and its cells as they are read."""
    cells = [cell or None for cell in cells]
    reading = find_reading(column(cells, name))
    return reading.kind, reading.read(column(cells, name)).tolist()


@pytest.mark.parametrize(
    ("cells", "plain"),
    [
        (["$1,234.56", "$20", "-$5.00"], ["1234.56", "20", "-5.00"]),
        (["US$ 5", "US$ 6.5"], ["5", "6.5"]),
        (["1.234,56 €", "2 €"], ["1234.56", "2"]),
        (["1234.56 EUR", "7 EUR"], ["1234.56", "7"]),
        (["CHF 1'200", "CHF 3"], ["1200", "3"]),
        (["12.3%", "4 %"], ["12.3", "4"]),
        (["12.3%", "0.04"] * 5, None),
        (["1,00,000", "1,500"], ["100000", "1500"]),
        (["12.3 kg", "4kg", "5 KG"], ["12.3", "4", "5"]),
        (["3 km/h", "5 km/h"], ["3", "5"]),
        (["21.5°C", "-3 °C"], ["21.5", "-3"]),
        (["\u22127.2", "3"], ["-7.2", "3"]),
        (["(123)", "45"], ["-123", "45"]),
        (["($1,200.50)", "$3"], ["-1200.50", "3"]),
        (["12-", "13"], ["-12", "13"]),
        (["<40", "50.5", ">90", "≤ 3"], ["40", "50.5", "90", "3"]),
        (["10,000+", "5,000+"], ["10000", "5000"]),
        (["~5", "6.5"], ["5", "6.5"]),
        (["1 234", "5\u202f600"] * 5, None),
        (["1:02:03", "0:00:30", "2 days, 0:00:01"], ["3723", "30", "172801"]),
        (["58:12", "1:02:45", "1:10:00"], ["3492", "3765", "4200"]),
        (["2h 15m", "45m", "2h"], ["8100", "2700", "7200"]),
        (["\u0663", "\uff11\uff12"], ["3", "12"]),
        (["14:30", "2:05"], ["52200", "7500"]),
        (["2:30 PM", "12:05 am"], ["52200", "300"]),
        (["1h 30m", "45m 10s"], ["5400", "2710"]),
        (["PT1H30M", "PT5M"], ["5400", "300"]),
        (["12 kg", "20 lb"] * 5, None),
        (["<18", "18+"], None),
        (["950", "1.2k", "3k"], None),
        (["P1M", "P12M"], None),
        (["192.168.10.134", "10.94.80.101"], None),
        (["1.12.110", "2.3.140"], None),
        (["1.2.10", "4.5.11"], None),
        (["Q1", "Q2", "Q3"], None),
        (["1st", "2nd", "3rd"], None),
        (["A12", "B7"], None),
        (["1/2", "3/4"], None),
        (["192.168.0.1", "10.0.0.2"], None),
        (["10-20", "20-30"], None),
    ],
)
def test_numbers_are_read_in_the_formats_people_write_them(cells: list[str | None], plain: list[str] | None) -> None:
    kind, texts = read([*cells, *cells])
    assert (kind, texts[: len(cells)]) == (("numeric", plain) if plain else ("categorical", cells))


@pytest.mark.parametrize(
    ("cells", "iso"),
    [
        (["2023-01-01", "02/02/2023", "3 Mar 2023"], ["2023-01-01", "2023-02-02", "2023-03-03"]),
        (["01-Feb-2023", "March 3rd, 2023", "Fri, 5 May 2023"], ["2023-02-01", "2023-03-03", "2023-05-05"]),
        (["13/07/2023", "03/07/2023"], ["2023-07-13", "2023-07-03"]),
        (["07/13/2023", "07/03/2023"], ["2023-07-13", "2023-07-03"]),
        (["3.7.2023", "12.07.23"], ["2023-07-03", "2023-07-12"]),
        (["2023/7/3", "2023.07.04"], ["2023-07-03", "2023-07-04"]),
        (["20230131", "20230201"], ["2023-01-31", "2023-02-01"]),
        (["2023-01-31T10:30:00Z", "2023-02-01 01:00+02:00"], ["2023-01-31 10:30:00", "2023-01-31 23:00:00"]),
        (["1/31/2023 2:30 PM", "2/1/2023 12:00 AM"], ["2023-01-31 14:30:00", "2023-02-01"]),
        (["2023-01", "Feb 2023"], ["2023-01-01", "2023-02-01"]),
    ],
)
def test_dates_are_read_in_the_formats_people_write_them(cells: list[str | None], iso: list[str]) -> None:
    assert read([*cells, *cells]) == ("date", [*iso, *iso])


def test_one_bad_cell_does_not_spoil_a_column_of_dates_and_of_numbers() -> None:
    assert read(["2023-01-01"] * 50 + ["soon", "2023-02-30"]) == ("date", ["2023-01-01"] * 50 + ["soon", "2023-02-30"])
    assert read(["$1", "$2"] * 25 + ["free"])[0] == "numeric"
    assert read(["2023-01-01"] * 5 + ["soon"] * 5)[0] == "categorical"


@pytest.mark.parametrize(
    "word",
    ["-", "--", ".", "n.a.", "n/a", "N/A", "#N/A", "<NA>", "None", "NaN", "missing", "Unknown", "NULL", "?", "\u2014"],
)
def test_a_word_for_a_missing_number_is_missing_and_counted(word: str) -> None:
    cells = [word if i % 4 == 0 else f"{i}.5" for i in range(100)]
    described = profile_column(column(cells))
    assert (described["type"], described["missing"]) == ("numeric", 25)
    assert described["missing_words"] == [{"value": word, "rows": 25}]


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        (["NA", "ZA", "BW", "KE"] * 25, ["NA"]),
        (["None", "mild", "severe"] * 30, ["None"]),
        (["null", "yes"] * 50, ["null"]),
        (["NA", *["ZA", "BW"] * 100], []),
        (["?", "ZA", "BW"] * 30, []),
        (["+", "-"] * 30, []),
        (["unknown", "ZA", "BW"] * 30, []),
    ],
)
def test_a_doubtful_word_with_a_real_share_stays_a_category(cells: list[str | None], kept: list[str]) -> None:
    described = profile_column(column(cells))
    missing = [cell for cell in cells if cell in ("NA", "None", "null", "?") and cell not in kept]
    assert (described["type"], described["kept_words"], described["missing"]) == ("categorical", kept, len(missing))


@pytest.mark.parametrize(
    ("cells", "name", "kind"),
    [
        ([f"{i * 7919 % 89977 + 10}" for i in range(60)], "x", "id"),
        ([f"{i * 7919 % 89977 + 10}" for i in range(60)] + [None], "x", "numeric"),
        ([f"{i * 7919 % 89977 + 10}" for i in range(60)] + [None], "user_id", "id"),
        ([f"{i * 7919 % 89977 - 900}" for i in range(60)], "x", "numeric"),
        ([f"${i * 7919 % 89977}" for i in range(60)], "x", "numeric"),
        (["02134", "00501", "10001", "94105"] * 9, "zip", "categorical"),
        (["007.1", "012.4"] * 9, "x", "categorical"),
        (["5", "05", *map(str, range(300))] * 2, "x", "numeric"),
        (["0", "1", "0.0", "1.0"] * 9, "x", "boolean"),
        (["yes", "no", "Y", "N", "TRUE", "FALSE", "1", "0"] * 9, "x", "boolean"),
        (["0.5", "0.25"] * 9, "x", "numeric"),
    ],
)
def test_ids_codes_and_flags_are_what_a_person_would_call_them(cells: list[str | None], name: str, kind: str) -> None:
    assert find_reading(column(cells, name)).kind == kind


def test_all_words_of_a_flag_become_the_most_frequent_pair() -> None:
    kind, cells = read(["yes", "yes", "no", "no", "Y", "FALSE", "1", None] * 3)
    assert (kind, cells[:8]) == ("boolean", ["yes", "yes", "no", "no", "yes", "no", "yes", None])


def test_accents_typed_in_two_ways_are_one_category(tmp_path: Any) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "Zu\u0308rich,1\nZ\u00fcrich,2\nBern,3\n" * 5, encoding="utf-8")
    assert describe_csv(path, None)["columns"][0]["distinct"] == 2


def test_a_declared_type_wins_and_is_refused_where_no_cell_has_it() -> None:
    codes = column(["02134", "00501"] * 5, "zip")
    assert find_reading(codes, Declared("numeric")).kind == "numeric"
    assert find_reading(column(["1", "2"] * 5), Declared("category")).kind == "categorical"
    assert find_reading(column(["a b", "c"] * 5), Declared("text")).kind == "text"
    assert find_reading(column(["1", "2"] * 5), Declared("id")).kind == "id"
    few = find_reading(column(["2024-01-31", "x", "y"]), Declared("date"))
    assert few.read(column(["31 Jan 2024", "x"])).tolist() == ["2024-01-31", "x"]
    with pytest.raises(DataError, match=r"column_types: x is numeric, but hardly any cell is a number \('a'\)"):
        find_reading(column(["a"] * 5), Declared("numeric"))
    with pytest.raises(DataError, match="column_types: x is date, but hardly any cell is a date"):
        find_reading(column(["a"] * 5), Declared("date"))


def test_listed_words_replace_the_usual_ones() -> None:
    cells = ["0", "0.0", "5.5", "-", "7.25"] * 4
    reading = find_reading(column(cells), Declared(missing=["0"]))
    assert reading.read(column(cells))[:5].tolist() == [None, None, "5.5", "-", "7.25"]
    assert find_reading(column(["ok", "N/K", "n/k"]), Declared(missing=["n/k"])).is_missing(
        pd.Index(["N/K", "NA"])
    ).tolist() == [True, False]


def test_a_profile_reads_other_tables_as_it_read_its_own(tmp_path: Any) -> None:
    path = tmp_path / "t.csv"
    rows = '"$1,000.00",13/07/2023,Y\n-,01/07/2023,N\n$5,02/07/2023,yes\n'
    path.write_text("pay,day,flag\n" + rows * 5, encoding="utf-8")
    readings = {entry["name"]: Reading.of(entry) for entry in describe_csv(path, None)["columns"]}
    other = pd.DataFrame({"DAY ": ["03/07/2023"], "pay": ["7,000"], "flag": ["1"], "more": ["-"]}, dtype=object)
    assert read_columns(other, readings).iloc[0].tolist() == ["2023-07-03", "7000", "Y", "-"]


def test_numbers_among_many_words_and_words_among_many_numbers_are_weighed_by_their_cells() -> None:
    words = [f"see note {i % 150}" for i in range(450)]
    prices: list[str | None] = [f"${i:,}.25" for i in range(6000)]
    assert find_reading(column([*words, *prices])).kind == "numeric"
    described = profile_column(column([*(f"{i}.5" for i in range(85)), *["refused"] * 15]))
    assert (described["type"], described["warnings"]) == (
        "categorical",
        ["85 of 100 cells are numbers, too few for a column of numbers; if it is one, set column_types: {x: numeric}"],
    )


def test_a_target_keeps_its_own_words() -> None:
    for cells in (
        ["<=50K", ">50K"],
        ["10 mg", "20 mg"],
        ["1st", "4th"],
        ["none", "1"],
        ["0:30", "1:00"],
        ["Yes", "YES"],
    ):
        written = column(cells * 20)
        assert find_reading(written).as_words().read(written).tolist() == cells * 20


def test_a_listed_number_is_missing_in_whatever_format() -> None:
    cells = ["$0.00", *(f"${i}.50" for i in range(20, 40))]
    reading = find_reading(column(cells), Declared(missing=["0"]))
    assert reading.read(column(cells)).isna().tolist() == [True] + [False] * 20
    days = ["01/01/1900", *(f"{i}/05/2023" for i in range(13, 28))]
    assert find_reading(column(days), Declared(missing=["1900-01-01"])).read(column(days)).isna().sum() == 1


def test_a_setting_in_a_note_is_yaml_whatever_the_name() -> None:
    zeros = ["0"] * 10 + [str(number) for number in range(50, 90)]
    (warning,) = profile_column(column(zeros, "weight, kg"))["warnings"]
    assert parse_yaml(warning.partition("set ")[2]) == {"missing_values": {"weight, kg": [0]}}
    names = profile_column(column(["null", "a", "b"] * 9, "#id"))
    (note,) = describe_reading(names)
    assert parse_yaml(note.partition("set ")[2]) == {"missing_values": {"#id": ["null"]}}

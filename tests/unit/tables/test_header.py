from pathlib import Path

import pytest

from loramake.errors import DataError
from loramake.tables.reading import read_table, sniff
from tests.conftest import ROOT

EVERYDAY = ROOT / "tests/everyday"
NAMES = ["age", "visits", "colour", "outcome"]
HEADER = ",".join(NAMES) + "\n"
ROWS = [f"{20 + i}.{i % 7},{i % 5},{'red' if i % 3 else 'blue'},{'yes' if i % 2 else 'no'}\n" for i in range(40)]
BODY = "".join(ROWS)


@pytest.mark.parametrize("case", ["01-excel-sep-line", "02-unnamed-index", "03-comment-lines"])
def test_everyday_tables_are_read_without_what_stands_around_them(case: str) -> None:
    table = read_table(EVERYDAY / case / "t.csv")
    assert (list(table.columns), len(table), table["age"][0]) == (NAMES, 120, "65.5")


def test_an_everyday_table_without_a_header_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"line 1 looks like data, not like the names of columns \(65\.5, 1, green, …\)"
    ):
        sniff(EVERYDAY / "13-no-header/t.csv")


def table_of(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize(
    ("above", "lines"),
    [
        ("sep=,\n", 1),
        ('"sep=,"\r\n', 1),
        ("# exported by tool 3.1\n# 2024-05-01, 10:00, site B\n", 2),
        ("# a, b, c, d\n", 1),
        ("Sales report 2024\nDepartment: X, Y\n\n", 3),
        ("Report 2024,,,\n,,,\n", 2),
        ("\n\n", 2),
        ("", 0),
    ],
)
def test_lines_above_the_header_are_skipped(tmp_path: Path, above: str, lines: int) -> None:
    path = table_of(tmp_path, above + HEADER + BODY)
    table = read_table(path)
    assert sniff(path).lines_above == lines
    assert (list(table.columns), len(table), table["age"][0]) == (NAMES, 40, "20.0")


def test_a_first_line_sep_decides_on_the_delimiter(tmp_path: Path) -> None:
    path = table_of(tmp_path, "sep=;\nage;city\n" + "".join(f"{i},5;a, b\n" for i in range(9)))
    assert read_table(path)["city"].tolist() == ["a, b"] * 9
    with pytest.raises(DataError, match=r"line 1: ':' separates cells: separate them by commas"):
        sniff(table_of(tmp_path, "sep=:\na:b\n1:2\n"))


def test_an_error_below_skipped_lines_names_the_line_of_the_file(tmp_path: Path) -> None:
    path = table_of(tmp_path, "sep=,\n# a title\n" + HEADER + BODY + "Total: 40\n")
    with pytest.raises(DataError, match=r"line 44: 1 cells where the header has 4: .* a note or a total"):
        read_table(path)


@pytest.mark.parametrize("first", ["#age", "#"])
def test_a_name_may_begin_with_a_number_sign(tmp_path: Path, first: str) -> None:
    path = table_of(tmp_path, f"{first},visits,colour,outcome\n{BODY}")
    assert (read_table(path).columns[0], len(read_table(path))) == (first, 40)


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        "# a comment\n" + BODY,
        "".join(f"{i + 20}, State-gov, {i * 7}, {'Male' if i % 2 else 'Female'}, <=50K\n" for i in range(40)),
        "".join(f"{1000 + i},{i % 10},{i * 7 % 10},{2 + i % 2 * 2}\n" for i in range(40)),
    ],
)
def test_a_table_without_a_header_is_refused_and_no_row_becomes_its_names(tmp_path: Path, body: str) -> None:
    line = 2 if body.startswith("#") else 1
    with pytest.raises(DataError, match=f"line {line} looks like data, not like the names of columns"):
        sniff(table_of(tmp_path, body))


@pytest.mark.parametrize(
    "header",
    ["country,2019,2020,2021", "country,1990,2000,2005", "country,2019-01,2019-02,2019-03", "0,1,2,target", "0,1,2,3"],
)
def test_years_months_and_numbers_that_count_up_are_names(tmp_path: Path, header: str) -> None:
    path = table_of(tmp_path, header + "\n" + "".join(f"c{i},{i * 1.5},{i},{2000 + i}\n" for i in range(40)))
    assert list(read_table(path).columns) == header.split(",")


def test_known_names_are_a_header_whatever_they_look_like(tmp_path: Path) -> None:
    path = table_of(tmp_path, "5.5\n" + "".join(f"{i}.5\n" for i in range(9)))
    with pytest.raises(DataError, match="line 1 looks like data"):
        sniff(path)
    assert sniff(path, ["5.5"]).lines_above == 0


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2,3\n4,5,6\n7,8,9\n",
        HEADER + "".join(f"{i},{row}" for i, row in enumerate(ROWS)),  # R's write.table
        "My table\nname,city\n" + "".join(f"n{i}x,{i}th\n" for i in range(40)),
    ],
)
def test_a_first_line_of_another_width_that_nothing_proves_a_title_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"line 1: . cells where the lines below have .: delete it if it is a title"):
        sniff(table_of(tmp_path, text))


def test_row_numbers_without_a_name_are_left_out(tmp_path: Path) -> None:
    for name in ("", '""'):
        path = table_of(tmp_path, f"{name},{HEADER}" + "".join(f"{7 * i % 41},{row}" for i, row in enumerate(ROWS)))
        assert sniff(path).unnamed_columns == (1,)
        assert list(read_table(path).columns) == NAMES
        assert read_table(path)["age"][0] == "20.0"


@pytest.mark.parametrize("cell", ["car {}", "1", "{}.5"])
def test_a_column_without_a_name_that_does_not_number_rows_is_refused(tmp_path: Path, cell: str) -> None:
    path = table_of(tmp_path, f",{HEADER}" + "".join(f"{cell.format(i)},{row}" for i, row in enumerate(ROWS)))
    with pytest.raises(DataError, match="line 1: column 1 has no name"):
        read_table(path)


def test_empty_columns_without_a_name_are_left_out_until_a_cell_is_in_one(tmp_path: Path) -> None:
    rows = "".join(f",{i},,{'y' if i % 2 else 'n'}\n" for i in range(260))
    assert list(read_table(table_of(tmp_path, f",age,,outcome\n{rows}")).columns) == ["age", "outcome"]
    with pytest.raises(DataError, match=r"line 262: 'note' is in column 3, which has no name"):
        read_table(table_of(tmp_path, f",age,,outcome\n{rows},1,note,y\n"))


def test_a_header_that_is_repeated_below_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 42 repeats the header"):
        read_table(table_of(tmp_path, HEADER + BODY + HEADER + BODY))


def test_a_row_that_equals_a_header_of_numbers_is_a_row(tmp_path: Path) -> None:
    assert len(read_table(table_of(tmp_path, "0,1\n" + "0,1\n1,0\n" * 9))) == 18


def test_blank_lines_are_not_rows_and_rows_of_empty_cells_are(tmp_path: Path) -> None:
    path = table_of(tmp_path, HEADER + ROWS[0] + ",,,\n" + ROWS[1] + "\n  \n,,,\n")
    assert read_table(path)["visits"].tolist() == ["0", None, "1", None]

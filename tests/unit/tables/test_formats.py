import gzip
import importlib.util
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loramake.errors import ConfigError, DataError
from loramake.tables.reading import Dialect, read_table, records_of, sniff

CELLS = {
    "whole": ["1", None, "3"],
    "huge": ["9007199254740993", None, "1"],
    "part": ["0.5", "2", None],
    "flag": ["True", "False", "True"],
    "day": ["2024-01-31", "2024-02-01", None],
    "time": ["2024-01-31 10:30:00", "2024-02-01 11:00:00", None],
    "kind": ["a", "b", None],
    "text": ["007", 'x, "y"\nz', "ü"],
}


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "whole": [1.0, None, 3.0],
            "huge": pd.array([9007199254740993, None, 1], dtype="Int64"),
            "part": [0.5, 2.0, None],
            "flag": [True, False, True],
            "day": pd.to_datetime(["2024-01-31", "2024-02-01", None]),
            "time": pd.to_datetime(["2024-01-31 10:30", "2024-02-01 11:00", None]),
            "kind": pd.Categorical(["a", "b", None]),
            "text": ["007", 'x, "y"\nz', "ü"],
        }
    )


def cells_of(path: Path) -> dict[str, list[Any]]:
    table = read_table(path)
    return {str(name): table[name].tolist() for name in table.columns}


def write(table: pd.DataFrame, path: Path, **options: Any) -> Path:
    writer = {".parquet": table.to_parquet, ".xlsx": table.to_excel, ".json": table.to_json, ".gz": table.to_csv}
    writer[path.suffix](path, **options)
    return path


@pytest.mark.parametrize("name", ["t.parquet", "t.xlsx"])
def test_typed_cells_are_the_text_of_a_csv(tmp_path: Path, name: str) -> None:
    path = write(frame().drop(columns="huge") if name == "t.xlsx" else frame(), tmp_path / name)
    assert cells_of(path) == {key: cells for key, cells in CELLS.items() if key != "huge" or name != "t.xlsx"}


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_json_is_a_table_of_objects(tmp_path: Path, lines: bool, packed: bool) -> None:
    text = frame().drop(columns=["day", "time"]).to_json(orient="records", lines=lines)
    data = text.replace('{"whole":1.0,', '{"more":null,"whole":1.0,').encode()
    path = tmp_path / "t.txt"
    path.write_bytes(gzip.compress(data) if packed else data)
    expected = {key: cells for key, cells in CELLS.items() if key not in ("day", "time")}
    assert cells_of(path) == {"more": [None, None, None], **expected}
    assert sniff(path) == Dialect(
        format="jsonl" if lines else "json", compression="gzip" if packed else None, unnamed_columns=()
    )


def test_a_compressed_csv_is_read_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress("sep=;\nname;größe\na;1,5\nb;2,5\n".encode("latin-1")))
    assert sniff(path) == Dialect("latin-1", ";", compression="gzip", lines_above=1)
    assert cells_of(path) == {"name": ["a", "b"], "größe": ["1,5", "2,5"]}


def test_what_unpacks_to_far_more_than_its_size_or_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 30_000_000))
    with pytest.raises(DataError, match="unpacks to more than"):
        sniff(path)
    path.write_bytes(gzip.compress(b"a,b\n1,2\n")[:-4])
    with pytest.raises(DataError, match="is a damaged gzip file"):
        sniff(path)


def test_a_workbook_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path: Path) -> None:
    path = write(frame(), tmp_path / "t.xlsx")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/more.xml", b" " * 100_000_000)
    with pytest.raises(DataError, match="unpacks to more than"):
        sniff(path)


def test_the_index_of_a_frame_is_left_out_if_it_numbers_rows_and_a_column_if_it_is_named(tmp_path: Path) -> None:
    numbered = frame()[["whole", "kind"]].iloc[[2, 0]]
    for name in ("t.parquet", "t.xlsx"):
        assert cells_of(write(numbered, tmp_path / name)) == {"whole": ["3", "1"], "kind": [None, "a"]}
    named = write(frame()[["whole", "kind"]].set_index("kind"), tmp_path / "named.parquet")
    assert cells_of(named) == {"kind": ["a", "b", None], "whole": ["1", None, "3"]}


def test_titles_and_empty_rows_of_a_sheet_are_skipped_and_its_rows_are_numbered_as_in_excel(tmp_path: Path) -> None:
    table = pd.DataFrame({"age": [40, 41, None, 43], "outcome": ["yes", "no", None, "yes"]})
    path = write(table, tmp_path / "t.xlsx", index=False, startrow=3, startcol=1)
    from openpyxl import load_workbook

    workbook = load_workbook(path)
    workbook.active["B1"] = "Report 2024"
    workbook.create_sheet("empty")
    workbook.save(path)
    dialect = sniff(path)
    assert (dialect.lines_above, dialect.unnamed_columns) == (3, (1,))
    assert cells_of(path) == {"age": ["40", "41", "43"], "outcome": ["yes", "no", "yes"]}
    assert [line for line, _ in records_of(path, dialect)] == [4, 5, 6, 8]


def test_several_sheets_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    with pd.ExcelWriter(path) as writer:
        frame().to_excel(writer, sheet_name="one")
        frame().to_excel(writer, sheet_name="two")
    with pytest.raises(DataError, match=r"has 2 sheets \(one, two\): save the one to use"):
        sniff(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"a":{"0":1},"b":{"0":2}}', "line 1: column 1 contains an object: .* one object for each row"),
        ('[{"a":[1,2]}]', "line 1: column 1 contains a list"),
        ('[{"a":1},3]', "object 2 is not a JSON object but a int"),
        ("[[1,2],[3,4]]", "object 1 is not a JSON object but a list"),
        ('{\n "a": 1\n}', "is a JSON object, not a list"),
        ('{"a":1}\n{"a":\n', "line 2 is not valid JSON"),
        ('{"a":1}\n{"a":1,"a":2}\n', "line 2 has the column 'a' more than once"),
        ('[{"a":"\\u0000"}]', "line 1: column 1 contains a character that no text file can"),
        ("<html><table>", "is a web page"),
        ("BZh91AY", "is compressed by bzip2"),
    ],
)
def test_what_is_not_a_table_is_refused_in_one_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=sentence) as caught:
        read_table(path)
    assert str(caught.value).startswith(str(path))


def test_nested_cells_and_damaged_files_are_refused(tmp_path: Path) -> None:
    nested = write(frame().assign(tags=[[1], [2], [3]]), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="the column 'tags' contains lists or structures"):
        sniff(nested)
    nested.write_bytes(nested.read_bytes()[:-9])
    with pytest.raises(DataError, match="is a damaged Parquet file"):
        sniff(nested)
    sheet = tmp_path / "t.xlsx"
    with zipfile.ZipFile(sheet, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook")
    with pytest.raises(DataError, match="cannot be read as an Excel workbook"):
        sniff(sheet)


@pytest.mark.parametrize(("name", "package"), [("t.parquet", "pyarrow"), ("t.xlsx", "openpyxl")])
def test_a_missing_package_is_named_with_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    path = write(frame(), tmp_path / name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    with pytest.raises(ConfigError, match=rf"needs {package}, .* -m pip install 'loramake\[formats\]'"):
        sniff(path)

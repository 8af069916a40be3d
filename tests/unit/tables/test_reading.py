import os
from pathlib import Path

import pytest

from loramake.errors import DataError
from loramake.tables.reading import Dialect, align_names, read_table, sniff


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("encoding", "detected"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("latin-1", "latin-1")]
)
def test_delimiter_and_encoding_are_detected(tmp_path: Path, delimiter: str, encoding: str, detected: str) -> None:
    path = tmp_path / "t.csv"
    lines = [["Größe", "Text", "y"], ["1,5", '"a, b; c"', "ja"], ["2,5", "é", "nein"]]
    path.write_bytes("\n".join(delimiter.join(line) for line in lines).encode(encoding))
    if delimiter == ",":
        path.write_bytes('Größe,Text,y\n1.5,"a, b; c",ja\n2.5,é,nein\n'.encode(encoding))
    assert sniff(path) == Dialect(detected, delimiter)
    table = read_table(path)
    assert list(table.columns) == ["Größe", "Text", "y"]
    assert table["Text"].tolist() == ["a, b; c", "é"]


def test_cells_are_stripped_text_and_blank_ones_none(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n 007 ,NA\n1e3,  \n?,x\n", encoding="utf-8")
    table = read_table(path)
    assert table["a"].tolist() == ["007", "1e3", "?"]
    assert table["b"].tolist() == ["NA", None, "x"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"a,b\n", "has a header and no rows"),
        (b"a,a\n1,2\n", "column 'a' appears more than once"),
        (b"a,,b\n1,2,3\n", "column 2 has no name"),
        (b"a,b\n1,2\n1,2,3,4\n", "line 3"),
        (b"a,b\n\x00\x01\n", "is not a text file"),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=sentence) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_table(tmp_path / "no.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="is not an ordinary file"):
        read_table(tmp_path / "pipe.csv")


@pytest.mark.parametrize(
    ("content", "line"),
    [("a,b\n1,2\n1,2,3\n", 3), ("a,b\n1,2\n1\n", 3), ('a,b\n"1\n1",2\n1,2,9\n', 4)],
)
def test_a_row_that_is_not_as_wide_as_the_header_is_refused_with_its_line(
    tmp_path: Path, content: str, line: int
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=f"line {line}: . cells where the header has 2"):
        read_table(path)


def test_trailing_delimiters_spaces_after_them_and_blank_lines_are_borne(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'\r\n a , b,\r\n1, "x, y",\r\n\r\n2,z,\r\n')
    table = read_table(path)
    assert list(table.columns) == ["a", "b"]
    assert table["b"].tolist() == ["x, y", "z"]


def test_a_quote_left_open_is_refused_with_its_line_and_a_long_cell_is_not(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,"' + "x" * 300_000 + '"\n', encoding="utf-8")
    assert len(read_table(path)["b"][0]) == 300_000
    for rest in ("", "4,5\n" * 100, "4,5\n" * 5_000_000):
        path.write_text('a,b\n"1\n1",2\n3,"open\n' + rest, encoding="utf-8")
        with pytest.raises(DataError, match=r"t\.csv: line 4: a quote that opens in this row is never closed"):
            read_table(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\x03\x04\x14\x00", "is a zip file, not a table"),
        (b"PAR1\x15\x04", "is a damaged Parquet file"),
        ("a,b\n1,2\n".encode("utf-16"), "is text in UTF-16"),
        (b"a,b\n1,2\n3,\x00\n", r"line 3: byte 0x00 at 10 is NUL"),
        ("a,b\nö,ü\nä,".encode() + b"\xe9\n", r"line 3: byte 0xe9 at 13 is not UTF-8, unlike the rest"),
        (b"a,b\n\x81\x8d,2\n", r"line 2: byte 0x81 at 4 is neither UTF-8 nor Latin-1"),
    ],
)
def test_another_format_or_encoding_is_refused_with_its_byte(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        sniff(path)


def test_windows_text_is_told_from_latin_1_by_its_quotes_and_euro_signs(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("a|b\n5 €|“é”\n".encode("cp1252"))
    assert sniff(path) == Dialect("cp1252", "|")
    assert read_table(path)["b"].tolist() == ["“é”"]


def test_names_that_differ_in_case_or_spaces_only_are_aligned_where_that_is_clear() -> None:
    assert align_names(["AGE ", "blood pressure", "x"], ["Age", "Blood  Pressure"]) == ["Age", "Blood  Pressure", "x"]
    assert align_names(["age", "Age", "AGE"], ["Age"]) == ["age", "Age", "AGE"]
    assert align_names(["A", "a"], ["aA", "A "]) == ["A", "a"]


@pytest.mark.parametrize(
    "content", [b"[]", b"[{}]", b"{}", b";;;\n", b",", b"\t\n\t\n", b"\n\n", b" ", b"\xef\xbb\xbf"]
)
def test_a_file_without_names_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"t\.csv has no names of columns: it needs a header line and rows"):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize("header", ["weight, kg;height, m;ill", "age;income, EUR;ill", "last, first;age;ill"])
def test_commas_in_a_header_do_not_beat_the_semicolon(tmp_path: Path, header: str) -> None:
    rows = "".join(f"5{i % 9},0;1,{i % 9}0;{'ab'[i % 2]}\n" for i in range(30))
    (tmp_path / "t.csv").write_text(f"{header}\n{rows}", encoding="utf-8")
    assert list(read_table(tmp_path / "t.csv").columns) == header.split(";")

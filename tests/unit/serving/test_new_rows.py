"""Sources of new rows, read in batches."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest

from loramake.errors import DataError
from loramake.serving.columns import Columns
from loramake.serving.new_rows import Rows, open_json_lines, open_objects, open_standard_input, open_table
from loramake.tables.numbers import NumberStyle
from loramake.tables.readings import Reading
from loramake.tables.types import Flags

COLUMNS = Columns(
    features=("age", "size", "ward", "smokes", "seen"),
    others=("id",),
    target="ill",
    readings={
        "age": Reading("numeric", NumberStyle()),
        "size": Reading("numeric", NumberStyle(",")),
        "ward": Reading("categorical"),
        "smokes": Reading("boolean", flags=Flags("TRUE", "FALSE")),
        "seen": Reading("categorical"),
    },
)
ROW = {"age": 40, "size": 1.5, "ward": 2, "smokes": True, "seen": "2024-01-31"}


HEADER = "size;age;ward;smokes;seen;mood\n"


def csv_of(folder: Path, rows: int) -> Path:
    lines = (f'1,5;{row};1.0;TRUE;"x;{row}\nline";good\n' for row in range(rows))
    path = folder / "new.csv"
    path.write_text(HEADER + "".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_batches_of_any_size_are_the_same_rows_in_their_order(tmp_path: Path, size: int) -> None:
    rows = open_table(csv_of(tmp_path, 7), COLUMNS)
    assert (rows.count, rows.form) == (7, "csv")
    assert "mood" in rows.names
    batches = list(rows.batches(size))
    assert [len(batch.cells) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    whole = pd.concat([batch.cells for batch in batches], ignore_index=True)
    assert whole["age"].tolist() == [str(row) for row in range(7)]
    assert whole["seen"].tolist() == [f"x;{row}\nline" for row in range(7)]


def test_json_lines_are_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"
    path.write_text("\ufeff" + "".join(json.dumps({**ROW, "age": row}) + "\n\n" for row in range(5)), encoding="utf-8")
    rows = open_json_lines(path, COLUMNS)
    assert (rows.count, rows.form) == (5, "jsonl")
    assert [list(batch.cells["age"]) for batch in rows.batches(2)] == [["0", "1"], ["2", "3"], ["4"]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", r"line 1 is not valid JSON \(.*\): give one object a line, such as"),
        ("[1]", r"line 1 is not a JSON object but a list: give one object a line, .* \(--json takes a list of them\)"),
        ("[\n", r"line 1 is not valid JSON \(.*\): give one object a line, .* \(--json takes a list of them\)"),
        (json.dumps(ROW) + '\n{"age": 1, "age": 2}', "line 2 has the column 'age' more than once: rename or drop"),
        (json.dumps(ROW) + "\n{}", "object 2 lacks the column 'age', which"),
        (json.dumps(ROW) + "\n" + json.dumps({**ROW, "age": []}), "object 2: the column 'age' contains a list"),
        (" \n", "contains no object: give one for each row"),
    ],
)
def test_what_is_wrong_with_json_lines_is_said_before_any_row_is_given(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "new.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=sentence):
        open_json_lines(path, COLUMNS)


def test_json_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"
    path.write_bytes(json.dumps({**ROW, "seen": "caf"}).encode()[:-2] + b'\xe9"}\n')
    with pytest.raises(DataError, match="is not written in UTF-8"):
        open_json_lines(path, COLUMNS)


def test_an_object_and_a_list_of_them_are_rows() -> None:
    assert open_objects(json.dumps(ROW), COLUMNS).count == 1
    assert open_objects(json.dumps([ROW, ROW]), COLUMNS).count == 2
    with pytest.raises(DataError, match=r"--json is not valid JSON .*: give an object, such as .*, or a list of them"):
        open_objects("age=40", COLUMNS)
    with pytest.raises(DataError, match="--json, object 1 is not a JSON object but a int: name its columns"):
        open_objects("40", COLUMNS)
    with pytest.raises(DataError, match="--json has the column 'mood' more than once: rename or drop one of them"):
        open_objects('[{"mood": 1, "age": 3, "mood": 2}]', COLUMNS)


def test_a_csv_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv does not exist: give --csv"):
        open_table(tmp_path / "nowhere.csv", COLUMNS)
    with pytest.raises(DataError, match="has a header and no rows"):
        open_table(csv_of(tmp_path, 0), COLUMNS)


class Pipe:
    """Standard input that is no terminal."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)

    def isatty(self) -> bool:
        return False


def piped(monkeypatch: pytest.MonkeyPatch, folder: Path, content: bytes, form: str | None = None) -> list[Rows]:
    monkeypatch.setattr("sys.stdin", Pipe(content))
    with open_standard_input(COLUMNS, folder, form) as rows:
        list(rows.batches(2))
        return [rows]


def test_standard_input_is_csv_or_json_by_its_first_sign_and_nothing_of_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = csv_of(tmp_path, 3).read_bytes()
    folder = tmp_path / "kept"
    folder.mkdir()
    objects = b"\xef\xbb\xbf \n" + json.dumps(ROW).encode()
    read = piped(monkeypatch, folder, table) + piped(monkeypatch, folder, objects)
    assert [(rows.form, rows.count, rows.where) for rows in read] == [
        ("csv", 3, "standard input"),
        ("jsonl", 1, "standard input"),
    ]
    assert list(folder.iterdir()) == []


def test_what_is_wrong_with_standard_input_is_said_of_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"^standard input lacks the column 'age'"):
        piped(monkeypatch, tmp_path, b"size;ward\n1;2\n")
    with pytest.raises(DataError, match=r"^standard input is empty"):
        piped(monkeypatch, tmp_path, b"")
    with pytest.raises(DataError, match=r"^standard input: line 1 is not valid JSON"):
        piped(monkeypatch, tmp_path, csv_of(tmp_path, 3).read_bytes(), form="jsonl")


@pytest.mark.parametrize("name", ["new.parquet", "new.xlsx", "new.json", "new.jsonl", "new.csv.gz"])
def test_new_rows_in_another_format_are_the_cells_of_training(tmp_path: Path, name: str) -> None:
    table = pd.DataFrame([ROW, {**ROW, "age": None, "smokes": False}])
    path = tmp_path / name
    write = {
        ".parquet": table.to_parquet,
        ".xlsx": table.to_excel,
        ".json": lambda path: table.to_json(path, orient="records"),
        ".jsonl": lambda path: table.to_json(path, orient="records", lines=True),
        ".gz": lambda path: table.assign(age=["40", ""], size=["1,5", "1,5"]).to_csv(path, sep=";"),
    }[path.suffix]
    write(path)
    rows = open_table(path, COLUMNS)
    (batch,) = rows.batches(9)
    assert (rows.count, rows.form) == (2, "jsonl" if ".json" in name else "csv")
    assert batch.cells["size"].tolist() == ["1.5", "1.5"]
    assert batch.cells["age"].tolist() == ["40", None]
    assert batch.cells["smokes"].tolist() == ["TRUE", "FALSE"]


def test_names_of_features_that_look_like_data_are_a_header(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("5.5\n" + "".join(f"{row}.5\n" for row in range(9)), encoding="utf-8")
    columns = Columns(features=("5.5",), others=(), target="y", readings={"5.5": Reading("numeric", NumberStyle())})
    assert open_table(path, columns).count == 9

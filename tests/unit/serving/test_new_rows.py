"""New rows become the cells that the training CSV would have held."""

import datetime
import decimal
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loramake.errors import DataError
from loramake.serving.new_rows import Columns, Rows, open_csv, open_json_lines, open_objects, open_standard_input
from loramake.serving.new_rows import table_of_objects as of_objects
from loramake.tables.reading import read_table
from loramake.text import shorten
from tests.conftest import ROOT

COLUMNS = Columns(
    features=("age", "size", "ward", "smokes", "seen"),
    others=("id",),
    target="ill",
    decimals={"age": ".", "size": ","},
    usual={"ward": frozenset({"1.0", "2.0"}), "smokes": frozenset({"TRUE", "FALSE"}), "seen": frozenset()},
)
ROW = {"age": 40, "size": 1.5, "ward": 2, "smokes": True, "seen": "2024-01-31"}


def cells(**row: Any) -> dict[str, Any]:
    table, _ = of_objects([{**ROW, **row}], COLUMNS, "it")
    return dict(table.iloc[0])


def test_a_value_is_written_as_the_training_csv_wrote_such_values() -> None:
    assert cells() == {"age": "40", "size": "1,5", "ward": "2.0", "smokes": "TRUE", "seen": "2024-01-31"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (40, "40"),
        (40.0, "40"),
        (np.int8(40), "40"),
        (np.float32(0.1), "0.1"),
        (0.1, "0.1"),
        (-0.0, "0"),
        (1e22, "10000000000000000000000"),
        (1e-7, "1e-07"),
        (decimal.Decimal("40.50"), "40.50"),
        (decimal.Decimal("NaN"), None),
        (float("inf"), "inf"),
        (True, "True"),
        (np.False_, "False"),
        (" 40 ", "40"),
        ("3.0", "3.0"),
        (pd.Timestamp("2024-01-31"), "2024-01-31"),
        (datetime.datetime(2024, 1, 31, 12, 30), "2024-01-31 12:30:00"),
        (datetime.date(2024, 1, 31), "2024-01-31"),
        (None, None),
        (float("nan"), None),
        (pd.NA, None),
        (pd.NaT, None),
        ("?", None),
        ("", None),
    ],
)
def test_every_kind_of_cell_becomes_text_or_missing(value: Any, text: str | None) -> None:
    assert cells(age=value)["age"] == text


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, b"40", object()])
def test_what_is_no_single_value_is_refused_with_its_place(value: Any) -> None:
    with pytest.raises(DataError, match=r"it, row 0: the column 'age' contains a \w+: give it one text or one number"):
        cells(age=value)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_text_that_no_file_can_hold_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="row 0: the column 'seen' contains a character that no text file can"):
        cells(seen=text)


def test_a_dataframe_read_with_pandas_own_types_gives_the_cells_of_the_csv() -> None:
    for name in ("penguins", "heart", "titanic"):
        path = ROOT / f"data/{name}.csv"
        text = read_table(path)
        features = tuple(text.columns)
        usual = {column: frozenset(text[column].dropna().value_counts().index[:10]) for column in features}
        numeric = [column for column in features if pd.to_numeric(text[column].dropna(), errors="coerce").notna().all()]
        columns = Columns(
            features, (), "none", dict.fromkeys(numeric, "."), {c: v for c, v in usual.items() if c not in numeric}
        )
        read = columns.as_text(pd.read_csv(path), name)
        for column in features:
            pairs = zip(read[column], text[column], strict=True)
            same = [ours == theirs or float(ours) == float(theirs) for ours, theirs in pairs if ours or theirs]
            assert all(same), (name, column)


def test_a_missing_column_is_named_with_the_nearest_and_an_unknown_one_is_listed() -> None:
    with pytest.raises(DataError, match=r"^it lacks the column 'age' \(did you mean agee\?\), which the model was"):
        COLUMNS.align(["agee", "size", "ward", "smokes", "seen"], "it")
    with pytest.raises(DataError, match="it has the column 'age' more than once"):
        COLUMNS.align(["age", "age", "size", "ward", "smokes", "seen"], "it")
    aligned = COLUMNS.align([" AGE", "size", "ward", "smokes", "seen", "ill", "id", "mood"], "it")
    assert aligned[0] == "age"
    assert COLUMNS.unknown([*aligned, "mood"]) == ["mood"]


def column(name: str, kind: str, cells: dict[str, int], words: int | None = None) -> dict[str, Any]:
    tops = [{"value": shorten(cell), "rows": rows} for cell, rows in cells.items()]
    style = {"decimal": ",", "thousands": None} if kind == "numeric" else None
    return {
        "name": name, "type": kind, "distinct": len(cells), "top_values": tops[:2], "words": words,
        "number_style": style,
    }  # fmt: skip


def test_cells_unlike_all_of_the_training_csv_are_counted_where_it_is_known_what_those_were() -> None:
    long = "a very long category " * 10
    profile = [
        column("size", "numeric", {"1,5": 9, "2": 1, "3": 1}, words=0),
        column("dose", "numeric", {"1": 9, "none": 1}, words=1),
        column("ward", "categorical", {"north": 5, long: 1}),
        column("town", "categorical", {"A": 1, "B": 1, "C": 1}),
        column("seen", "date", {"2024-01-31": 1}),
    ]
    features = [{"name": each["name"], "number_style": each["number_style"]} for each in profile]
    columns = Columns.of({"features": features, "dropped": [], "target": "ill"}, {"columns": profile})
    rows = [
        {"size": 2.5, "dose": "much", "ward": long, "town": "Z", "seen": "never"},
        {"size": "1.5", "dose": None, "ward": "south", "town": None, "seen": None},
        {"size": "inf", "dose": 1, "ward": "South", "town": "A", "seen": None},
        {"size": None, "dose": 1, "ward": None, "town": "A", "seen": None},
    ]
    table, _ = of_objects(rows, columns, "it")
    assert columns.unlike(table) == {"size": 2, "ward": 2}


def test_columns_that_training_dropped_reach_no_prompt() -> None:
    assert "id" not in cells(id="7")


HEADER = "size;age;ward;smokes;seen;mood\n"


def csv_of(folder: Path, rows: int) -> Path:
    lines = (f'1,5;{row};1.0;TRUE;"x;{row}\nline";good\n' for row in range(rows))
    path = folder / "new.csv"
    path.write_text(HEADER + "".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_batches_of_any_size_are_the_same_rows_in_their_order(tmp_path: Path, size: int) -> None:
    rows = open_csv(csv_of(tmp_path, 7), COLUMNS)
    assert (rows.count, rows.form) == (7, "csv")
    assert "mood" in rows.names
    batches = list(rows.batches(size))
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    whole = pd.concat(batches, ignore_index=True)
    assert whole["age"].tolist() == [str(row) for row in range(7)]
    assert whole["seen"].tolist() == [f"x;{row}\nline" for row in range(7)]


def test_json_lines_are_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"
    path.write_text("\ufeff" + "".join(json.dumps({**ROW, "age": row}) + "\n\n" for row in range(5)), encoding="utf-8")
    rows = open_json_lines(path, COLUMNS)
    assert (rows.count, rows.form) == (5, "jsonl")
    assert [list(batch["age"]) for batch in rows.batches(2)] == [["0", "1"], ["2", "3"], ["4"]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", r"line 1 is not valid JSON \(.*\): give one object a line, such as"),
        ("[1]", r"line 1 is not a JSON object but a list: give one object a line, .* \(--json takes a list of them\)"),
        ("[\n", r"line 1 is not valid JSON \(.*\): give one object a line, .* \(--json takes a list of them\)"),
        (json.dumps(ROW) + '\n{"age": 1, "age": 2}', "line 2 has the column 'age' more than once: rename or drop"),
        (json.dumps(ROW) + "\n{}", "row 1 lacks the column 'age', which"),
        (json.dumps(ROW) + "\n" + json.dumps({**ROW, "age": []}), "row 1: the column 'age' contains a list"),
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
    with pytest.raises(DataError, match="--json, row 0 is not a JSON object but a int: name its columns"):
        open_objects("40", COLUMNS)
    with pytest.raises(DataError, match="--json has the column 'mood' more than once: rename or drop one of them"):
        open_objects('[{"mood": 1, "age": 3, "mood": 2}]', COLUMNS)


def test_a_csv_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv does not exist: give --csv"):
        open_csv(tmp_path / "nowhere.csv", COLUMNS)
    with pytest.raises(DataError, match="has a header and no rows"):
        open_csv(csv_of(tmp_path, 0), COLUMNS)


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

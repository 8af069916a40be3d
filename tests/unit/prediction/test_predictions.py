"""Files of predictions as arrays, and which files are refused."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loramake import artifacts
from loramake.errors import ArtifactError
from loramake.prediction.predictions import Scored, name_of, read_scored, scored_lines
from loramake.prediction.run import _score
from loramake.tables.source import sniff_source

LABELS = ["no", "yes", "perhaps"]


def line(row: int, label: str | None, probabilities: list[float], **changed: Any) -> dict[str, Any]:
    by_label = dict(zip(LABELS, probabilities, strict=True))
    said = {"row": row, "source": "csv", "label": label, "predicted": "no", "probabilities": by_label}
    return said | changed


LINES = [line(3, "yes", [0.125, 0.25, 0.625]), line(1, "no", [0.5, 0.25, 0.25], source="test_csv")]


def read(folder: Path, lines: list[dict[str, Any]]) -> Scored:
    artifacts.write(folder / "test.jsonl", lines, "predictions")
    return read_scored(folder / "test.jsonl", LABELS)


def test_a_file_is_read_in_its_order_and_its_labels_in_that_of_the_task(tmp_path: Path) -> None:
    turned = {**LINES[0], "probabilities": dict(reversed(LINES[0]["probabilities"].items()))}
    scored = read(tmp_path, [turned, LINES[1]])
    assert scored.keys == [("csv", 3), ("test_csv", 1)]
    assert scored.truth.tolist() == [1, 0]
    assert scored.probabilities.tolist() == [[0.125, 0.25, 0.625], [0.5, 0.25, 0.25]]


def test_what_is_written_is_what_is_read_and_names_the_most_probable_label(tmp_path: Path) -> None:
    scored = read(tmp_path, LINES)
    written = scored_lines(scored, LABELS)
    assert [entry["predicted"] for entry in written] == ["perhaps", "no"]
    again = read(tmp_path, written)
    assert (again.keys, again.truth.tolist()) == (scored.keys, scored.truth.tolist())
    np.testing.assert_array_equal(again.probabilities, scored.probabilities)


def test_a_file_without_rows_has_a_column_for_each_label(tmp_path: Path) -> None:
    assert read(tmp_path, []).probabilities.shape == (0, 3)


def test_rows_are_selected_by_position_by_key_and_in_the_order_of_their_keys(tmp_path: Path) -> None:
    scored = read(tmp_path, [LINES[1], LINES[0], line(0, "perhaps", [0.0, 0.0, 1.0])])
    assert scored.take([2, 0]).truth.tolist() == [2, 0]
    picked = scored.pick([("csv", 3), ("test_csv", 1)])
    assert (picked.keys, picked.truth.tolist()) == ([("csv", 3), ("test_csv", 1)], [1, 0])
    assert picked.probabilities[0].tolist() == [0.125, 0.25, 0.625]
    assert scored.in_order().keys == [("csv", 0), ("csv", 3), ("test_csv", 1)]


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([*LINES, LINES[0]], "contains row 5 of csv twice"),
        ([line(3, None, [0.5, 0.25, 0.25])], "row 5 of csv has no label"),
        ([line(3, "never", [0.5, 0.25, 0.25])], "row 5 of csv has the label 'never', which is not one of the task's"),
        ([{**LINES[0], "probabilities": {"no": 1, "yes": 0}}], "does not have a probability for each"),
    ],
)
def test_a_file_that_does_not_fit_its_task_is_refused(
    tmp_path: Path, lines: list[dict[str, Any]], complaint: str
) -> None:
    with pytest.raises(ArtifactError) as caught:
        read(tmp_path, lines)
    assert complaint in str(caught.value)


class Echo:
    """A scorer that gives each record the probabilities written in its input."""

    def probabilities(self, records: Any, texts: list[str], advance: Any) -> Any:
        advance(len(records), len(records))
        return np.array([json.loads(record["input"]) for record in records])


def test_records_are_scored_in_their_order_with_the_answer_of_each(tmp_path: Path) -> None:
    records = [
        {"instruction": "?", "input": "[0.75, 0.25]", "output": "YES", "row": 7},
        {"instruction": "?", "input": "[0.5, 0.5]", "output": "NO", "row": 2, "source": "test_csv"},
    ]
    artifacts.write(tmp_path / "test.json", records, "records")
    scored = _score(Echo(), tmp_path / "test.json", ["NO", "YES"], "scoring")  # type: ignore[arg-type]
    assert (scored.keys, scored.truth.tolist()) == ([("csv", 7), ("test_csv", 2)], [1, 0])
    assert scored.probabilities.tolist() == [[0.75, 0.25], [0.5, 0.5]]
    artifacts.write(tmp_path / "test.json", [], "records")
    assert _score(Echo(), tmp_path / "test.json", ["NO", "YES"], "scoring").probabilities.shape == (0, 2)  # type: ignore[arg-type]
    artifacts.write(tmp_path / "test.json", [{**records[0], "output": "MAYBE"}], "records")
    with pytest.raises(ArtifactError, match="row 9 of csv has the answer 'MAYBE', which is not one of the plan's"):
        _score(Echo(), tmp_path / "test.json", ["NO", "YES"], "scoring")  # type: ignore[arg-type]


def test_a_row_is_named_by_the_number_that_a_spreadsheet_shows(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('text,label\n"two\nlines",a\nb,b\nlast,a\n', encoding="utf-8")
    index = int(np.flatnonzero(sniff_source(path).csv.read()["text"] == "last")[0])
    with path.open(encoding="utf-8", newline="") as file:
        shown = [number for number, cells in enumerate(csv.reader(file), 1) if cells[0] == "last"]
    assert name_of(("csv", index)) == f"row {shown[0]} of csv" == "row 4 of csv"

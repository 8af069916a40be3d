import re
from pathlib import Path
from typing import Any

import pytest

from loramake.model_card import front_matter
from loramake.rendering import in_markdown
from loramake.report import CONTENTS, add_cells, pick_samples, read_history, read_table
from tests.conftest import ROOT


def line(row: int, label: str, yes: float) -> dict[str, Any]:
    probabilities = {"no": 1 - yes, "yes": yes}
    predicted = "yes" if yes > 0.5 else "no"
    return {"row": row, "source": "csv", "label": label, "predicted": predicted, "probabilities": probabilities}


def test_samples_are_the_surest_right_and_wrong_rows_and_the_least_sure_ones() -> None:
    lines = [line(0, "yes", 0.9), line(1, "yes", 0.2), line(2, "no", 0.05), line(3, "no", 0.55), line(4, "no", 0.99)]
    records = [{"row": row, "source": "csv", "instruction": "ill:", "input": f"age {row}"} for row in range(5)]
    found = pick_samples(lines, records)
    rows = {name: [sample["key"][1] for sample in part] for name, part in found.items()}
    assert rows == {"right": [2, 0], "wrong": [4, 1, 3], "unsure": [3, 1, 0]}
    assert found["wrong"][0] == {
        "key": ("csv", 4), "label": "no", "predicted": "yes", "probability": 0.99, "prompt": "ill:\nage 4"
    }  # fmt: skip
    assert pick_samples([], []) == {"right": [], "wrong": [], "unsure": []}


def test_samples_show_what_their_rows_hold(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("age,sex,ill\n40,F,no\n,M,yes\n", encoding="utf-8")
    samples: dict[str, list[dict[str, Any]]] = {
        "right": [{"key": ("csv", 1)}], "wrong": [], "unsure": [{"key": ("csv", 0)}]
    }  # fmt: skip
    shown = add_cells(samples, tmp_path / "t.csv", None, ["sex", "age"])
    assert shown["right"][0]["cells"] == {"sex": "M", "age": None}
    assert shown["unsure"][0]["cells"] == {"sex": "F", "age": "40"}
    assert shown["wrong"] == []
    assert add_cells({"right": []}, tmp_path / "t.csv", None, ["sex"]) == {"right": []}


@pytest.mark.parametrize(
    "cell", ["a|b", "<script>", "[x](http://y)", "`rm`", "# head", "two\nlines", "\x1b[31m", "a_b*c"]
)
def test_no_cell_breaks_a_line_of_markdown(cell: str) -> None:
    written = in_markdown(cell)
    assert "\n" not in written
    assert "\x1b" not in written
    assert not re.search(r"(?<!\\)[|<>`\[\]#_*]", written)


def test_every_section_of_the_report_has_its_template() -> None:
    folder = ROOT / "templates/render_report"
    assert {path.name.removesuffix(".html.j2") for path in folder.glob("*.html.j2")} == {*CONTENTS, "macros"}


def test_a_history_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_history(tmp_path / "history.jsonl") == []
    (tmp_path / "noise.csv").write_text("row,label\n", encoding="utf-8")
    assert read_table(tmp_path / "noise.csv") == []


def test_the_front_matter_names_the_base() -> None:
    read = {"train_config": {"model_name_or_path": "models/tiny"}, "task": {"task_type": "binary"}}
    assert front_matter(read)["base_model"] == "models/tiny"

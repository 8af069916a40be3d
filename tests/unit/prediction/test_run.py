"""Predictions of splits by a scorer that is a formula: what is written for which row, and what is said of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loramake import artifacts
from loramake.artifact_types.prepare import Record
from loramake.errors import ArtifactError
from loramake.prediction import run
from loramake.tasks.answers import Answers
from tests.files import LMF_CONFIG

PROBABILITIES = {"young": [0.75, 0.25], "old": [0.25, 0.75]}
ANSWERS = {"no": "<0>", "yes": "<1>"}


class Formula:
    """Scores prompts by a table, and keeps the answers that it was asked for."""

    def __init__(self) -> None:
        self.texts: list[list[str]] = []

    def probabilities(self, records: Sequence[Mapping[str, Any]], texts: list[str], _advance: Any) -> Any:
        self.texts.append(texts)
        return np.array([PROBABILITIES[record["input"]] for record in records])


def record(row: int, cells: str, output: str) -> Record:
    return {"instruction": "sick?", "input": cells, "output": output, "row": row, "source": "csv"}


def predict(folder: Path, monkeypatch: pytest.MonkeyPatch, **data: list[Record]) -> tuple[Formula, dict[str, Any]]:
    """The scorer, and the lines of each split."""
    scorer = Formula()
    monkeypatch.setattr(run, "load_scorer", lambda *_: scorer)
    artifacts.write(folder / "predict.yaml", LMF_CONFIG, "lmf_config")
    artifacts.write(folder / "label_shift.json", {"train": {}, "balanced": {}}, "label_shift")
    monkeypatch.setattr(run, "read_answers", lambda _: Answers([*ANSWERS], [*ANSWERS.values()]))
    for split, records in data.items():
        artifacts.write(folder / f"{split}.json", records, "records")
    paths = {split: folder / f"{split}.json" for split in data}
    outs = {split: folder / f"{split}.jsonl" for split in data}
    run.run_prediction(
        folder / "predict.yaml", folder, folder / "plan.yaml", folder / "label_shift.json", paths, False, 1, outs
    )
    return scorer, {split: artifacts.read(path, "predictions") for split, path in outs.items()}


def test_each_row_gets_the_labels_of_the_answers_that_were_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [record(7, "young", "<0>"), record(3, "old", "<0>"), record(5, "old", "<1>"), record(4, "old", "<1>")]
    scorer, lines = predict(tmp_path, monkeypatch, test=records, train=[])
    assert scorer.texts == [["<0>", "<1>"]]
    assert lines["train"] == []
    assert [(line["row"], line["label"], line["predicted"]) for line in lines["test"]] == [
        (7, "no", "no"), (3, "no", "yes"), (5, "yes", "yes"), (4, "yes", "yes"),
    ]  # fmt: skip
    assert lines["test"][1]["probabilities"] == {"no": 0.25, "yes": 0.75}
    said = capsys.readouterr().err
    assert "test: 4 rows scored; the most probable label is correct for 75.0%" in said
    assert "train:" not in said


def test_an_answer_that_the_plan_does_not_have_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArtifactError, match=r"row 11 of csv has the answer 'no', which is not one of the plan's"):
        predict(tmp_path, monkeypatch, test=[record(9, "young", "no")])

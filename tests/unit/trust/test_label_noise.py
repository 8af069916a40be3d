"""Rows whose label is probably wrong: found, distinguished from the others, and safe to open in a spreadsheet."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loramake import artifacts
from loramake.errors import ArtifactError
from loramake.prediction.predictions import Scored, scored_lines
from loramake.tables.source import sniff_source
from loramake.trust.calibration import apply_calibrator, fit_calibrator
from loramake.trust.label_noise import COLUMNS, MIN_ROWS, find_label_noise, find_lines, find_suspects
from tests.files import Files

LABELS = ["no", "yes"]


def flipped(rows: int, labels: int, seed: int, share: float = 0.05, signal: float = 4.0) -> tuple[Any, Any, Any]:
    """Given labels, some of them wrong; probabilities that favour the correct ones; indices of the wrong ones."""
    generator = np.random.default_rng(seed)
    right = generator.integers(labels, size=rows)
    scores = generator.normal(size=(rows, labels))
    scores[np.arange(rows), right] += signal
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    wrong = np.flatnonzero(generator.random(rows) < share)
    given = right.copy()
    given[wrong] = (right[wrong] + generator.integers(1, labels, size=len(wrong))) % labels
    return given, probabilities, wrong


class Experiment:
    """The files that find_label_noise reads, of a table with the columns y, age and note."""

    def __init__(self, folder: Path, labels: list[str] = LABELS) -> None:
        self.folder, self.labels = folder, labels
        Files(folder, labels).write()
        self.names = ["y", "age", "note"]
        self.method = "none"

    def put(
        self, name: str, source: str, truth: Any, probabilities: Any, cells: list[list[str]], split: str | None = None
    ) -> None:
        """A table of these rows, and their predictions."""
        with (self.folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            lines = ([self.labels[code], *own] for code, own in zip(truth, cells, strict=True))
            csv.writer(file).writerows([self.names, *lines])
        self.predict(split or name, source, np.arange(len(truth)), truth, probabilities)

    def predict(self, split: str, source: str, rows: Any, truth: Any, probabilities: Any) -> None:
        keys = [(source, int(row)) for row in rows]
        lines = scored_lines(Scored(keys, np.asarray(truth), np.asarray(probabilities)), self.labels)
        artifacts.write(self.folder / f"{split}.jsonl", lines, "predictions")

    def find(self, test_csv: bool = False) -> list[dict[str, str]]:
        plain = Scored([], np.zeros(0, dtype=np.int64), np.zeros((0, len(self.labels))))
        artifacts.write(self.folder / "calibrator.json", fit_calibrator(plain, self.labels, self.method), "calibrator")
        artifacts.write(self.folder / "plan.yaml", self.plan(), "plan")
        find_label_noise(
            source=sniff_source(self.folder / "table.csv", self.folder / "test.csv" if test_csv else None),
            task=self.folder / "task.json",
            plan=self.folder / "plan.yaml",
            calibrator=self.folder / "calibrator.json",
            predictions=[self.folder / "calibration.jsonl", self.folder / "test.jsonl"],
            out=self.folder / "label_noise.json",
            suspects_out=self.folder / "label_noise.csv",
        )
        with (self.folder / "label_noise.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def plan(self) -> dict[str, Any]:
        features = [
            {"name": name, "type": "text", "number_style": None, "date_style": None, "missing_words": []}
            for name in self.names[1:]
        ]
        return {
            "target": self.names[0],
            "instruction": "y:",
            "feature_format": "{name} {value}",
            "feature_separator": " ",
            "number_format": {"kind": "plain", "significant_digits": 6},
            "cell_tokens": None,
            "longest_cell": 100,
            "missing": {"token": "<na>", "reason": "named"},
            "features": features,
            "dropped": [],
            "labels": [{"value": label, "text": label} for label in self.labels],
            "balance": {"proposal": "none", "reason": "even"},
            "advice": "",
            "unread_notes": 0,
            "by": {"provider": "builtin", "model": None},
        }


def planted(folder: Path, rows: int = 200, labels: list[str] = LABELS) -> tuple[Experiment, Any, Any, Any]:
    """A table whose first half calibrates and whose second half tests, some of its labels wrong."""
    experiment = Experiment(folder, labels)
    given, probabilities, wrong = flipped(rows, len(labels), seed=3)
    cells = [[str(20 + row % 60), f"note {row}"] for row in range(rows)]
    experiment.put("table", "csv", given, probabilities, cells)
    for split, indices in (("calibration", np.arange(rows // 2)), ("test", np.arange(rows // 2, rows))):
        experiment.predict(split, "csv", indices, given[indices], probabilities[indices])
    return experiment, given, probabilities, wrong


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("labels", [2, 4])
def test_planted_flips_are_found_and_few_others(labels: int, seed: int) -> None:
    given, probabilities, wrong = flipped(600, labels, seed)
    suspects = find_suspects(given, probabilities)
    hits = len(set(suspects.tolist()) & set(wrong.tolist()))
    assert hits >= 0.7 * len(wrong)
    assert hits >= 0.8 * len(suspects)


def test_suspects_have_a_more_probable_label_and_come_worst_first() -> None:
    given, probabilities, _ = flipped(600, 3, seed=1)
    suspects = find_suspects(given, probabilities)
    assert (probabilities[suspects].argmax(axis=1) != given[suspects]).all()
    others = probabilities.copy()
    others[np.arange(600), given] = -1
    margins = (probabilities[np.arange(600), given] - others.max(axis=1))[suspects]
    assert (np.diff(margins) >= 0).all()


def test_the_order_of_rows_and_of_labels_does_not_matter() -> None:
    given, probabilities, _ = flipped(300, 3, seed=5)
    suspects = find_suspects(given, probabilities)
    assert len(suspects)
    order = np.random.default_rng(0).permutation(300)
    np.testing.assert_array_equal(order[find_suspects(given[order], probabilities[order])], suspects)
    turned = np.array([2, 0, 1])
    np.testing.assert_array_equal(find_suspects(turned[given], probabilities[:, np.argsort(turned)]), suspects)


@pytest.mark.parametrize(
    ("rows", "labels", "used"), [(0, 2, 2), (1, 2, 2), (MIN_ROWS, 2, 1), (50, 5, 2), (50, 2, 1), (400, 1000, 1000)]
)
def test_few_rows_missing_labels_and_many_labels_are_no_error(rows: int, labels: int, used: int) -> None:
    given, probabilities, _ = flipped(rows, labels, seed=0)
    given = given % used
    suspects = find_suspects(given, probabilities)
    assert len(set(suspects.tolist())) == len(suspects) <= rows


def test_probabilities_of_zero_and_one_and_uniform_ones_are_no_error() -> None:
    given = np.arange(60) % 2
    sure = np.eye(2)[given]
    assert len(find_suspects(given, sure)) == 0
    sure[7] = sure[7][::-1]
    assert find_suspects(given, sure).tolist() == [7]
    assert len(find_suspects(given, np.full((60, 2), 0.5))) == 0


def test_each_line_has_the_row_its_labels_their_probabilities_and_its_cells(tmp_path: Path) -> None:
    experiment, given, probabilities, wrong = planted(tmp_path)
    lines = experiment.find()
    assert len({int(line["row"]) - 2 for line in lines} & set(wrong.tolist())) >= 0.7 * len(wrong)
    assert list(lines[0]) == [*COLUMNS, "y", "age", "note"]
    for line in lines:
        row = int(line["row"]) - 2  # of a spreadsheet, where the header is row 1
        code = given[row]
        assert (line["source"], line["line"]) == ("csv", str(row + 2))
        assert (line["label"], line["more_probable_label"]) == (LABELS[code], LABELS[1 - code])
        assert (line["y"], line["age"], line["note"]) == (LABELS[code], str(20 + row % 60), f"note {row}")
        assert float(line["p_label"]) == pytest.approx(probabilities[row, code], abs=1e-4)
        assert float(line["p_more_probable_label"]) == pytest.approx(1 - probabilities[row, code], abs=1e-4)
    qualities = [float(line["quality"]) for line in lines]
    assert qualities == sorted(qualities)


def test_the_probabilities_are_the_calibrated_ones(tmp_path: Path) -> None:
    experiment, given, probabilities, _ = planted(tmp_path)
    calibrator = fit_calibrator(
        Scored([("csv", row) for row in range(200)], given, probabilities), LABELS, "temperature"
    )
    expected = apply_calibrator(calibrator, probabilities)
    assert np.abs(expected - probabilities).max() > 0.01
    experiment.find()
    artifacts.write(tmp_path / "calibrator.json", calibrator, "calibrator")
    find_label_noise(
        sniff_source(tmp_path / "table.csv"),
        tmp_path / "task.json",
        tmp_path / "plan.yaml",
        tmp_path / "calibrator.json",
        [tmp_path / "calibration.jsonl", tmp_path / "test.jsonl"],
        tmp_path / "calibrated.json",
        tmp_path / "calibrated.csv",
    )
    with (tmp_path / "calibrated.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert lines
    for line in lines:
        row = int(line["row"]) - 2
        assert float(line["p_label"]) == pytest.approx(expected[row, given[row]], abs=1e-4)


def test_rows_of_the_test_table_are_looked_up_there(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path)
    given, probabilities, _ = flipped(100, 2, seed=3)
    experiment.put("table", "csv", given, probabilities, [["1", "table"]] * 100, split="calibration")
    experiment.put("test", "test_csv", given, probabilities, [["2", "test"]] * 100)
    lines = experiment.find(test_csv=True)
    assert {(line["source"], line["note"]) for line in lines} == {("csv", "table"), ("test_csv", "test")}


def test_a_row_that_is_no_longer_in_a_table_is_refused(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path)
    given, probabilities, _ = flipped(100, 2, seed=3)
    experiment.put("table", "csv", given[:30], probabilities[:30], [["1", ""]] * 30, split="calibration")
    experiment.predict("test", "csv", range(30, 100), given[30:], probabilities[30:])
    with pytest.raises(ArtifactError, match=r"row \d+ of csv was predicted but is no longer in "):
        experiment.find()


def test_few_rows_and_correct_labels_leave_only_the_header_and_say_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment, *_ = planted(tmp_path, rows=MIN_ROWS - 2)
    assert experiment.find() == []
    assert (tmp_path / "label_noise.csv").read_text(encoding="utf-8") == ",".join([*COLUMNS, "y", "age", "note"]) + "\n"
    assert f"Too few rows to look for wrong labels: {MIN_ROWS - 2} calibration and test rows" in capsys.readouterr().err
    content = artifacts.read(tmp_path / "label_noise.json", "label_noise")
    assert (content["rows"], content["suspects"]) == (MIN_ROWS - 2, None)
    assert content["sentence"].startswith("Too few rows")
    truth = np.arange(60) % 2
    experiment.put("table", "csv", truth, np.eye(2)[truth], [["1", ""]] * 60, split="calibration")
    experiment.predict("test", "csv", [], [], np.zeros((0, 2)))
    assert experiment.find() == []
    assert "The model contradicts none of the labels of 60" in capsys.readouterr().err
    content = artifacts.read(tmp_path / "label_noise.json", "label_noise")
    assert (content["rows"], content["suspects"]) == (60, 0)


def test_the_step_says_how_many_of_how_many_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    experiment, *_ = planted(tmp_path)
    lines = experiment.find()
    said = capsys.readouterr().err
    assert f"The model contradicts the labels of {len(lines)} of 200 calibration and test rows" in said
    assert f"row {lines[0]['row']} of csv" in said
    summary = artifacts.read(tmp_path / "label_noise.json", "label_noise")
    assert (summary["rows"], summary["suspects"]) == (200, len(lines))
    assert " ".join(summary["sentence"].split()) in " ".join(said.split())


def test_a_line_number_counts_lines_of_the_file_not_rows(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('y,note\n\nno,"two\nlines"\n\nyes,one\r\nno,\n', encoding="utf-8")
    file = sniff_source(path).csv
    assert len(file.read()) == 3
    assert find_lines(file, {0, 1, 2}) == {0: 3, 1: 6, 2: 7}
    assert find_lines(file, {1}) == {1: 6}
    assert find_lines(file, set()) == {}


def test_formula_cells_headers_and_labels_reach_the_file_harmless(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, ["=no", "@yes"])
    experiment.names = ["+y", "-age", "=note"]
    Files(tmp_path, experiment.labels).write()
    given, probabilities, _ = flipped(100, 2, seed=3)
    cells = [["-3.5", '=cmd|"x"!A0'] for _ in given]
    experiment.put("table", "csv", given, probabilities, cells, split="calibration")
    experiment.predict("test", "csv", [], [], np.zeros((0, 2)))
    lines = experiment.find()
    assert lines
    assert list(lines[0])[-3:] == ["'+y", "'-age", "'=note"]
    for line in lines:
        assert line["'-age"] == "-3.5"
        assert line["'=note"] == '\'=cmd|"x"!A0'
        assert {line["label"], line["more_probable_label"]} == {"'=no", "'@yes"}


def test_a_feature_called_like_a_column_of_ours_keeps_a_column_of_its_own(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path)
    experiment.names = ["y", "row", "row'"]
    given, probabilities, _ = flipped(100, 2, seed=3)
    experiment.put("table", "csv", given, probabilities, [["a", "b"]] * 100, split="calibration")
    experiment.predict("test", "csv", [], [], np.zeros((0, 2)))
    lines = experiment.find()
    assert list(lines[0])[-3:] == ["y", "row''", "row'"]
    assert (lines[0]["row''"], lines[0]["row'"]) == ("a", "b")

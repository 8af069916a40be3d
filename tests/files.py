"""Artifacts of synthetic rows, as the steps write them."""

from pathlib import Path
from typing import Any

from loramake import artifacts
from loramake.evaluation.run import run_evaluation
from loramake.prediction.predictions import Scored, read_scored, scored_lines
from loramake.trust.calibration import calibrate_probabilities
from loramake.trust.calibration_measures import evaluate_calibration
from loramake.trust.conformal import fit_conformal
from loramake.trust.costs import decide_by_cost
from loramake.trust.risk import control_risk
from tests.cases import MODELS, four_models
from tests.conftest import task_of

VERIFICATION = {
    "checks": [{"name": "each row once", "passed": True, "detail": "so it is"}],
    "tokens": {"longest": 1, "mean": 1.0, "cutoff_len": 1, "estimated": False},
    "classes": {},
    "critique": [],
    "judged": "nothing",
    "sandbox": {"setting": "auto", "used": "some"},
    "by": {"provider": "builtin", "model": None},
}
"""verification.json of data that passed."""

LMF_CONFIG = {
    "model_name_or_path": "none",
    "stage": "sft",
    "finetuning_type": "lora",
    "dataset_dir": "none",
    "cutoff_len": 100,
    "output_dir": "none",
    "report_to": "none",
}
"""The least that predict_test.yaml has to hold."""


class Files:
    """task.json, baselines.json and predictions of two splits, written into a folder."""

    def __init__(self, folder: Path, labels: list[str]) -> None:
        self.folder, self.labels = folder, labels
        self.baselines: dict[str, Any] = {"features": ["x"], "labels": labels, "models": {}}
        empty = {"rows": [], "sources": [], "probabilities": []}
        for name in MODELS[1:]:
            splits = {split: dict(empty) for split in ("train", "calibration", "test")}
            self.baselines["models"][name] = {"description": name, "splits": splits}
        self.lines: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}

    def put(self, split: str, truth: Any, scores: dict[str, Any]) -> None:
        self.lines[split] = [
            {
                "row": row,
                "source": "csv",
                "label": self.labels[code],
                "predicted": self.labels[int(line.argmax())],
                "probabilities": dict(zip(self.labels, line.tolist(), strict=True)),
            }
            for row, (code, line) in enumerate(zip(truth, scores["loramake"], strict=True))
        ]
        for name in MODELS[1:]:
            part = {"rows": list(range(len(truth))), "sources": ["csv"] * len(truth)}
            self.baselines["models"][name]["splits"][split] = part | {"probabilities": scores[name].tolist()}

    def write(self) -> dict[str, Path]:
        paths = {name: self.folder / f"{name}.jsonl" for name in ("train", "test")}
        for split, lines in self.lines.items():
            artifacts.write(paths[split], lines, "predictions")
        artifacts.write(self.folder / "baselines.json", self.baselines, "baselines")
        artifacts.write(self.folder / "task.json", task_of(self.labels), "task")
        return paths | {"baselines": self.folder / "baselines.json", "task": self.folder / "task.json"}

    def evaluate(self, name: str = "metrics.json") -> dict[str, Any]:
        run_evaluation(**self.write(), seed=42, out=self.folder / name)
        return artifacts.read(self.folder / name, "metrics")


class Calibration:
    """The files of calibrate_probabilities, written into a folder."""

    def __init__(self, folder: Path, labels: list[str]) -> None:
        self.folder, self.labels = folder, labels
        self.task = Files(folder, labels).write()["task"]

    def run(self, calibration: Scored, test: Scored, method: str = "temperature", seed: int = 42) -> dict[str, Any]:
        for name, rows in (("calibration", calibration), ("test", test)):
            artifacts.write(self.folder / f"{name}.jsonl", scored_lines(rows, self.labels), "predictions")
        calibrate_probabilities(
            task=self.task,
            calibration=self.folder / "calibration.jsonl",
            test=self.folder / "test.jsonl",
            method=method,
            seed=seed,
            out=self.folder / "calibrator.json",
            held_out_out=self.folder / "trust_held_out.jsonl",
            test_out=self.folder / "trust_test.jsonl",
        )
        return artifacts.read(self.folder / "calibrator.json", "calibrator")

    def read(self, name: str) -> Scored:
        return read_scored(self.folder / f"trust_{name}.jsonl", self.labels)


def measure_trust(
    folder: Path,
    labels: list[str],
    costs: dict[str, dict[str, float]],
    method: str = "temperature",
    confidence: float = 0.9,
    max_selective_error: float = 0.11,
) -> Any:
    """The trust stage by its own functions up to costs.json, of 240 test rows and as many others; the test rows' truth.

    The baselines have no calibration rows; asking a person costs 0.5.
    """
    truth, scores = four_models(240, len(labels), (2.0, 1.0, 1.0))
    files = Files(folder, labels)
    for split in ("train", "test"):
        files.put(split, truth, scores)
    files.evaluate()
    others = Scored([("csv", 240 + row) for row in range(240)], truth, scores["loramake"])
    artifacts.write(folder / "calibration_rows.jsonl", scored_lines(others, labels), "predictions")
    artifacts.write(folder / "none.jsonl", [], "predictions")
    names = ("task.json", "calibration_rows.jsonl", "test.jsonl", "calibrator.json")
    task, rows, test, calibrator = (folder / name for name in names)
    held_out, after = folder / "held_out.jsonl", folder / "calibrated_test.jsonl"
    calibrate_probabilities(task, rows, test, method, 1, calibrator, held_out, after)
    evaluate_calibration(task, test, after, calibrator, 1, folder / "calibration_measures.json")
    fit_conformal(task, held_out, after, "lac", confidence, 1, folder / "conformal.json")
    control_risk(task, held_out, after, max_selective_error, confidence, costs, 0.5, 1, folder / "risk.json")
    decide_by_cost(
        task=task,
        train=folder / "train.jsonl",
        calibration=folder / "none.jsonl",
        test=after,
        baselines=folder / "baselines.json",
        calibrator=calibrator,
        risk=folder / "risk.json",
        costs=costs,
        abstain_cost=0.5,
        seed=1,
        out=folder / "costs.json",
    )
    return truth

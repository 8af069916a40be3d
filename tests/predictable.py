"""An experiment that new rows can be predicted with, made without a training: its adapter is random."""

import shutil
from pathlib import Path
from typing import Any

import peft
import torch
import transformers

from loramake import artifacts
from loramake.prediction.predictions import scored_lines
from loramake.tasks import read_task
from loramake.trust.calibration import calibrate_probabilities
from loramake.trust.conformal import fit_conformal
from loramake.trust.risk import control_risk
from support.experiment import Experiment
from tests.cases import random_scored
from tests.conftest import ROOT
from tests.files import LMF_CONFIG, VERIFICATION

NO_COSTS = {"configured": False, "matrix": None, "abstain_cost": None}
PLACES = {
    "profile.json": "profile.json",
    "task.json": "task.json",
    "plan.yaml": "plan.yaml",
    "prepare_data.py": "scripts/prepare_data.py",
    "prep_state.json": "data/prep_state.json",
}


def make_results(folder: Path) -> Path:
    """results/exp of heart.csv with everything that a prediction follows from, the base beside results/."""
    made = folder / "made"
    made.mkdir()
    Experiment(made, ROOT / "data/heart.csv").execute()
    results = folder / "results/exp"
    for name, place in PLACES.items():
        (results / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(made / name, results / place)
    (folder / "models").symlink_to(ROOT / "models")
    artifacts.write(results / "data/verification.json", VERIFICATION, "verification")
    config = {**LMF_CONFIG, "model_name_or_path": "models/tiny", "cutoff_len": 128, "adapter_name_or_path": "elsewhere"}
    artifacts.write(results / "configs/predict_test.yaml", config, "lmf_config")
    artifacts.write(results / "data/label_shift.json", {"train": {}, "balanced": {}}, "label_shift")
    make_adapter(results / "adapter")
    make_trust(results)
    return results


def make_adapter(folder: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(ROOT / "models/tiny")
    wrapped = peft.get_peft_model(model, peft.LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_" in name:
                weight.normal_(std=0.15)
    wrapped.save_pretrained(folder)


def make_trust(results: Path, max_selective_error: float | None = None, costs: dict[str, Any] = NO_COSTS) -> None:
    """The trust artifacts, fitted on synthetic predictions of the calibration split."""
    trust, task = results / "trust", results / "task.json"
    labels = read_task(task).labels
    given, held_out, test = trust / "given.jsonl", trust / "held_out.jsonl", trust / "test.jsonl"
    artifacts.write(given, scored_lines(random_scored(200, len(labels), 0), labels), "predictions")
    calibrate_probabilities(task, given, given, "temperature", 0, trust / "calibrator.json", held_out, test)
    fit_conformal(task, held_out, test, "lac", 0.8, 0, trust / "conformal.json")
    control_risk(task, held_out, test, max_selective_error, 0.9, None, None, 0, trust / "risk.json")
    whole = {"labels": labels, "confidence": 0.95, "resamples": 1000, "test": None, "sentence": "Made up.", **costs}
    artifacts.write(trust / "costs.json", whole, "costs")

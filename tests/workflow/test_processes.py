"""A training in two processes on the CPUs, which talk to each other as those on two GPUs do."""

import math
import shutil
from pathlib import Path

import pytest

from loramake import artifacts
from tests.conftest import ROOT, make_workplace, snakemake


def test_two_processes_share_the_rows_and_their_adapter_predicts(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft", reason="needs the training extra")
    transformers = pytest.importorskip("transformers", reason="needs the training extra")
    folder = make_workplace(tmp_path / "work", Path("penguins.csv"), gpus=2)
    shutil.copy(ROOT / "data/penguins.csv", folder)
    done = snakemake(folder, "results/exp/predictions/test.jsonl", "--cores", "2")
    assert done.returncode == 0, done.stdout
    results = folder / "results/exp"
    settings = artifacts.read(results / "configs/train.yaml", "lmf_config")
    rows = len(artifacts.read(results / "data/balanced_data.json", "records"))
    batch = 2 * settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"]
    steps = math.ceil(rows / batch)
    assert f"loramake: training in 2 processes, {batch} rows a step." in done.stdout
    assert f"loramake: trained {steps} steps" in done.stdout
    log = (results / "logs/run_finetuning.log").read_text(encoding="utf-8")
    assert "Process rank: 0, world size: 2, device: cpu" in log
    assert "Process rank: 1, world size: 2, device: cpu" in log
    assert artifacts.read(results / "adapter/trainer_log.jsonl", "trainer_log")[-1]["total_steps"] == steps
    base = transformers.AutoModelForCausalLM.from_pretrained(ROOT / "models/tiny")
    adapted = peft.PeftModel.from_pretrained(base, results / "adapter")
    assert any(weight.abs().sum() > 0 for name, weight in adapted.named_parameters() if "lora_B" in name)
    predictions = artifacts.read(results / "predictions/test.jsonl", "predictions")
    assert predictions
    assert all(sum(line["probabilities"].values()) == pytest.approx(1) for line in predictions)

import stat
from pathlib import Path
from typing import Any

import pytest

from loramake.llm.models import read_shapes
from loramake.training.estimates import (
    count_adapter,
    count_steps,
    describe_batch,
    estimate_memory,
    estimate_training,
    memory_of,
)
from tests.conftest import ROOT

TINY = ROOT / "models/tiny"
SETTINGS = {
    "model_name_or_path": str(TINY), "lora_rank": 4, "lora_target": "all", "num_train_epochs": 2.0,
    "per_device_train_batch_size": 8, "gradient_accumulation_steps": 2,
}  # fmt: skip


ONE = {"gpus": 1, "nodes": 1}


@pytest.mark.parametrize(("rows", "steps"), [(1, 2), (16, 2), (17, 4), (160, 20)])
def test_an_epochs_last_smaller_step_counts(rows: int, steps: int) -> None:
    assert count_steps(SETTINGS, ONE, rows) == steps


@pytest.mark.parametrize(
    ("processes", "said", "steps"),
    [
        (ONE, "16 rows a step ({each})", 20),
        ({"gpus": 4, "nodes": 1}, "64 rows a step ({each} × gpus 4)", 6),
        ({"gpus": 1, "nodes": 2}, "32 rows a step ({each} × nodes 2)", 10),
        ({"gpus": 4, "nodes": 2}, "128 rows a step ({each} × gpus 4 × nodes 2)", 4),
    ],
)
def test_the_effective_batch_is_that_of_all_processes_and_steps_are_fewer(
    processes: Any, said: str, steps: int
) -> None:
    each = "per_device_train_batch_size 8 × gradient_accumulation_steps 2"
    assert describe_batch(SETTINGS, processes) == said.format(each=each)
    assert count_steps(SETTINGS, processes, 160) == steps


def test_tokens_are_of_all_epochs() -> None:
    said = estimate_training(SETTINGS, ONE, 100, {"mean": 50.0, "estimated": True})
    assert said == "14 steps over 100 rows, about 10,000 tokens (50 a row, estimated from characters)"


@pytest.mark.parametrize("target", ["all", "q_proj,v_proj"])
def test_the_adapter_has_as_many_weights_as_peft_makes(target: str) -> None:
    peft = pytest.importorskip("peft", reason="needs the training extra")
    transformers = pytest.importorskip("transformers", reason="needs the training extra")
    model = transformers.AutoModelForCausalLM.from_pretrained(TINY)
    modules = "all-linear" if target == "all" else target.split(",")
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=4, target_modules=modules))
    trained = sum(weight.numel() for weight in adapted.parameters() if weight.requires_grad)
    assert count_adapter({**SETTINGS, "lora_target": target}, read_shapes(TINY)) == trained


def test_memory_is_two_bytes_a_weight_and_sixteen_for_each_that_is_trained() -> None:
    shapes = {"embed_tokens.weight": (100, 8), "layers.0.q_proj.weight": (8, 8), "norm.weight": (8,)}
    trained = SETTINGS["lora_rank"] * (8 + 8)
    assert memory_of(SETTINGS, shapes) == (2 * (800 + 64 + 8), 16 * trained)
    assert memory_of({**SETTINGS, "quantization_bit": 4}, shapes) == (2 * 800 + 64 / 2 + 2 * 8, 16 * trained)


def test_memory_is_estimated_where_there_is_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert estimate_memory(SETTINGS) is None
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'A GPU, 81559'\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    said = estimate_memory(SETTINGS)
    assert said is not None
    assert said.endswith("plus activations, of 80 GiB on A GPU")
    assert "size is unknown" in str(estimate_memory({**SETTINGS, "model_name_or_path": "owner/name"}))

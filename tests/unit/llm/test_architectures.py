"""`lora_target: all` and the scoring of labels, on tiny random models of the architectures that people name."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the training extra")
pytest.importorskip("llamafactory", reason="needs the training extra")

import transformers  # noqa: E402 - waits for importorskip
from llamafactory.hparams import FinetuningArguments, ModelArguments  # noqa: E402
from llamafactory.model import load_model  # noqa: E402
from llamafactory.model.model_utils.misc import find_all_linear_modules  # noqa: E402

from loramake.llm.log_probs import label_log_probs  # noqa: E402
from loramake.llm.scorer import load_scorer  # noqa: E402
from tests.conftest import ROOT  # noqa: E402

ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
SHAPE = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "initializer_range": 0.3,
}  # fmt: skip
EXPECTED = {
    "Qwen2": ATTENTION | {"gate_proj", "up_proj", "down_proj"},  # Qwen2.5
    "Glm": ATTENTION | {"gate_up_proj", "down_proj"},  # glm-4-9b-chat-hf
    "Glm4": ATTENTION | {"gate_up_proj", "down_proj"},  # GLM-4-0414
}
LABELS = ["1", "10", "yes", "no"]


@pytest.fixture(scope="module", params=EXPECTED)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """An architecture's name, and a folder with a random model of it and the tiny base's tokenizer."""
    folder = tmp_path_factory.mktemp(request.param)
    tokenizer = transformers.AutoTokenizer.from_pretrained(ROOT / "models/tiny")
    ends = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = getattr(transformers, f"{request.param}Config")(vocab_size=len(tokenizer), **SHAPE, **ends)
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return request.param, folder


def test_lora_on_all_modules_takes_every_linear_one_but_the_head(model: tuple[str, Path]) -> None:
    name, folder = model
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    arguments = ModelArguments(model_name_or_path=str(folder))
    trained = load_model(tokenizer, arguments, FinetuningArguments(lora_target="all", lora_rank=2), is_trainable=True)
    assert trained.get_base_model().__class__.__name__ == f"{name}ForCausalLM"
    adapted = {path.split(".")[-4] for path, _ in trained.named_parameters() if ".lora_A." in path}
    assert adapted == EXPECTED[name]
    assert not any("lora" in path for path, _ in trained.named_parameters() if "lm_head" in path)


def test_labels_are_scored_together_as_they_are_one_by_one(model: tuple[str, Path]) -> None:
    _, folder = model
    config = {"model_name_or_path": str(folder), "stage": "sft", "finetuning_type": "lora", "cutoff_len": 256}
    scorer = load_scorer(config)
    records = [{"instruction": "Answer.", "input": f"age {age} sex M " * (age % 5 + 1), "row": age} for age in range(8)]
    probabilities = scorer.probabilities(records, LABELS)
    prompts = [scorer.encoder.prompt_ids(record) for record in records]
    labels = [scorer.encoder.label_ids(text) for text in LABELS]
    alone = np.exp(label_log_probs(scorer.backend.model, prompts, labels, together=False))
    np.testing.assert_allclose(probabilities, alone / alone.sum(axis=1, keepdims=True), atol=1e-4)


def test_the_head_of_a_chatglm_is_left_out_under_the_name_that_its_own_code_gives_it() -> None:
    """glm-4-9b-chat brings its own code, which is not here: its modules' names are."""

    class Block(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            for name in ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"):
                setattr(self, name, torch.nn.Linear(2, 2))

    named: Any = torch.nn.ModuleDict({"block": Block(), "output_layer": torch.nn.Linear(2, 2)})
    named.config = SimpleNamespace(model_type="chatglm")
    modules = find_all_linear_modules(named, freeze_vision_tower=True)
    assert set(modules) == {"query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"}

"""What every scoring backend has to pass, on models/tiny with two adapters of different sizes."""

# ruff: noqa: E402 - imports wait for importorskip

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the training extra")
peft = pytest.importorskip("peft", reason="needs the training extra")
transformers = pytest.importorskip("transformers", reason="needs the training extra")

from loramake.errors import ArtifactError, PredictionError
from loramake.llm.backend import ScoringBackend
from loramake.llm.transformers_backend import TransformersBackend, load_inference_encoder, read_settings
from tests.conftest import ROOT

TINY = ROOT / "models" / "tiny"
LABELS = [[5], [5, 6], [7, 8, 9], [10, 6]]
Make = Callable[..., ScoringBackend]


def make_transformers(adapter: Path | None = None, **more: Any) -> ScoringBackend:
    settings = read_settings({"model_name_or_path": str(TINY), "cutoff_len": 256, **more}, trust_remote_code=False)
    encoder, _ = load_inference_encoder(settings)
    return TransformersBackend(settings, encoder.tokenizer, adapter)


BACKENDS: dict[str, Make] = {"transformers": make_transformers}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(params=BACKENDS)
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes backends, each closed in the end."""
    made: list[ScoringBackend] = []

    def keep(*arguments: Any, **named: Any) -> ScoringBackend:
        made.append(BACKENDS[request.param](*arguments, **named))
        return made[-1]

    yield keep
    for backend in made:
        backend.close()


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two adapters whose random weights change the answers: one plain, one of another rank and with DoRA."""
    folders = []
    for seed, settings in enumerate(({"r": 4}, {"r": 2, "use_dora": True})):
        model = transformers.AutoModelForCausalLM.from_pretrained(TINY)
        lora = peft.LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM", **settings)
        wrapped = peft.get_peft_model(model, lora)
        torch.manual_seed(seed)
        with torch.no_grad():
            for name, weight in wrapped.named_parameters():
                if "lora_A" in name or "lora_B" in name:
                    weight.normal_(std=0.1)
        folders.append(tmp_path_factory.mktemp("adapter"))
        wrapped.save_pretrained(folders[-1])
    return folders


def prompts(count: int = 7) -> list[list[int]]:
    rng = random.Random(0)
    return [[rng.randrange(200) for _ in range(rng.randint(1, 30))] for _ in range(count)]


def plainly(adapter: Path | None = None) -> Any:
    """The log-probabilities by transformers and peft themselves, unmerged: one forward pass for each row and label."""
    model = transformers.AutoModelForCausalLM.from_pretrained(TINY).eval()
    if adapter is not None:
        model = peft.PeftModel.from_pretrained(model, adapter).eval()
    scores = np.empty((len(prompts()), len(LABELS)))
    for row, prompt in enumerate(prompts()):
        for column, label in enumerate(LABELS):
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([prompt + label])).logits[0].double().log_softmax(-1)
            scores[row, column] = sum(logits[len(prompt) - 1 + at, token] for at, token in enumerate(label))
    return scores


def test_log_probs_are_those_of_the_plain_computation(make: Make, adapters: list[Path]) -> None:
    for adapter in (None, *adapters):
        log_probs = make(adapter).log_probs(prompts(), LABELS)
        assert (log_probs.shape, log_probs.dtype) == ((7, 4), np.float64)
        np.testing.assert_allclose(log_probs, plainly(adapter), atol=1e-3)


def test_adapters_come_and_go_as_if_each_were_loaded_first(make: Make, adapters: list[Path]) -> None:
    first, second = adapters
    fresh = {adapter: make(adapter).log_probs(prompts(), LABELS) for adapter in (None, first, second)}
    assert np.abs(fresh[first] - fresh[None]).max() > 0.1
    assert np.abs(fresh[second] - fresh[first]).max() > 0.1
    backend = make()
    for adapter in (None, first, None, second, first, second):
        if adapter is None:
            backend.unload_adapter()
        else:
            backend.load_adapter(adapter)
        np.testing.assert_array_equal(backend.log_probs(prompts(), LABELS), fresh[adapter])


def test_an_adapter_that_was_there_from_the_start_can_go(make: Make, adapters: list[Path]) -> None:
    backend = make(adapters[0])
    backend.unload_adapter()
    np.testing.assert_array_equal(backend.log_probs(prompts(), LABELS), make().log_probs(prompts(), LABELS))


def test_what_is_loaded_stays_where_another_adapter_is_refused(
    make: Make, adapters: list[Path], tmp_path: Path
) -> None:
    backend = make(adapters[0])
    before = backend.log_probs(prompts(), LABELS)
    with pytest.raises(PredictionError, match="does not exist: run snakemake to make the adapter"):
        backend.load_adapter(tmp_path / "absent")
    with pytest.raises(ArtifactError, match=r"adapter_config\.json does not exist"):
        backend.load_adapter(tmp_path)
    shutil.copytree(adapters[1], tmp_path / "strange")
    config = json.loads((adapters[1] / "adapter_config.json").read_text(encoding="utf-8"))
    (tmp_path / "strange/adapter_config.json").write_text(json.dumps({**config, "target_modules": ["absent"]}))
    with pytest.raises(PredictionError, match=r"strange cannot be loaded \("):
        backend.load_adapter(tmp_path / "strange")
    np.testing.assert_array_equal(backend.log_probs(prompts(), LABELS), before)


def test_the_order_and_the_company_of_rows_do_not_matter(make: Make) -> None:
    backend, rows = make(), prompts()
    whole = backend.log_probs(rows, LABELS)
    np.testing.assert_allclose(backend.log_probs(rows[::-1], LABELS)[::-1], whole, atol=1e-4)
    np.testing.assert_allclose(backend.log_probs(rows[2:3], LABELS), whole[2:3], atol=1e-4)
    assert backend.log_probs([], LABELS).shape == (0, len(LABELS))


def test_progress_ends_with_all_rows(make: Make) -> None:
    seen: list[tuple[int, int]] = []
    make().log_probs(prompts(), LABELS, lambda *at: seen.append(at))
    assert seen[-1] == (7, 7)


@pytest.mark.parametrize(("rows", "labels"), [([[1], []], LABELS), ([[1]], [[2], []]), ([[1]], [])])
def test_what_has_no_token_is_refused(make: Make, rows: list[list[int]], labels: list[list[int]]) -> None:
    with pytest.raises(PredictionError, match="has no tokens"):
        make().log_probs(rows, labels)


def test_the_vocabulary_is_what_the_model_has_embeddings_for(make: Make) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(TINY)
    assert make().vocabulary == model.get_input_embeddings().weight.shape[0]

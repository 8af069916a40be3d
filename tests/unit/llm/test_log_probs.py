"""Packed label scores are those of one plain forward pass per label."""

# ruff: noqa: E402 - imports wait for importorskip

import itertools
import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the training extra")
transformers = pytest.importorskip("transformers", reason="needs the training extra")

from loramake.errors import PredictionError
from loramake.llm import log_probs as scoring
from loramake.llm.log_probs import label_log_probs

VOCABULARY = 97
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "initializer_range": 0.4,  # far from uniform, so that a wrong mask shows
}
WINDOW = {**SIZES, "sliding_window": 8}
CONFIGS = {
    "qwen2": ("Qwen2Config", SIZES),
    "qwen2 with a sliding window": ("Qwen2Config", {**WINDOW, "use_sliding_window": True, "max_window_layers": 1}),
    "qwen3": ("Qwen3Config", SIZES),
    "llama": ("LlamaConfig", SIZES),
    "mistral": ("MistralConfig", WINDOW),
    "gemma2": ("Gemma2Config", {**WINDOW, "attn_implementation": "eager"}),
    "gemma3": ("Gemma3TextConfig", {**WINDOW, "sliding_window_pattern": 2}),
}
LABELS = [[3], [3, 4], [3, 4, 5, 6], [7, 3, 4], [3, 9, 5], [8, 8, 8, 8, 8]]


def tiny_model(kind: str = "qwen2", dtype: Any = torch.float64) -> Any:
    name, sizes = CONFIGS[kind]
    torch.manual_seed(0)
    settings = dict(sizes)
    attention = settings.pop("attn_implementation", "sdpa")
    config = getattr(transformers, name)(**settings)
    return transformers.AutoModelForCausalLM.from_config(config, attn_implementation=attention).to(dtype).eval()


def some_prompts(count: int = 9, longest: int = 40) -> list[list[int]]:
    rng = random.Random(0)
    return [[rng.randrange(VOCABULARY) for _ in range(rng.randint(1, longest))] for _ in range(count)]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(scoring, "say", lines.append)
    return lines


@pytest.mark.parametrize("kind", CONFIGS)
def test_packed_scores_equal_one_label_at_a_time(kind: str, said: list[str]) -> None:
    model, prompts = tiny_model(kind), some_prompts()
    packed = label_log_probs(model, prompts, LABELS, tokens_per_batch=150)
    assert said == []
    assert packed.shape == (len(prompts), len(LABELS))
    assert packed.dtype == np.float64
    np.testing.assert_allclose(packed, label_log_probs(model, prompts, LABELS, together=False), atol=1e-5, rtol=0)


def test_packed_scores_are_exact_where_the_model_computes_in_float64_throughout(said: list[str]) -> None:
    settings = {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.4}
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(transformers.GPT2Config(**settings)).double().eval()
    packed = label_log_probs(model, some_prompts(), LABELS)
    assert said == []
    np.testing.assert_allclose(
        packed, label_log_probs(model, some_prompts(), LABELS, together=False), atol=1e-9, rtol=0
    )


def test_one_at_a_time_equals_the_sum_of_the_unpadded_models_log_softmax() -> None:
    model, prompts = tiny_model("gemma3"), some_prompts(4)
    scores = label_log_probs(model, prompts, LABELS, together=False)
    for (row, prompt), (column, label) in itertools.product(enumerate(prompts), enumerate(LABELS)):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([prompt + label])).logits[0].log_softmax(-1)
        expected = sum(float(logits[len(prompt) - 1 + at, token]) for at, token in enumerate(label))
        assert scores[row, column] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rounding_of_a_narrow_dtype_is_no_reason_to_score_one_by_one(dtype: Any, said: list[str]) -> None:
    for kind in ("qwen2", "gemma3"):
        label_log_probs(tiny_model(kind, dtype), some_prompts(), LABELS)
    assert said == []


def test_the_order_and_the_company_of_rows_do_not_matter() -> None:
    model, prompts = tiny_model(), some_prompts()
    scores = label_log_probs(model, prompts, LABELS)
    order = random.Random(1).sample(range(len(prompts)), len(prompts))
    shuffled = label_log_probs(model, [prompts[at] for at in order], LABELS, tokens_per_batch=64)
    np.testing.assert_allclose(shuffled, scores[order], atol=1e-5, rtol=0)
    np.testing.assert_allclose(label_log_probs(model, prompts[3:4], LABELS), scores[3:4], atol=1e-5, rtol=0)


def test_the_probabilities_of_all_continuations_of_a_length_add_up_to_one() -> None:
    model, prompts = tiny_model(), some_prompts(3)
    every_pair = [[first, second] for first in range(VOCABULARY) for second in range(VOCABULARY)]
    total = np.exp(label_log_probs(model, prompts, every_pair)).sum(axis=1)
    np.testing.assert_allclose(total, 1.0, atol=1e-9)


def test_three_hundred_labels_are_scored_in_several_passes(said: list[str]) -> None:
    model, prompts, rng = tiny_model(), some_prompts(5), random.Random(2)
    labels = [[rng.randrange(VOCABULARY) for _ in range(rng.randint(2, 7))] for _ in range(300)]
    packed = label_log_probs(model, prompts, labels)
    assert len(scoring._chunks(labels)) > 1
    assert said == []
    np.testing.assert_allclose(packed, label_log_probs(model, prompts, labels, together=False), atol=1e-5, rtol=0)


def test_every_label_is_in_one_chunk_and_no_chunk_is_too_large() -> None:
    labels = [[*divmod(number, 30), 5, 6] for number in range(600)] + [list(range(700))]
    chunks = scoring._chunks(labels)
    assert sorted(itertools.chain.from_iterable(chunks)) == list(range(len(labels)))
    sizes = [len(scoring._tree([labels[at] for at in chunk]).tokens) for chunk in chunks]
    assert sorted(sizes)[-2] <= scoring._NODES_PER_PASS < max(sizes)


def test_a_shared_beginning_of_labels_is_computed_once() -> None:
    tree = scoring._tree([[1, 2, 3, 9], [1, 2, 4, 9], [1, 2, 9]])
    assert tree.tokens == [1, 2, 3, 4]
    assert tree.parents == [-1, 0, 1, 1]


def test_progress_counts_every_row_once() -> None:
    seen: list[tuple[int, int]] = []
    label_log_probs(tiny_model(), some_prompts(), LABELS, tokens_per_batch=90, advance=lambda *at: seen.append(at))
    assert seen[-1] == (9, 9)
    assert seen == sorted(set(seen))


def test_no_rows_give_no_scores() -> None:
    assert label_log_probs(tiny_model(), [], LABELS).shape == (0, len(LABELS))


@pytest.mark.parametrize(("prompts", "labels"), [([[1]], []), ([[1]], [[2], []]), ([[1], []], [[2]])])
def test_an_empty_prompt_or_label_is_refused(prompts: list[list[int]], labels: list[list[int]]) -> None:
    with pytest.raises(PredictionError, match="has no tokens"):
        label_log_probs(tiny_model(), prompts, labels)


class Recurrent(torch.nn.Module):
    """Reads tokens in order, whatever mask and positions it is given, as a state-space model does."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = torch.nn.Embedding(VOCABULARY, 16, dtype=torch.float64)
        self.recurrence = torch.nn.GRU(16, 16, batch_first=True, dtype=torch.float64)
        self.head = torch.nn.Linear(16, VOCABULARY, dtype=torch.float64)
        self.widest_batch = 0

    def forward(
        self, input_ids: Any, attention_mask: Any = None, position_ids: Any = None, use_cache: bool = False
    ) -> Any:
        self.widest_batch = max(self.widest_batch, len(input_ids))
        return SimpleNamespace(logits=self.head(self.recurrence(self.embedding(input_ids))[0]) * 20)


def test_a_model_that_ignores_the_mask_is_scored_one_by_one_and_says_so(said: list[str]) -> None:
    model = Recurrent()
    scores = label_log_probs(model, some_prompts(), LABELS)
    np.testing.assert_array_equal(scores, label_log_probs(model, some_prompts(), LABELS, together=False))
    assert len(said) == 1
    assert "differ by" in said[0]


class TwoDimensional(Recurrent):
    """Refuses any mask but the plain one."""

    def forward(self, input_ids: Any, attention_mask: Any = None, **others: Any) -> Any:
        if attention_mask is not None and attention_mask.ndim != 2:
            raise ValueError("attention_mask must be (batch, length)\nmore")
        return super().forward(input_ids, attention_mask)


def test_a_model_that_refuses_the_mask_is_scored_one_by_one_and_says_why(said: list[str]) -> None:
    label_log_probs(TwoDimensional(), some_prompts(), LABELS)
    assert said[0].endswith("(ValueError: attention_mask must be (batch, length)).")


def test_a_state_space_model_is_scored_one_by_one(said: list[str]) -> None:
    torch.manual_seed(0)
    config = transformers.MambaConfig(vocab_size=VOCABULARY, hidden_size=32, state_size=8, num_hidden_layers=2)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    scores = label_log_probs(model, some_prompts(4), LABELS[:3])
    np.testing.assert_allclose(scores, label_log_probs(model, some_prompts(4), LABELS[:3], together=False), atol=1e-5)
    assert len(said) == 1


class Cramped(Recurrent):
    """Runs out of memory with more than `room` rows at once."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def forward(self, input_ids: Any, attention_mask: Any = None, **others: Any) -> Any:
        if len(input_ids) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(input_ids, attention_mask)


def test_out_of_memory_halves_the_batch_and_goes_on() -> None:
    prompts = some_prompts(40, longest=6)
    cramped, roomy = Cramped(room=5), Cramped(room=100)
    scores = label_log_probs(cramped, prompts, LABELS, together=False)
    np.testing.assert_allclose(scores, label_log_probs(roomy, prompts, LABELS, together=False), atol=1e-9)
    assert cramped.widest_batch == 5
    assert roomy.widest_batch == 40


def test_a_row_that_does_not_fit_alone_is_one_sentence() -> None:
    with pytest.raises(PredictionError, match="A row of 6 tokens does not fit"):
        label_log_probs(Cramped(room=0), [[1] * 6, [1]], LABELS, together=False)

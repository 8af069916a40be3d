"""A scorer gives the probabilities of the adapter it was loaded with."""

# ruff: noqa: E402 - imports wait for importorskip

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the training extra")
peft = pytest.importorskip("peft", reason="needs the training extra")
transformers = pytest.importorskip("transformers", reason="needs the training extra")

from loramake.artifact_types.dataset import LabelShift
from loramake.errors import ArtifactError, ConfigError, PredictionError
from loramake.llm.scorer import LabelScorer, load_scorer
from tests.conftest import ROOT

TINY = ROOT / "models" / "tiny"
LABELS = ["1", "10", "yes", "no", "Iris-setosa"]
RECORDS = [
    {"instruction": "Answer.", "input": f"age {age} sex M " * (age % 5 + 1), "row": age} for age in range(20, 32)
]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen2 with models/tiny's tokenizer."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer = transformers.AutoTokenizer.from_pretrained(TINY)
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,
    )
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def adapter(base: Path, folder: Path, **settings: Any) -> Path:
    """A LoRA adapter whose weights are random, and so change the answers."""
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    wrapped = peft.get_peft_model(
        model, peft.LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", **settings)
    )
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                weight.normal_(std=0.2)
    wrapped.save_pretrained(folder)
    return folder


def config(base: Path, **settings: Any) -> dict[str, Any]:
    """A LlamaFactory predict YAML's content, with keys of the trainer in it."""
    return {
        "model_name_or_path": str(base),
        "stage": "sft",
        "do_predict": True,
        "finetuning_type": "lora",
        "template": "qwen",
        "cutoff_len": 256,
        "per_device_eval_batch_size": 8,
        "predict_with_generate": True,
        "output_dir": "out",
        **settings,
    }


def by_peft(base: Path, adapter: Path, scorer: LabelScorer) -> Any:
    """The probabilities by peft's own, unmerged model and a plain loop."""
    model = peft.PeftModel.from_pretrained(transformers.AutoModelForCausalLM.from_pretrained(base), adapter).eval()
    scores = np.empty((len(RECORDS), len(LABELS)))
    for row, record in enumerate(RECORDS):
        for column, text in enumerate(LABELS):
            prompt, label = scorer.encoder.prompt_ids(record), scorer.encoder.label_ids(text)
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([prompt + label])).logits[0].double().log_softmax(-1)
            scores[row, column] = sum(logits[len(prompt) - 1 + at, token] for at, token in enumerate(label))
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`")
@pytest.mark.parametrize(
    "settings",
    [{}, {"use_dora": True}, {"modules_to_save": ["embed_tokens", "lm_head"]}],
    ids=["lora", "dora", "saved"],
)
def test_probabilities_are_those_of_peft(base: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    trained = adapter(base, tmp_path / "adapter", **settings)
    scorer = load_scorer(config(base), trained)
    probabilities = scorer.probabilities(RECORDS, LABELS)
    np.testing.assert_allclose(probabilities, by_peft(base, trained, scorer), atol=1e-5)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-12)
    bare = load_scorer(config(base)).probabilities(RECORDS, LABELS)
    assert np.abs(probabilities - bare).max() > 0.01


def test_balancing_is_corrected_for(base: Path) -> None:
    shift: LabelShift = {"train": {"yes": 10, "no": 90}, "balanced": {"yes": 90, "no": 90}}
    learned = load_scorer(config(base)).probabilities(RECORDS, LABELS)
    corrected = load_scorer(config(base), label_shift=shift).probabilities(RECORDS, LABELS)
    odds = [
        probabilities[:, LABELS.index("yes")] / probabilities[:, LABELS.index("no")]
        for probabilities in (learned, corrected)
    ]
    np.testing.assert_allclose(odds[1], odds[0] / 9, rtol=1e-6)


def test_the_adapter_is_merged_into_the_base(base: Path, tmp_path: Path) -> None:
    model = load_scorer(config(base), adapter(base, tmp_path)).backend.model
    assert isinstance(model, transformers.Qwen2ForCausalLM)
    assert not any("lora" in name for name, _ in model.named_modules())
    assert not model.training


def test_infer_dtype_is_honoured(base: Path) -> None:
    assert load_scorer(config(base)).backend.model.dtype == torch.float32
    scorer = load_scorer(config(base, infer_dtype="bfloat16"))
    assert scorer.backend.model.dtype == torch.bfloat16
    np.testing.assert_allclose(scorer.probabilities(RECORDS, LABELS).sum(axis=1), 1.0, atol=1e-12)


def test_without_a_template_the_tokenizers_own_is_used(base: Path) -> None:
    settings = config(base)
    del settings["template"]
    scorer = load_scorer(settings)
    assert scorer.probabilities(RECORDS, LABELS).shape == (len(RECORDS), len(LABELS))
    assert scorer.encoder.tokenizer.decode(scorer.encoder.label_ids("yes")) == "yes<|im_end|>"


def test_progress_is_told_and_rows_keep_their_order(base: Path) -> None:
    seen: list[tuple[int, int]] = []
    scorer = load_scorer(config(base))
    together = scorer.probabilities(RECORDS, LABELS, advance=lambda *at: seen.append(at))
    alone = np.concatenate([scorer.probabilities([record], LABELS) for record in RECORDS])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert seen[-1] == (len(RECORDS), len(RECORDS))


def test_no_records_give_no_rows(base: Path) -> None:
    assert load_scorer(config(base)).probabilities([], LABELS).shape == (0, len(LABELS))


def test_a_row_over_cutoff_len_is_named(base: Path) -> None:
    scorer = load_scorer(config(base, cutoff_len=120))
    with pytest.raises(PredictionError, match=r"Row 26 has \d+ tokens .* cutoff_len 120"):
        scorer.probabilities([RECORDS[0], {**RECORDS[4], "input": "age " * 200}], LABELS)


def test_a_row_that_just_fits_is_scored(base: Path) -> None:
    scorer = load_scorer(config(base))
    needed = max(len(scorer.encoder.prompt_ids(record)) for record in RECORDS)
    needed += max(len(scorer.encoder.label_ids(text)) for text in LABELS)
    LabelScorer(scorer.backend, scorer.encoder, needed).probabilities(RECORDS, LABELS)
    with pytest.raises(PredictionError, match="cutoff_len"):
        LabelScorer(scorer.backend, scorer.encoder, needed - 1).probabilities(RECORDS, LABELS)


@pytest.mark.parametrize("labels", [["yes", "yes"], []])
def test_labels_that_cannot_be_told_apart_are_refused(base: Path, labels: list[str]) -> None:
    with pytest.raises(PredictionError, match=r"told apart|no labels"):
        load_scorer(config(base)).probabilities(RECORDS, labels)


def test_a_template_with_tokens_that_the_model_has_not_is_refused(base: Path) -> None:
    with pytest.raises(PredictionError, match="has no embedding for"):
        load_scorer(config(base, template="llama3")).probabilities(RECORDS, LABELS)


def test_a_damaged_model_is_no_probability(base: Path) -> None:
    scorer = load_scorer(config(base))
    with torch.no_grad():
        scorer.backend.model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(PredictionError, match="row 22 is not a number \\(12 such rows\\)"):
        scorer.probabilities(RECORDS, LABELS)


def test_what_cannot_be_loaded_is_one_sentence(base: Path, tmp_path: Path) -> None:
    with pytest.raises(PredictionError, match="does not exist: run snakemake to make the adapter"):
        load_scorer(config(base), tmp_path / "absent")
    with pytest.raises(ArtifactError, match=r"adapter_config\.json does not exist"):
        load_scorer(config(base), tmp_path)
    trained = adapter(base, tmp_path / "other", modules_to_save=["embed_tokens", "lm_head"])
    settings = json.loads((trained / "adapter_config.json").read_text())
    (trained / "adapter_config.json").write_text(json.dumps({**settings, "target_modules": ["absent"]}))
    with pytest.raises(PredictionError, match=r"with the adapter .* cannot be loaded \("):
        load_scorer(config(base), trained)
    with pytest.raises(ConfigError, match="did you mean qwen"):
        load_scorer(config(base, template="qwenn"))


def test_loading_and_scoring_are_silent(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    trained = adapter(base, tmp_path)
    capfd.readouterr()
    environment = dict(os.environ)
    load_scorer(config(base), trained).probabilities(RECORDS, LABELS)
    assert capfd.readouterr() == ("", "")
    assert dict(os.environ) == environment

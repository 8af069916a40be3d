"""Tokens of prompts and labels are those of LlamaFactory's own supervised processor."""

import copy
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("llamafactory", reason="needs the training extra")

from llamafactory.data.processor import SupervisedDatasetProcessor
from llamafactory.data.template import TEMPLATES, get_template_and_fix_tokenizer
from llamafactory.extras.constants import DEFAULT_TEMPLATE, IGNORE_INDEX
from llamafactory.hparams import DataArguments
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from loramake.errors import ConfigError, PredictionError
from loramake.llm.encoding import Encoder, encoder_for, find_template, load_encoder, quiet
from tests.conftest import ROOT

TINY = ROOT / "models" / "tiny"
LABELS = ["1", "10", "yes", "Iris-setosa", "ü", "a b", "", " 1", "<|im_end|>"]
RECORDS = [
    {"instruction": "Is it malignant?", "input": "radius 12.5, texture high"},
    {"instruction": "Just the one line", "input": ""},
    {"instruction": "", "input": "größe: 3 µm"},
]
NEED_A_PROCESSOR = {
    "dots_ocr", "ernie_vl", "gemma3", "gemma3n", "gemma4", "gemma4n", "glm4v", "glm4_5v", "glm_ocr",
    "granite3_vision", "intern_vl", "intern_s1", "keye_vl", "kimi_vl", "lfm2_vl", "llama4", "mllama", "llava",
    "llava_next", "llava_next_llama3", "llava_next_mistral", "llava_next_qwen", "llava_next_yi", "llava_next_video",
    "llava_next_video_mistral", "llava_next_video_yi", "mimo_vl", "minicpm_v", "minicpm_v_4_6", "minicpm_o",
    "mistral_small", "ministral3", "paligemma", "paligemma_chat", "pixtral", "qwen2_audio", "qwen2_omni", "qwen2_vl",
    "qwen3_omni", "qwen3_omni_nothink", "qwen3_vl", "qwen3_vl_nothink", "qwen3_5", "qwen3_5_nothink", "qwen3_6",
    "video_llava", "yi_vl", "youtu_vl",
}  # fmt: skip


def byte_level_tokenizer() -> Any:
    """Byte-level BPE with a bos and an eos token and no chat template."""
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        show_progress=False,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    bare.train_from_iterator(["yes no Iris-setosa radius texture 10 10 10"] * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bare, bos_token="<s>", eos_token="</s>")


@pytest.fixture(scope="module", params=["tiny", "byte_level"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return AutoTokenizer.from_pretrained(TINY) if request.param == "tiny" else byte_level_tokenizer()


@pytest.fixture(scope="module")
def vision_processor() -> Any:
    """What LlamaFactory's multimodal plugins look at before they find that there is only text."""
    image = SimpleNamespace(
        merge_size=2, patch_size=14, temporal_patch_size=2, merge_kernel_size=(2, 2), max_slice_nums=1, use_image_id=1
    )
    tokens = [
        "boi",
        "eoi",
        "image",
        "boa",
        "eoa",
        "audio",
        "audio_bos",
        "audio_eos",
        "vision_bos",
        "vision_eos",
        "video",
    ]
    sequences = {"full_image_sequence": "<f>", "full_audio_sequence": "<a>", "image_seq_length": 4, "patch_size": 14}
    parts = {"image_processor": image, "video_processor": image, "feature_extractor": image, "audio_processor": image}
    return SimpleNamespace(**{f"{name}_token": f"<{name}>" for name in tokens}, **sequences, **parts)


def trained_on(
    tokenizer: Any, template: str | None, record: dict[str, str], label: str, processor: Any = None, **settings: Any
) -> tuple[list[int], list[int]]:
    """Token ids before and inside the loss, by LlamaFactory's processor over the whole example."""
    tokenizer, arguments = copy.deepcopy(tokenizer), DataArguments(template=template, **settings)
    supervised = SupervisedDatasetProcessor(
        get_template_and_fix_tokenizer(tokenizer, arguments), tokenizer, processor, arguments
    )
    content = "\n".join(part for part in (record["instruction"], record["input"]) if part)
    messages = [[{"role": "user", "content": content}], [{"role": "assistant", "content": label}]]
    ids, labels = supervised._encode_data_example(*messages, "", "", [], [], [])
    inside = [token for token in labels if token != IGNORE_INDEX]
    assert ids[len(ids) - len(inside) :] == inside
    return ids[: len(ids) - len(inside)], inside


def encoder(tokenizer: Any, template: str | None, processor: Any = None, **settings: Any) -> Encoder:
    return encoder_for(copy.deepcopy(tokenizer), DataArguments(template=template, **settings), processor)


@pytest.mark.parametrize(
    "template",
    ["qwen", "qwen3", "qwen3_nothink", "llama3", "llama2", "gemma", "gemma2", "chatml", "alpaca", "breeze", "mistral",
     "deepseekr1", "glm4", "chatglm3", "phi4", "default", "fewshot"],
)  # fmt: skip
def test_tokens_are_those_that_llamafactory_trains_on(tokenizer: Any, template: str) -> None:
    ours = encoder(tokenizer, template)
    for record in RECORDS:
        for label in LABELS:
            pair = (ours.prompt_ids(record), ours.label_ids(label))
            assert pair == trained_on(tokenizer, template, record, label), (record, label)


def test_every_registered_template_is_encoded_as_llamafactory_does_or_refused(
    tokenizer: Any, vision_processor: Any
) -> None:
    refused = {}
    for template in TEMPLATES:
        try:
            ours = encoder(tokenizer, template, vision_processor)
        except PredictionError as error:
            refused[template] = str(error)
            continue
        for record, label in zip(RECORDS, ["1", "10", "Iris-setosa"], strict=True):
            pair = (ours.prompt_ids(record), ours.label_ids(label))
            assert pair == trained_on(tokenizer, template, record, label, vision_processor), template
    assert len(TEMPLATES) > 100
    assert set(refused) == {"empty"}
    assert "no end" in refused["empty"]


def test_without_a_processor_the_templates_of_image_and_audio_models_are_refused(tokenizer: Any) -> None:
    refused = set()
    for template in set(TEMPLATES) - {"empty"}:
        try:
            encoder(tokenizer, template)
        except PredictionError:
            refused.add(template)
            with pytest.raises(ValueError, match="not found"):
                trained_on(tokenizer, template, RECORDS[0], "1")
    assert refused == NEED_A_PROCESSOR


def test_the_tokenizers_own_chat_template_is_used_where_none_is_named() -> None:
    tokenizer = AutoTokenizer.from_pretrained(TINY)
    ours = load_encoder(str(TINY), None)
    for label in LABELS:
        pair = (ours.prompt_ids(RECORDS[0]), ours.label_ids(label))
        assert pair == trained_on(tokenizer, None, RECORDS[0], label)
    assert ours.tokenizer.decode(ours.label_ids("yes")) == "yes<|im_end|>"


def test_a_reasoning_chat_template_in_the_tokenizer_gets_its_empty_think_block() -> None:
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}<{{ m['role'] }}>{% if m['role'] == 'assistant' %}<think>\n\n</think>\n\n{% endif %}"
        "{{ m['content'] }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    ours = encoder(tokenizer, None)
    assert (ours.prompt_ids(RECORDS[0]), ours.label_ids("no")) == trained_on(tokenizer, None, RECORDS[0], "no")
    assert "<think>" in ours.tokenizer.decode(ours.label_ids("no"))


@pytest.mark.parametrize("thinking", [True, False, None])
def test_the_empty_think_block_is_where_enable_thinking_puts_it(tokenizer: Any, thinking: bool | None) -> None:
    ours = encoder(tokenizer, "qwen3", enable_thinking=thinking)
    expected = trained_on(tokenizer, "qwen3", RECORDS[0], "yes", enable_thinking=thinking)
    assert (ours.prompt_ids(RECORDS[0]), ours.label_ids("yes")) == expected
    where = ours.label_ids("yes") if thinking else ours.prompt_ids(RECORDS[0])
    assert "<think>" in ours.tokenizer.decode(where)


def test_a_label_with_think_tags_that_would_change_the_prompt_is_refused(tokenizer: Any) -> None:
    ours = encoder(tokenizer, "qwen3", enable_thinking=None)
    with pytest.raises(PredictionError, match="think tags"):
        ours.label_ids("<think>\nso\n</think>\n\nyes")


def test_a_label_or_prompt_over_the_usual_cutoff_is_not_cut(tokenizer: Any) -> None:
    ours, long = encoder(tokenizer, "qwen"), "a b " * 5000
    assert ours.tokenizer.decode(ours.label_ids(long)) == f"{long}<|im_end|>\n"
    prompt = ours.tokenizer.decode(ours.prompt_ids({"instruction": long, "input": ""}))
    assert prompt.endswith(f"{long}<|im_end|>\n<|im_start|>assistant\n")


def test_a_system_prompt_of_one_encoder_does_not_reach_the_next(tokenizer: Any) -> None:
    shouting = encoder(tokenizer, "qwen", default_system="Answer in capitals.")
    assert "capitals" in shouting.tokenizer.decode(shouting.prompt_ids(RECORDS[0]))
    plain = encoder(tokenizer, "qwen")
    assert "capitals" not in plain.tokenizer.decode(plain.prompt_ids(RECORDS[0]))


def test_a_chat_template_that_llamafactory_cannot_parse_asks_for_a_template() -> None:
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = "{{ raise_exception('no system role') }}"
    with pytest.raises(ConfigError, match="template: the chat template cannot be used"):
        encoder(tokenizer, None)


def test_no_template_at_all_is_never_llamafactorys_empty_one(tmp_path: Path) -> None:
    byte_level_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"set template in config.yaml"):
        load_encoder(str(tmp_path), None)
    with pytest.raises(ConfigError, match=r"set template in config.yaml"):
        find_template(str(tmp_path), None)


def test_a_named_template_wins_and_a_misspelt_one_names_the_nearest() -> None:
    assert find_template("Qwen/Qwen3-0.6B", "llama3") == "llama3"
    with pytest.raises(ConfigError, match="'lama3' \\(did you mean llama3\\?\\)"):
        find_template("Qwen/Qwen3-0.6B", "lama3")


@pytest.mark.parametrize(
    ("model", "template"),
    [("Qwen/Qwen2.5-0.5B-Instruct", "qwen"), ("Qwen/Qwen3-0.6B", "qwen3"), ("LLM-Research/gemma-3-4b-it", "gemma3")],
)
def test_the_registry_is_asked_by_exact_hub_id(model: str, template: str) -> None:
    assert find_template(model, None) == template


def test_every_template_of_the_registry_of_models_exists() -> None:
    assert set(DEFAULT_TEMPLATE.values()) <= set(TEMPLATES)


def test_a_folder_named_like_a_registered_model_is_not_taken_for_it(tmp_path: Path) -> None:
    folder = tmp_path / "Qwen" / "Qwen3-0.6B"
    AutoTokenizer.from_pretrained(TINY).save_pretrained(folder)
    assert find_template(str(folder), None) is None


def test_a_folder_without_a_tokenizer_is_one_sentence(tmp_path: Path) -> None:
    for attempt in (lambda: find_template(str(tmp_path), None), lambda: load_encoder(str(tmp_path), "qwen")):
        with pytest.raises(ConfigError, match=r"model: the tokenizer of .* cannot be loaded \("):
            attempt()


def test_loading_is_silent_and_leaves_logging_and_the_network_as_they_were(
    capfd: pytest.CaptureFixture[str],
) -> None:
    import huggingface_hub.constants as hub

    before = (hub.HF_HUB_OFFLINE, logging.getLogger("llamafactory").level, dict(os.environ))
    load_encoder(str(TINY), "qwen3")
    assert capfd.readouterr() == ("", "")
    assert (hub.HF_HUB_OFFLINE, logging.getLogger("llamafactory").level, dict(os.environ)) == before
    with quiet(str(TINY)):
        assert hub.is_offline_mode()
    with quiet("some/hub-model"):
        assert hub.is_offline_mode() == before[0]


def test_planning_needs_no_training_extra() -> None:
    code = (
        "import sys\n"
        "sys.modules.update(torch=None, llamafactory=None, transformers=None)\n"  # None makes an import fail
        "import loramake.llm.encoding, loramake.llm.log_probs, loramake.llm.scorer\n"
        "try:\n"
        "    loramake.llm.encoding.find_template('a/b', 'qwen')\n"
        "except loramake.errors.ConfigError as error:\n"
        "    print(error)\n"
    )
    root = ROOT
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert "llamafactory is needed and cannot be imported (" in done.stdout
    assert "-m pip install -e " in done.stdout

"""models/tiny: what the workflow relies on in the embedded base, and that its recipe makes it again."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

TINY = Path(__file__).resolve().parents[2] / "models" / "tiny"
VALUES = [f"<b{i}>" for i in range(16)] + ["<na>"]
MAX_BYTES = 16 * 1024 * 1024


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(TINY)


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tiny_recipe", TINY / "recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def card() -> dict:
    _, front, _ = (TINY / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(front)


def test_the_folder_is_small_enough_to_live_in_git() -> None:
    assert sum(path.stat().st_size for path in TINY.rglob("*") if path.is_file()) <= MAX_BYTES


def test_plain_transformers_loads_a_model_whose_embeddings_fit_the_tokenizer(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    model = AutoModelForCausalLM.from_pretrained(TINY)
    assert type(model).__name__ == "Qwen2ForCausalLM"
    assert model.get_input_embeddings().num_embeddings == len(tokenizer)
    assert model.config.tie_word_embeddings
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert not model.generation_config.do_sample


def test_the_chat_marks_are_the_ends_and_the_padding(tokenizer: PreTrainedTokenizerBase) -> None:
    assert (tokenizer.eos_token, tokenizer.pad_token, tokenizer.bos_token) == ("<|im_end|>", "<|endoftext|>", None)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("text", ["{}", " {}", "x {} y", "age{}age", "a={};", "1{}2", "{}{}", "<{}>", "\n{}\n"])
def test_a_value_is_one_token_wherever_it_stands(tokenizer: PreTrainedTokenizerBase, value: str, text: str) -> None:
    whole = text.replace("{}", value)
    ids = tokenizer.encode(whole, add_special_tokens=False)
    pieces = [piece.strip() for piece in tokenizer.convert_ids_to_tokens(ids)]
    assert pieces.count(value) == text.count("{}")
    assert tokenizer.decode(ids, skip_special_tokens=True) == whole


def test_any_text_survives_the_round_trip(tokenizer: PreTrainedTokenizerBase) -> None:
    text = "héart_rate 3.14 <b99> <b-1>  two  spaces\tÜ 年 🐧 maleFemale"
    assert tokenizer.decode(tokenizer.encode(text), skip_special_tokens=True) == text


def test_llamafactory_reads_chatml_without_a_system_text(tokenizer: PreTrainedTokenizerBase) -> None:
    parse_template = pytest.importorskip("llamafactory.data.template").parse_template
    template = parse_template(tokenizer)
    assert template.format_user.slots == ["<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n"]
    assert template.format_assistant.slots == ["{{content}}<|im_end|>\n"]
    assert template.format_system.slots == ["<|im_start|>system\n{{content}}<|im_end|>\n"]
    assert template.default_system == ""
    assert template.format_prefix.slots == []


def test_the_card_names_the_tokens_that_the_tokenizer_has(card: dict, tokenizer: PreTrainedTokenizerBase) -> None:
    ours = card["loramake"]
    numbers = ours["number_format"]
    assert card["license"] == "mit"
    assert numbers["kind"] == "bins"
    tokens = [numbers["token"].format(i) for i in range(numbers["bins"])] + [ours["missing_token"]]
    assert tokens == VALUES
    assert all(len(tokenizer.encode(token, add_special_tokens=False)) == 1 for token in tokens)


def test_the_card_formats_and_settings_can_be_used(card: dict) -> None:
    ours = card["loramake"]
    assert ours["feature_format"].format(name="age", value="<b3>")
    assert ours["instruction"].format(target="y", labels="a, b")
    assert isinstance(ours["settings"]["learning_rate"], float)  # "1e-3" without a dot is a string in YAML
    assert all(not isinstance(value, dict | list) for value in ours["settings"].values())


def make(recipe: ModuleType, out: Path, seed: int) -> dict[str, bytes]:
    """The files of one run of the recipe's two halves."""
    tokenizer = recipe.make_tokenizer(seed)
    recipe.save_tokenizer(tokenizer, out)
    recipe.save_model(recipe.make_model(tokenizer, seed), out)
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_the_same_seed_makes_the_same_bytes_and_another_seed_other_weights(recipe: ModuleType, tmp_path: Path) -> None:
    first, again, other = (make(recipe, tmp_path / name, seed) for name, seed in [("a", 0), ("b", 0), ("c", 1)])
    assert first == again
    assert first["model.safetensors"] != other["model.safetensors"]


def test_the_committed_tokenizer_is_the_one_that_the_recipe_makes(recipe: ModuleType, tmp_path: Path) -> None:
    made = make(recipe, tmp_path, seed=0)
    assert json.loads(made["tokenizer.json"]) == json.loads((TINY / "tokenizer.json").read_text(encoding="utf-8"))


def test_the_committed_weights_are_the_ones_that_the_recipe_makes(recipe: ModuleType) -> None:
    committed = AutoModelForCausalLM.from_pretrained(TINY).state_dict()
    made = recipe.make_model(recipe.make_tokenizer(0), 0).state_dict()
    assert made.keys() == committed.keys()
    assert all((made[name] - committed[name]).abs().max() < 1e-6 for name in made)

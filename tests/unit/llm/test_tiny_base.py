"""models/tiny: what the workflow relies on in the embedded base, and the recipe that makes it."""

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from loramake.config import check_config
from tests.conftest import ROOT

TINY = ROOT / "models/tiny"
PRETRAINING = ROOT / "pretraining"
LABELS = [f"<c{i}>" for i in range(10)]
VALUES = [f"<b{i}>" for i in range(16)] + ["<na>"]
WORDS = ["age", "size", "weight", "city", "price", "colour", "height", "team", "route"]
"""Cells of words that have an order, which give what a number instead would."""
MAX_BYTES = 16 * 1024 * 1024


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(TINY)


@pytest.fixture(scope="module")
def recipe() -> Iterator[SimpleNamespace]:
    """The modules of pretraining/, which import each other by bare names as scripts do."""
    sys.path.insert(0, str(PRETRAINING))
    names = ("tokenizer", "prior", "rows", "pretrain")
    yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    sys.path.remove(str(PRETRAINING))
    for name in names:
        del sys.modules[name]


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


@pytest.mark.parametrize("value", [*VALUES, *LABELS])
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
    assert template.format_assistant.slots == ["{{content}}<|im_end|>"]
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
    tokens += [ours["label_format"]["token"].format(i) for i in range(ours["label_format"]["labels"])]
    assert tokens == VALUES + LABELS
    assert all(len(tokenizer.encode(token, add_special_tokens=False)) == 1 for token in tokens)


def test_the_card_formats_and_settings_can_be_used(card: dict) -> None:
    ours = card["loramake"]
    assert ours["feature_format"].format(name="age", value="<b3>")
    assert ours["instruction"].format(target="y", labels="a, b")
    assert isinstance(ours["settings"]["learning_rate"], float)  # "1e-3" without a dot is a string in YAML
    check_config(ours["settings"])


def pretrain(out: Path, work: Path, steps: int) -> subprocess.CompletedProcess[str]:
    """The recipe as a user runs it, a few steps long."""
    return subprocess.run(command(out, work, steps), capture_output=True, text=True, check=False)


def command(out: Path, work: Path, steps: int) -> list[str]:
    script = str(PRETRAINING / "pretrain.py")
    options = ["--steps", str(steps), "--every", "1", "--threads", "1", "--out", str(out), "--work", str(work)]
    return [sys.executable, script, *options]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_killed_pretraining_goes_on_and_ends_with_the_bytes_of_an_unbroken_one(tmp_path: Path) -> None:
    whole = pretrain(tmp_path / "whole", tmp_path / "work", steps=6)
    assert whole.returncode == 0, whole.stderr
    broken = command(tmp_path / "broken", tmp_path / "broken-work", steps=6)
    process = subprocess.Popen(broken, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert any("step 2 of 6" in line for line in process.stdout)
    process.kill()
    process.wait()
    assert not (tmp_path / "broken").exists()
    again = pretrain(tmp_path / "broken", tmp_path / "broken-work", steps=6)
    assert re.search(r"going on from step [2-6]", again.stdout), again.stderr
    assert files(tmp_path / "broken") == files(tmp_path / "whole")
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "whole").num_parameters() < 2_000_000
    lines = [json.loads(line) for line in (tmp_path / "work/log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    other = pretrain(tmp_path / "whole", tmp_path / "work", steps=7)
    assert other.returncode == 1
    assert "is of another recipe: delete" in other.stderr


def test_the_committed_tokenizer_is_the_one_that_the_recipe_makes(recipe: SimpleNamespace, tmp_path: Path) -> None:
    made = recipe.tokenizer.make_tokenizer(PRETRAINING / "words.txt", 0)
    recipe.tokenizer.save_tokenizer(made, tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert json.loads((tmp_path / name).read_bytes()) == json.loads((TINY / name).read_bytes())


def test_what_is_stated_beside_the_tokens_of_a_row_makes_its_probabilities(
    recipe: SimpleNamespace, tokenizer: PreTrainedTokenizerBase
) -> None:
    """The scores are added up again from what a reader of the tokens sees: each cell, and the statement beside it."""
    encoder, rng = recipe.rows.RowEncoder(tokenizer), np.random.default_rng(0)
    prior = recipe.prior.Prior(WORDS, [0, 0], many_labels=0.5)
    batch = recipe.rows.make_batch(prior, encoder, rng, [3] * 40, 2)
    shape = (recipe.tokenizer.LABELS, recipe.prior.BASES)
    effects = batch.effects.numpy().reshape(-1, *shape) / recipe.rows.LENGTHS
    scores = np.zeros((len(batch.ids), shape[0]))
    for row, position, effect in zip(*(part.tolist() for part in batch.stated), effects, strict=True):
        scores[row] += effect @ bases_at(recipe, tokenizer, batch.ids[row].tolist(), position)
    has = batch.probabilities.numpy() > 0
    expected = np.where(has, np.exp(scores), 0)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(batch.probabilities.numpy(), expected, atol=1e-4)


def test_the_committed_weights_apply_rules_that_the_recipe_states(
    recipe: SimpleNamespace, tokenizer: PreTrainedTokenizerBase
) -> None:
    """On tables that no pretraining step has drawn; how they are stated follows from the recipe's seed alone."""
    model = AutoModelForCausalLM.from_pretrained(TINY).eval()
    encoder, rng = recipe.rows.RowEncoder(tokenizer), np.random.default_rng(0)
    prior = recipe.prior.Prior(WORDS, [1234, 0], many_labels=0.3)
    batch = recipe.rows.make_batch(prior, encoder, rng, [4] * 100, 2)
    statement = recipe.pretrain.Statement(model, seed=0)

    def divergence(effects: torch.Tensor) -> float:
        statement.state(replace(batch, effects=effects))
        with torch.no_grad():
            return float(recipe.pretrain.losses(model, batch, encoder.labels, tokenizer.eos_token_id)[1])

    assert divergence(batch.effects) < 0.5 * divergence(torch.zeros_like(batch.effects))


def bases_at(
    recipe: SimpleNamespace, tokenizer: PreTrainedTokenizerBase, ids: list[int], position: int
) -> NDArray[np.float64]:
    """What the cell at a position gives to each basis: each to the constant one, a number and a gap to others, too."""
    bases, text = np.eye(recipe.prior.BASES)[0], tokenizer.decode([ids[position]]).strip()
    if match := re.fullmatch(r"<(?:f\d+)?b(\d+)>", text):
        return bases + recipe.prior.CELL_BASES[int(match[1])]
    if re.fullmatch(r"<(?:f\d+)?na>", text):
        return bases + recipe.prior.CELL_BASES[recipe.prior.MISSING_CELL]
    return bases


def test_made_up_tables_repeat_with_their_seed(recipe: SimpleNamespace) -> None:
    def draw(seed: int) -> list[str]:
        prior = recipe.prior.Prior(WORDS, [seed, 0], many_labels=0.5)
        return [str(prior.table(4, 5).probabilities.tolist()) for _ in range(3)]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)

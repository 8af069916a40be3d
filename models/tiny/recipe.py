"""Makes the embedded base model of loramake: a small random-weight Qwen2 and a byte-level tokenizer.

The weights are random on purpose: a LoRA adapter on every linear layer learns a table of quantile-bin tokens from
a frozen random backbone (LottaLoRA, arXiv 2604.08749). The tokenizer sees only the words of `words.txt` beside this
file and rows drawn from them, never a demo CSV. The same seed gives the same bytes on the same library versions.

    python models/tiny/recipe.py [--out models/tiny] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from transformers.utils.logging import disable_progress_bar

HERE = Path(__file__).resolve().parent
BINS = 16
VOCABULARY = 4096  # all tokens, the added ones too
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
MISSING = "<na>"
# The input embeddings are the output matrix too, and LoRA on the linear layers cannot grow them: at the usual std of
# 0.02 no logit gets above 11.3 * 0.23 = 2.6, so a label among 4,096 tokens never becomes likely.
EMBEDDING_STD = 0.1
LINEAR_STD = 0.05

# A chunk is a word, a camelCase part, a run of capitals, one digit or punctuation, with the space before it.
SPLIT = r" ?\p{Lu}?\p{Ll}+| ?\p{Lu}+(?!\p{Ll})| ?\p{L}| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def value_tokens(bins: int = BINS) -> list[str]:
    """The tokens that stand for a number's bin or a missing value, each with and without the space before it.

    Both forms are needed for one token per value *and* an exact decode: an added token that swallowed the space
    (`lstrip`) would not give it back.
    """
    bare = [f"<b{i}>" for i in range(bins)] + [MISSING]
    return bare + [f" {token}" for token in bare]


def read_words(path: Path) -> list[str]:
    """The words of the list, in its order; lines that start with # are remarks."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [word for line in lines if not line.startswith("#") for word in line.split()]


def spellings(word: str) -> list[str]:
    """The forms in which CSV headers and cells hold a word: alone, or behind an underscore or another word's end."""
    return [f" {word}", f" {word.title()}", word.title(), word]


def synthetic_text(words: list[str], seed: int, rows: int = 4000) -> Iterator[str]:
    """Rows of made-up tables: words in all their spellings, letter pairs as codes, digits, and the chat roles."""
    rng = random.Random(seed)
    weights = [1 / (400 + place) for place in range(len(words))]  # early words of the list are merged first
    for _ in range(rows):
        yield "".join(rng.choice(spellings(word)) for word in rng.choices(words, weights, k=12))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for first in letters:
        yield " ".join(f"{first}{second}" for second in letters)
    yield from ["user\n", "assistant\n", "0 1 2 3 4 5 6 7 8 9"] * rows


def make_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE of VOCABULARY tokens with the chat markers and the value tokens added."""
    values = value_tokens()
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(values),
        special_tokens=[PAD, START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(synthetic_text(read_words(HERE / "words.txt"), seed), trainer)
    core.add_tokens([AddedToken(token, normalized=False, special=False) for token in values])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token=END, pad_token=PAD, model_max_length=2048, clean_up_tokenization_spaces=False
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def make_config(tokenizer: PreTrainedTokenizerFast) -> Qwen2Config:
    """Hidden size 128, four layers of four heads, input and output embeddings tied."""
    return Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=LINEAR_STD,
    )


def make_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> Qwen2ForCausalLM:
    """Random weights of float32, every matrix drawn from its own line below rather than by the library's default."""
    model = Qwen2ForCausalLM(make_config(tokenizer)).to(torch.float32)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() < 2:
                continue  # norms stay one, biases zero
            std = EMBEDDING_STD if "embed_tokens" in name else LINEAR_STD
            weight.copy_(torch.randn(weight.shape, generator=generator) * std)
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    return model


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Writes tokenizer.json and tokenizer_config.json; the template inside, where readers of every version look."""
    tokenizer.save_pretrained(out, save_jinja_files=False)
    path = out / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"  # the name that transformers 4 and 5 both know
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def save_model(model: Qwen2ForCausalLM, out: Path) -> int:
    """Writes the weights and both configurations; returns the bytes of the weights."""
    model.save_pretrained(out)
    weights = out / "model.safetensors"
    weights.chmod(0o644)  # safetensors writes for the owner alone
    return weights.stat().st_size


def main() -> None:
    """Makes the model folder and says what was made."""
    parser = argparse.ArgumentParser(description="Make the embedded base model of loramake.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write (default: models/tiny)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the text and of the weights (default: 0)")
    args = parser.parse_args()
    started = time.perf_counter()
    args.out.mkdir(parents=True, exist_ok=True)
    disable_progress_bar()
    tokenizer = make_tokenizer(args.seed)
    save_tokenizer(tokenizer, args.out)
    print(f"tokenizer: {len(tokenizer)} tokens, {BINS} bins, trained on synthetic rows")
    model = make_model(tokenizer, args.seed)
    size = save_model(model, args.out)
    print(f"model: {model.num_parameters():,} random float32 weights, {size / 1e6:.1f} MB")
    print(f"wrote {args.out} in {time.perf_counter() - started:.0f} s, seed {args.seed}")


if __name__ == "__main__":
    main()

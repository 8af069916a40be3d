"""The tokenizer of models/tiny: a byte-level BPE with tokens of its own for cells, bins, missing cells and labels.

It sees the words of `words.txt` beside this file and rows drawn from them, never a demo CSV. The same seed gives the
same bytes on the same library versions.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

BINS = 16
LABELS = 10
COLUMNS = 64
"""Columns whose numbers have tokens of their own, one for each bin."""
CATEGORIES = 128
"""Tokens for categories, whichever column they are of."""
VOCABULARY = 4096  # all tokens, the added ones too
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
MISSING = "<na>"

# A chunk is a word, a camelCase part, a run of capitals, one digit or punctuation, with the space before it.
SPLIT = r" ?\p{Lu}?\p{Ll}+| ?\p{Lu}+(?!\p{Ll})| ?\p{L}| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

# An answer ends with its end: LlamaFactory trains on all that stands behind a label, a newline too.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' }}"
    "{% if message['role'] != 'assistant' %}{{ '\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def bin_token(place: int) -> str:
    """The token of a number's quantile bin."""
    return f"<b{place}>"


def label_token(place: int) -> str:
    """The token that answers with a label, by its place among the labels."""
    return f"<c{place}>"


def cell_token(column: int, place: int) -> str:
    """The token of a bin of one column; of the place after the last bin, its missing cell."""
    return f"<f{column}{'na' if place == BINS else f'b{place}'}>"


def category_token(place: int) -> str:
    """The token of a category of one column, by its place among those of all columns."""
    return f"<v{place}>"


def value_tokens() -> list[str]:
    """The added tokens, each with and without the space before it; cells of all columns but the first with it only.

    Both forms are needed for one token per value *and* an exact decode: an added token that swallowed the space
    (`lstrip`) would not give it back.
    """
    bare = [*map(bin_token, range(BINS)), MISSING, *map(label_token, range(LABELS))]
    bare += [*map(category_token, range(CATEGORIES)), *(cell_token(0, place) for place in range(BINS + 1))]
    later = [cell_token(column, place) for column in range(1, COLUMNS) for place in range(BINS + 1)]
    return bare + [f" {token}" for token in [*bare, *later]]


def read_words(path: Path) -> list[str]:
    """The words of the list, in its order; lines that start with # are remarks."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [word for line in lines if not line.startswith("#") for word in line.split()]


def spellings(word: str) -> list[str]:
    """The forms in which CSV headers and cells hold a word: alone, or behind an underscore or another word's end.

    Those that come most often come more than once.
    """
    return 4 * [f" {word}"] + 2 * [word] + [f" {word.title()}", word.title()]


def synthetic_text(words: list[str], seed: int, rows: int = 8000) -> Iterator[str]:
    """Rows of synthetic tables: words in all their spellings, letter pairs as codes, digits, and the chat roles."""
    rng = random.Random(seed)
    weights = [1 / (400 + place) for place in range(len(words))]  # early words of the list are merged first
    for _ in range(rows):
        yield "".join(rng.choice(spellings(word)) for word in rng.choices(words, weights, k=12))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for first in letters:
        yield " ".join(f"{first}{second}" for second in letters)
    yield from ["user\n", "assistant\n", "0 1 2 3 4 5 6 7 8 9"] * rows


def make_tokenizer(words: Path, seed: int) -> PreTrainedTokenizerFast:
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
    core.train_from_iterator(synthetic_text(read_words(words), seed), trainer)
    core.add_tokens([AddedToken(token, normalized=False, special=False) for token in values])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token=END, pad_token=PAD, model_max_length=2048, clean_up_tokenization_spaces=False
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Writes tokenizer.json and tokenizer_config.json; the template inside, where readers of every version look."""
    tokenizer.save_pretrained(out, save_jinja_files=False)
    path = out / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"  # the name that transformers 4 and 5 both know
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")

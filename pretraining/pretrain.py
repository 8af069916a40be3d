"""Makes models/tiny: pretrains a small Qwen2 on synthetic tables to apply a rule that is stated beside the cells.

    python pretraining/pretrain.py                          # a quarter of an hour on a CPU core, or on a GPU
    python pretraining/pretrain.py --steps 40 --out /tmp/x  # to see that it runs

A row alone does not say what its columns mean, so a model can only learn to read rows where it is told. What each
column gives to each label is therefore added, as a vector, to the hidden state behind the first layer, beside the
column's cell; the model learns to apply it to the cell, to add up the columns and to answer with the probabilities of
the labels. Afterwards nothing is stated. A LoRA adapter on a new table has then only to learn what was stated here, a
vector for each column or category, which its matrices in the first layer can write.

The same seed, steps and threads give the same weights. A killed run goes on from its last checkpoint.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from prior import Prior
from rows import EFFECTS, Batch, RowEncoder, make_batch
from tokenizer import BINS, COLUMNS, END, MISSING, bin_token, cell_token, make_tokenizer, read_words, save_tokenizer
from torch.nn import functional
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

HERE = Path(__file__).resolve().parent
HIDDEN, LAYERS, HEADS = 128, 4, 4
# The input embeddings are the output matrix too, and LoRA on the linear layers cannot grow them: at the usual std of
# 0.02 no logit gets above 11.3 * 0.23 = 2.6, so a label among 4,096 tokens never becomes likely.
EMBEDDING_STD, LINEAR_STD = 0.1, 0.05
LONG_WORDS = 0.15  # of the words that are several tokens, this share is used


@dataclass(frozen=True)
class Recipe:
    """What the weights depend on."""

    steps: int
    seed: int
    tables: int = 48
    """Tables a step, of `rows` rows each."""
    rows: int = 2
    columns: float = 7.0
    """Mean number of columns beyond one, once the curriculum has reached it."""
    most_columns: int = 32
    curriculum: int = 300
    """Steps until tables have as many columns, and as often more than two labels, as they get."""
    rate: float = 3e-3
    warmup: int = 50
    weight_decay: float = 0.01

    def rate_at(self, step: int) -> float:
        """Cosine from the full rate to a twentieth of it."""
        cosine = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return self.rate * min(1.0, (step + 1) / self.warmup) * (0.05 + 0.95 * cosine)

    def widths_at(self, step: int, rng: np.random.Generator) -> list[int]:
        """Columns of each table of a step: alike, so that little is padding."""
        mean = 1 + (self.columns - 1) * self.progress(step)
        middle = 1 + rng.geometric(1 / mean)
        widths = middle + rng.integers(-1, 2, size=self.tables)
        return [int(width) for width in np.clip(widths, 1, self.most_columns)]

    def progress(self, step: int) -> float:
        """How far the curriculum has got, from 0 to 1."""
        return min(1.0, step / self.curriculum)


def make_config(tokenizer: PreTrainedTokenizerFast) -> Qwen2Config:
    """Four layers of four heads of 32, input and output embeddings tied."""
    return Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=3 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=LINEAR_STD,
    )


def make_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> Qwen2ForCausalLM:
    """Random float32 weights; neighbouring bins start alike."""
    model = Qwen2ForCausalLM(make_config(tokenizer)).to(torch.float32)
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:  # norms stay one, biases zero
                weight.copy_(draw(*weight.shape) * (EMBEDDING_STD if "embed_tokens" in name else LINEAR_STD))
        waves = torch.arange(1, 9)
        angles = torch.outer((torch.arange(BINS) + 0.5) / BINS, waves) * math.pi
        smooth = torch.cos(angles) / waves @ draw(len(waves), HIDDEN) * EMBEDDING_STD
        for space in ("", " "):
            ids = tokenizer.convert_tokens_to_ids([f"{space}{bin_token(place)}" for place in range(BINS)])
            model.get_input_embeddings().weight[ids] = smooth + draw(BINS, HIDDEN) * EMBEDDING_STD / 5
        _join_cells(model.get_input_embeddings().weight, tokenizer, draw(COLUMNS, HIDDEN) * EMBEDDING_STD)
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    return model


def _join_cells(weight: torch.Tensor, tokenizer: PreTrainedTokenizerFast, columns: torch.Tensor) -> None:
    """Write each cell's embedding: its column's and its bin's in one; neither has to be brought to the other."""
    values = [f" {token}" for token in [*map(bin_token, range(BINS)), MISSING]]
    bins = weight[tokenizer.convert_tokens_to_ids(values)]
    for place, column in enumerate(columns):
        for space in ("", " ") if place == 0 else (" ",):
            cells = [f"{space}{cell_token(place, cell)}" for cell in range(BINS + 1)]
            weight[tokenizer.convert_tokens_to_ids(cells)] = (column + bins) / math.sqrt(2)


class Statement:
    """Adds the stated rules to the hidden state behind the first layer of a model."""

    def __init__(self, model: Qwen2ForCausalLM, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed + 1)
        orthogonal, _ = torch.linalg.qr(torch.randn(HIDDEN, EFFECTS, generator=generator))
        self._directions = orthogonal.T.to(model.device)
        self._added: torch.Tensor | None = None
        model.model.layers[0].register_forward_hook(self._add)

    def state(self, batch: Batch) -> None:
        """What the next forward pass is told."""
        added = torch.zeros(*batch.ids.shape, HIDDEN, device=self._directions.device)
        added[batch.stated] = batch.effects.to(added.device) @ self._directions
        self._added = added

    def _add(self, _layer: Any, _inputs: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (output[0] + self._added, *output[1:])
        return output + self._added


def losses(model: Qwen2ForCausalLM, batch: Batch, labels: list[int], end: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What is minimised, and of it the divergence (nats a row) of the labels' probabilities from the true ones.

    The rest, a tenth each: that no other token is likely in their place, and that the answer ends.
    """
    hidden = model.model(input_ids=batch.ids.to(model.device)).last_hidden_state
    rows, true = torch.arange(len(batch.ids), device=model.device), batch.probabilities.to(model.device)
    ends = batch.ends.to(model.device)
    logits, after = model.lm_head(hidden[rows, ends]), model.lm_head(hidden[rows, ends + 1])
    own = logits[:, labels].masked_fill(true == 0, -1e4)
    divergence = (torch.xlogy(true, true) - true * own.log_softmax(-1)).sum(-1).mean()
    others = (logits.logsumexp(-1) - logits[:, labels].logsumexp(-1)).mean()
    ending = functional.cross_entropy(after, torch.full_like(ends, end))
    return divergence + 0.1 * (others + ending), divergence.detach()


class Run:
    """A pretraining that can be killed at any time and goes on where its last checkpoint was written."""

    def __init__(self, recipe: Recipe, work: Path, device: str) -> None:
        self.recipe, self._work = recipe, work
        self.tokenizer = make_tokenizer(HERE / "words.txt", recipe.seed)
        self._encoder = RowEncoder(self.tokenizer)
        rng = np.random.default_rng(recipe.seed)
        words = read_words(HERE / "words.txt")
        self._words = [word for word in words if self._encoder.is_short(word) or rng.random() < LONG_WORDS]
        self.model = make_model(self.tokenizer, recipe.seed).to(device)
        self._statement = Statement(self.model, recipe.seed)
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(), recipe.rate, betas=(0.9, 0.98), weight_decay=recipe.weight_decay
        )
        self.step = 0
        self._resume()

    @property
    def _checkpoint(self) -> Path:
        return self._work / "checkpoint.pt"

    def _resume(self) -> None:
        if not self._checkpoint.is_file():
            return
        saved = torch.load(self._checkpoint, map_location=self.model.device, weights_only=True)
        if saved["recipe"] != asdict(self.recipe):
            raise SystemExit(f"{self._checkpoint} is of another recipe: delete {self._work} or name another --work.")
        self.model.load_state_dict(saved["model"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self.step = saved["step"]
        print(f"going on from step {self.step:,}", flush=True)

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        self._work.mkdir(parents=True, exist_ok=True)
        temporary = self._checkpoint.with_suffix(".new")
        state = {"model": self.model.state_dict(), "optimizer": self._optimizer.state_dict()}
        torch.save({**state, "step": self.step, "recipe": asdict(self.recipe)}, temporary)
        temporary.replace(self._checkpoint)

    def _batch(self) -> Batch:
        """Each step draws from a seed of its own, so that a resumed run sees what an unbroken one would have."""
        seed = [self.recipe.seed, self.step]
        rng = np.random.default_rng([*seed, 1])
        progress = self.recipe.progress(self.step)
        prior = Prior(self._words, seed, 0.4 * progress)
        return make_batch(prior, self._encoder, rng, self.recipe.widths_at(self.step, rng), self.recipe.rows)

    def steps(self) -> Iterator[tuple[float, int]]:
        """Train to the end; after each step its divergence, and how many tokens it saw."""
        self.model.train()
        end = self.tokenizer.convert_tokens_to_ids(END)
        while self.step < self.recipe.steps:
            batch = self._batch()
            for group in self._optimizer.param_groups:
                group["lr"] = self.recipe.rate_at(self.step)
            self._statement.state(batch)
            loss, divergence = losses(self.model, batch, self._encoder.labels, end)
            self._optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self._optimizer.step()
            self.step += 1
            yield float(divergence), batch.ids.numel()


def train(run: Run, every: int, log: Path) -> None:
    """Train, print and log a line every so many steps, and keep a checkpoint beside the log."""
    started, seen, divergences = time.perf_counter(), 0, []
    log.parent.mkdir(parents=True, exist_ok=True)
    first = run.step
    for divergence, tokens in run.steps():
        seen += tokens
        divergences.append(divergence)
        if run.step % every == 0 or run.step == run.recipe.steps:
            run.save()
            seconds = time.perf_counter() - started
            left = seconds / (run.step - first) * (run.recipe.steps - run.step)
            line = {"step": run.step, "divergence": round(float(np.mean(divergences)), 4), "seconds": round(seconds)}
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**line, "tokens_per_second": round(seen / seconds)}) + "\n")
            print(
                f"step {run.step:,} of {run.recipe.steps:,}: {line['divergence']:.4f} nats from the true "
                f"probabilities, {seen / seconds:,.0f} tokens a second, {left / 60:.0f} min left",
                flush=True,
            )
            divergences = []


def save_model(model: Qwen2ForCausalLM, out: Path) -> int:
    """Writes the weights and both configurations; returns the bytes of the weights."""
    model.save_pretrained(out)
    weights = out / "model.safetensors"
    weights.chmod(0o644)  # safetensors writes for the owner alone
    return weights.stat().st_size


def main() -> None:
    """Pretrain, and write the model folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE.parent / "models/tiny", help="folder to write")
    parser.add_argument(
        "--work", type=Path, default=HERE.parent / "results/.cache/pretraining", help="checkpoint and log"
    )
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--threads", type=int, default=1, help="CPU threads; the weights depend on it in their last digits"
    )
    parser.add_argument("--every", type=int, default=50, help="steps from one checkpoint to the next")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    run = Run(Recipe(options.steps, options.seed), options.work, device)
    print(f"{run.model.num_parameters():,} weights, {len(run.tokenizer):,} tokens, on {device}", flush=True)
    train(run, options.every, options.work / "log.jsonl")
    options.out.mkdir(parents=True, exist_ok=True)
    save_tokenizer(run.tokenizer, options.out)
    size = save_model(run.model.cpu(), options.out)
    print(f"wrote {options.out}: {size / 1e6:.1f} MB of weights")


if __name__ == "__main__":
    main()

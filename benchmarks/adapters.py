"""Other training settings and other bases on quality.py's tables: many adapters in one process, in minutes.

    python benchmarks/adapters.py - rate=1e-3 rate=4e-3,rank=4 base=/tmp/other --keep /tmp/quality
    python benchmarks/adapters.py - base=/tmp/other --rows 64 --keep /tmp/quality

Each argument is one try: changes to the settings below, with commas between (`rate=1e-3,epochs=8`); `-` changes none.
Prints for each set the mean ratio of quality.py over its seeds, the mean log loss, and the mean ratio of all sets.

The workflow makes records and baselines only (with --keep in the folders that quality.py uses); tokens are
LlamaFactory's own. The training is written here, after LlamaFactory's (AdamW, cosine with warm-up, gradients clipped
at 1, the mean loss of the answers' tokens), so that the seeds of a set train side by side. It is for comparing
settings; what is decided is run by quality.py.
"""

import argparse
import math
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from quality import SETS, STANDARD, Variant, make_files, place_of
from running import ROOT, names_of, read_json, three
from sklearn.metrics import log_loss, roc_auc_score
from torch import nn
from torch.nn import functional
from transformers import AutoModelForCausalLM

from loramake import artifacts
from loramake.llm.encoding import load_encoder

FILES = ["data/balanced_data.json", "data/test.json", "evaluation/baselines.json"]
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Settings:
    """What a try may change."""

    base: str = str(ROOT / "models/tiny")
    rank: int = 16
    scale: float = 2.0
    """lora_alpha / lora_rank."""
    rate: float = 2e-3
    batch: int = 8
    epochs: int = 4
    steps: int = 120
    """Fewest steps; small tables take more epochs."""
    dropout: float = 0.1
    decay: float = 0.1
    warmup: float = 0.1
    layers: str = "all"
    """Numbers of the layers that get adapters, joined by +."""
    modules: str = "all"
    """Ends of the names of the modules that get adapters, joined by +."""
    seed: int = 0


@dataclass(frozen=True)
class Run:
    """A prepared experiment: token ids of prompts and answers, the truth, and the best baseline's ROC-AUC."""

    name: str
    prompts: list[list[int]]
    answers: list[list[int]]
    test: list[list[int]]
    truth: list[str]
    labels: list[str]
    label_ids: list[int]
    best: float


def read_run(folder: Path, base: str) -> Run:
    """The run of a folder results/NAME; its labels have to be single tokens."""
    plan = artifacts.read(folder / "plan.yaml", "plan")
    encoder = load_encoder(base, None)
    ids = {label["text"]: encoder.label_ids(label["text"]) for label in plan["labels"]}
    value = {label["text"]: label["value"] for label in plan["labels"]}
    train = artifacts.read(folder / "data/balanced_data.json", "records")
    test = artifacts.read(folder / "data/test.json", "records")
    values, truth = list(value.values()), {record["row"]: value[record["output"]] for record in test}
    baselines = [
        area(
            [truth[row] for row in baseline["splits"]["test"]["rows"]],
            values,
            baseline["splits"]["test"]["probabilities"],
        )
        for name, baseline in read_json(folder / "evaluation/baselines.json")["models"].items()
        if name != "majority"
    ]
    return Run(
        folder.name,
        [encoder.prompt_ids(record) for record in train],
        [ids[record["output"]] for record in train],
        [encoder.prompt_ids(record) for record in test],
        [value[record["output"]] for record in test],
        [value[text] for text in ids],
        [tokens[0] for tokens in ids.values()],
        max(baselines),
    )


class ManyAdapters(nn.Module):
    """A frozen linear layer with a LoRA adapter for each of several runs; rows come as equal blocks, one a run."""

    def __init__(self, linear: nn.Linear, runs: int, settings: Settings) -> None:
        super().__init__()
        self._linear, self._runs, self._settings = linear, runs, settings
        bound = 1 / math.sqrt(linear.in_features)
        self.down = nn.Parameter(torch.empty(runs, linear.in_features, settings.rank).uniform_(-bound, bound))
        self.up = nn.Parameter(torch.zeros(runs, settings.rank, linear.out_features))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        blocks = functional.dropout(rows, self._settings.dropout, self.training)
        blocks = blocks.reshape(self._runs, -1, rows.shape[-1])
        change = torch.bmm(torch.bmm(blocks, self.down), self.up) * self._settings.scale
        return self._linear(rows) + change.view(*rows.shape[:-1], -1)


def adapted(settings: Settings, runs: int) -> Any:
    """The base, frozen, with adapters."""
    model = AutoModelForCausalLM.from_pretrained(settings.base, dtype=torch.float32).requires_grad_(False)
    ends = LINEAR if settings.modules == "all" else settings.modules.split("+")
    for number, layer in enumerate(model.model.layers):
        if settings.layers == "all" or str(number) in settings.layers.split("+"):
            for part in (layer.self_attn, layer.mlp):
                for name, linear in list(part.named_children()):
                    if isinstance(linear, nn.Linear) and name in ends:
                        setattr(part, name, ManyAdapters(linear, runs, settings))
    return model


def train(model: Any, runs: list[Run], settings: Settings) -> None:
    """Train every run's adapters, each on its own rows in its own order, all for as many steps."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, settings.rate, weight_decay=settings.decay)
    per_epoch = max(math.ceil(len(run.prompts) / settings.batch) for run in runs)
    steps = max(settings.epochs * per_epoch, settings.steps)
    warmup = math.ceil(settings.warmup * steps)
    orders = [endless(len(run.prompts), settings.seed + index) for index, run in enumerate(runs)]
    model.train()
    for step in range(steps):
        share = (
            (step + 1) / warmup if step < warmup else (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2
        )
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * share
        taken = [[next(order) for _ in range(settings.batch)] for order in orders]
        loss = batch_loss(model, runs, taken)
        optimizer.zero_grad()
        loss.backward()
        clip_by_run(weights)
        optimizer.step()


def endless(rows: int, seed: int) -> Any:
    """Numbers of rows, each once an epoch, in a new order every epoch."""
    rng = np.random.default_rng(seed)
    while True:
        yield from rng.permutation(rows)


def batch_loss(model: Any, runs: list[Run], taken: list[list[int]]) -> torch.Tensor:
    """Sum over the runs of the mean loss of their answers' tokens."""
    pairs = [(run.prompts[row], run.answers[row]) for run, rows in zip(runs, taken, strict=True) for row in rows]
    hidden = model.model(input_ids=padded([prompt + answer for prompt, answer in pairs])).last_hidden_state
    size, loss = len(taken[0]), torch.zeros(())
    for index in range(len(runs)):
        mine = list(enumerate(pairs))[index * size : (index + 1) * size]
        where = [(row, len(prompt) - 1 + at) for row, (prompt, answer) in mine for at in range(len(answer))]
        rows, columns = (list(part) for part in zip(*where, strict=True))
        targets = torch.tensor([token for _, (_, answer) in mine for token in answer])
        loss = loss + functional.cross_entropy(model.lm_head(hidden[rows, columns]), targets)
    return loss


def padded(rows: list[list[int]]) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [0] * (longest - len(row)) for row in rows])


def clip_by_run(weights: list[nn.Parameter]) -> None:
    """Clip each run's gradients at a norm of 1, as its own training would."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    norms = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)
    factors = (1 / (norms + 1e-6)).clamp(max=1)
    for gradient in gradients:
        gradient.mul_(factors.view(-1, 1, 1))


@torch.no_grad()
def score(model: Any, runs: list[Run]) -> list[np.ndarray]:
    """Probabilities of the labels of each run's test rows."""
    model.eval()
    most = max(len(run.test) for run in runs)
    parts_of_runs: list[list[np.ndarray]] = [[] for _ in runs]
    for start in range(0, most, 64):
        rows = [run.test[min(at, len(run.test) - 1)] for run in runs for at in range(start, min(start + 64, most))]
        hidden = model.model(input_ids=padded(rows)).last_hidden_state
        logits = model.lm_head(hidden[range(len(rows)), [len(row) - 1 for row in rows]])
        for index, (run, own) in enumerate(zip(runs, logits.chunk(len(runs)), strict=True)):
            parts_of_runs[index].append(own[:, run.label_ids].double().softmax(-1).numpy())
    return [np.concatenate(parts)[: len(run.test)] for parts, run in zip(parts_of_runs, runs, strict=True)]


def measure(run: Run, probabilities: np.ndarray) -> tuple[float, float]:
    """The ratio of quality.py, and the log loss."""
    loss = log_loss([run.labels.index(label) for label in run.truth], probabilities, labels=range(len(run.labels)))
    return (area(run.truth, run.labels, probabilities) - 0.5) / (run.best - 0.5), float(loss)


def area(truth: list[str], labels: list[str], probabilities: Any) -> float:
    """ROC-AUC, of several labels the mean of each against the others."""
    scores = np.array(probabilities)
    codes = [labels.index(label) for label in truth]
    return float(roc_auc_score(codes, scores[:, 1] if len(labels) == 2 else scores, multi_class="ovr"))


def parse(text: str) -> Settings:
    """`rate=1e-3,rank=4` as settings."""
    changes: dict[str, Any] = {}
    for part in text.split(",") if text != "-" else []:
        name, _, value = part.partition("=")
        if name not in Settings.__dataclass_fields__:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(Settings.__dataclass_fields__)}")
        changes[name] = type(getattr(Settings(), name))(value)
    return replace(Settings(), **changes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tries", nargs="+", metavar="TRY")
    parser.add_argument("--sets", type=names_of(SETS), default=list(STANDARD), help="names, separated by commas")
    parser.add_argument("--seeds", type=int, default=3, help="how many: 42, 43, …")
    parser.add_argument("--rows", type=int, help="rows to train on; all unless given")
    parser.add_argument("--keep", type=Path, required=True, metavar="FOLDER", help="where to work, as of quality.py")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    seeds, variant = [42 + index for index in range(options.seeds)], Variant(options.rows)
    place = options.keep.resolve() / place_of(variant)
    prepared = {name: make_files(name, seeds, place / name, variant, FILES) for name in options.sets}
    for text in options.tries:
        settings, started, ratios, words = parse(text), time.perf_counter(), [], []
        for name, folders in prepared.items():
            torch.manual_seed(settings.seed)
            runs = [read_run(folder, settings.base) for folder in folders]
            model = adapted(settings, len(runs))
            train(model, runs, settings)
            measured = [measure(run, scored) for run, scored in zip(runs, score(model, runs), strict=True)]
            mean, loss = (statistics.fmean(part) for part in zip(*measured, strict=True))
            ratios.append(mean)
            words.append(f"{name} {mean:.3f} ({loss:.2f})")
        seconds = time.perf_counter() - started
        print(f"{text}: {three(statistics.fmean(ratios))} | {', '.join(words)} | {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()

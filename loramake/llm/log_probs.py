"""The log-probability of every label after every prompt, from tokens and a causal language model.

Knows tensors; knows nothing of templates, files or LlamaFactory. One forward pass scores all labels of a batch of
rows: the labels' tokens follow the prompt as a prefix tree, each seeing its prompt and its own ancestors
only, its position counted from the end of the prompt (tree attention, as in SpecInfer, arXiv 2305.09781).
"""

import inspect
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loramake.console import Advance, say
from loramake.errors import PredictionError

Tokens = Sequence[int]
Scores = NDArray[np.float64]

_NODES_PER_PASS = 512  # more label tokens than this take several passes: attention among them is quadratic
_LOGITS_PER_TOKEN = 2**14  # the vocabulary head's share of a batch, so that one number bounds a batch's memory
_SPREAD = 32  # prompt lengths in a one-by-one batch differ by no more, since the head runs over the difference
_TRIAL_LABELS = 8
_REFUSALS = (PredictionError, RuntimeError, TypeError, ValueError, LookupError, AttributeError)


def label_log_probs(
    model: Any,
    prompts: Sequence[Tokens],
    labels: Sequence[Tokens],
    *,
    together: bool = True,
    tokens_per_batch: int | None = None,
    advance: Advance | None = None,
) -> Scores:
    """Summed natural log-probability of each label's tokens after each prompt, shape (rows, labels), float64.

    `tokens_per_batch` bounds a batch (padding and labels included; 1024 on a CPU, 32768 on a GPU by default) and
    is halved whenever the GPU runs out of memory. Where an architecture ignores the mask or the positions that the
    packing needs, which a few rows scored both ways show, labels are scored one by one, as with `together` off: one
    plain forward pass a label, slow, but correct for every causal model. PredictionError for an empty prompt or label,
    and for a single row that does not fit into memory.
    """
    _refuse_empty(prompts, labels)
    if not together:
        return _in_batches(_one_by_one(model, labels), model, prompts, tokens_per_batch, advance)
    packed = _packed(model, labels)
    reason = _objection(model, packed, prompts, labels, tokens_per_batch)
    if reason is not None:
        say(f"scoring labels one by one, which is slower: this model cannot score them together ({reason}).")
        packed = _one_by_one(model, labels)
    return _in_batches(packed, model, prompts, tokens_per_batch, advance)


def _refuse_empty(prompts: Sequence[Tokens], labels: Sequence[Tokens]) -> None:
    if not labels or not all(labels):
        raise PredictionError("A label has no tokens: every label needs at least one.")
    if not all(prompts):
        raise PredictionError("A prompt has no tokens: every prompt needs at least one.")


@dataclass(frozen=True)
class _Method:
    """A way to score some prompts at once, and what it costs: tokens after each prompt, positions to score."""

    score: Callable[[list[Tokens]], Scores]
    labels: int
    tokens: int
    head: int
    spread: int | None = None


def _in_batches(
    method: _Method, model: Any, prompts: Sequence[Tokens], budget: int | None, advance: Advance | None
) -> Scores:
    """Longest prompts first, so that memory runs out early if at all, and padding is short."""
    import torch

    budget = budget or (32768 if _device(model).type == "cuda" else 1024)
    order = sorted(range(len(prompts)), key=lambda row: -len(prompts[row]))
    scores = np.empty((len(prompts), method.labels))
    done = 0
    while done < len(order):
        batch = _next_batch(method, model, prompts, order[done:], budget)
        try:
            scores[batch] = method.score([prompts[row] for row in batch])
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                tokens = len(prompts[batch[0]])
                raise PredictionError(f"A row of {tokens} tokens does not fit into the GPU's memory.") from None
            budget = _budget_below(method, model, len(prompts[batch[0]]), len(batch))
            continue
        done += len(batch)
        if advance is not None:
            advance(done, len(order))
    return scores


def _next_batch(method: _Method, model: Any, prompts: Sequence[Tokens], rows: list[int], budget: int) -> list[int]:
    longest = len(prompts[rows[0]])
    batch = rows[: max(1, budget // _cost(method, model, longest))]
    if method.spread is None:
        return batch
    return list(itertools.takewhile(lambda row: longest - len(prompts[row]) <= (method.spread or 0), batch))


def _cost(method: _Method, model: Any, length: int) -> int:
    """Tokens that a row costs, the vocabulary head's memory counted in tokens too."""
    return max(length + method.tokens, method.head * _vocabulary(model) // _LOGITS_PER_TOKEN)


def _budget_below(method: _Method, model: Any, length: int, rows: int) -> int:
    return max(1, rows // 2) * _cost(method, model, length)


def _vocabulary(model: Any) -> int:
    return int(getattr(_text_config(model), "vocab_size", None) or 0)


def _text_config(model: Any) -> Any:
    config = getattr(model, "config", None)
    return config if config is None or not hasattr(config, "get_text_config") else config.get_text_config()


def _device(model: Any) -> Any:
    return next(model.parameters()).device


def _dtype(model: Any) -> Any:
    """The dtype of the first floating-point weights: a quantized model's linear layers are packed bytes."""
    return next(weight.dtype for weight in model.parameters() if weight.is_floating_point())


def _objection(
    model: Any, packed: _Method, prompts: Sequence[Tokens], labels: Sequence[Tokens], budget: int | None
) -> str | None:
    """Why the packed scores of the shortest, median and longest prompt cannot be trusted; None if they can."""
    by_length = sorted(prompts, key=len)
    rows = [by_length[round(share * (len(by_length) - 1))] for share in (0, 0.5, 1)] if by_length else []
    chosen = sorted({round(index) for index in np.linspace(0, len(labels) - 1, _TRIAL_LABELS)})
    expected = _in_batches(_one_by_one(model, [labels[index] for index in chosen]), model, rows, budget, None)
    try:
        together = _in_batches(packed, model, rows, budget, None)[:, chosen]
    except _REFUSALS as error:
        return f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), 'no reason given')}"
    absolute, relative = _tolerance(model)
    if np.allclose(together, expected, rtol=relative, atol=absolute, equal_nan=True):
        return None
    return f"log-probabilities differ by {np.abs(together - expected).max():.2g}"


def _tolerance(model: Any) -> tuple[float, float]:
    """Absolute and relative difference of summed log-probabilities that rounding alone explains.

    bfloat16 logits of 16 to 32 are multiples of 1/8; norms and rotary angles are float32 even in a float64 model.
    """
    import torch

    by_dtype = {torch.float64: (1e-4, 1e-5), torch.float32: (1e-3, 1e-4), torch.float16: (0.05, 0.01)}
    return by_dtype.get(_dtype(model), (0.3, 0.03))


@dataclass(frozen=True)
class _Tree:
    """Label tokens after a prompt, shared prefixes once: node i follows node parents[i], -1 is the prompt.

    Only tokens that precede another label token are nodes. `columns`, `targets` and `owners` list every label token
    to score: the logits' column (0 the prompt's end, i + 1 node i), the token id and the label it belongs to.
    """

    tokens: list[int]
    parents: list[int]
    columns: list[int]
    targets: list[int]
    owners: list[int]


def _tree(labels: Sequence[Tokens]) -> _Tree:
    nodes: dict[tuple[int, int], int] = {}
    steps: list[tuple[int, int, int]] = []
    for owner, label in enumerate(labels):
        node = -1
        for token in label[:-1]:
            steps.append((node + 1, token, owner))
            node = nodes.setdefault((node, token), len(nodes))
        steps.append((node + 1, label[-1], owner))
    columns, targets, owners = (list(part) for part in zip(*steps, strict=True))
    return _Tree([token for _, token in nodes], [parent for parent, _ in nodes], columns, targets, owners)


def _chunks(labels: Sequence[Tokens]) -> list[list[int]]:
    """Label numbers by forward pass: neighbours in token order, which share prefixes, up to _NODES_PER_PASS tokens."""
    chunks: list[list[int]] = []
    room = 0
    prefixes: set[tuple[int, ...]] = set()
    for number in sorted(range(len(labels)), key=lambda index: tuple(labels[index])):
        label_prefixes = {tuple(labels[number][:end]) for end in range(1, len(labels[number]))}
        if not chunks or len(label_prefixes - prefixes) > room:
            chunks.append([])
            room, prefixes = _NODES_PER_PASS, set()
        chunks[-1].append(number)
        room -= len(label_prefixes - prefixes)
        prefixes |= label_prefixes
    return chunks


def _packed(model: Any, labels: Sequence[Tokens]) -> _Method:
    chunks = _chunks(labels)
    trees = [_tree([labels[number] for number in chunk]) for chunk in chunks]

    def score(prompts: list[Tokens]) -> Scores:
        scores = np.empty((len(prompts), len(labels)))
        for chunk, tree in zip(chunks, trees, strict=True):
            scores[:, chunk] = _tree_scores(model, prompts, tree, len(chunk))
        return scores

    nodes = max(len(tree.tokens) for tree in trees)
    return _Method(score, labels=len(labels), tokens=nodes, head=nodes + 1)


def _tree_scores(model: Any, prompts: list[Tokens], tree: _Tree, labels: int) -> Scores:
    import torch

    device, width = _device(model), max(map(len, prompts))
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    ids = torch.tensor([[tree.tokens[0] if tree.tokens else prompt[0]] * (width - len(prompt)) + list(prompt)
                        + tree.tokens for prompt in prompts])  # fmt: skip
    sees, depths = _ancestry(tree)
    positions = torch.cat([torch.arange(width) - width + lengths[:, None], lengths[:, None] + depths], dim=1)
    allowed = _allowed(lengths, width, sees)
    logits = _logits(
        model,
        keep=len(tree.tokens) + 1,
        input_ids=ids.to(device),
        attention_mask=_masks(model, allowed, positions),
        position_ids=positions.clamp(min=0).to(device),
    )
    columns, targets = torch.tensor(tree.columns, device=device), torch.tensor(tree.targets, device=device)
    token_scores = _token_log_probs(logits, columns.expand(len(prompts), -1), targets)
    sums = torch.zeros(len(prompts), labels, dtype=torch.float64)
    result: Scores = sums.index_add_(1, torch.tensor(tree.owners), token_scores).numpy()
    return result


def _ancestry(tree: _Tree) -> tuple[Any, Any]:
    """Which node sees which (itself and its ancestors), bool (nodes, nodes), and the depth of each, (nodes,)."""
    import torch

    sees = torch.eye(len(tree.tokens), dtype=torch.bool)
    for node, parent in enumerate(tree.parents):  # a parent always comes before its children
        if parent >= 0:
            sees[node] |= sees[parent]
    return sees, sees.sum(dim=1) - 1


def _allowed(lengths: Any, width: int, sees: Any) -> Any:
    """Who sees whom, bool (rows, queries, keys): causal in the prompt, by ancestry after it, padding only itself."""
    import torch

    total = width + len(sees)
    pattern = torch.ones(total, total, dtype=torch.bool).tril()
    pattern[width:, width:] = sees
    real = torch.arange(total) >= width - lengths[:, None]
    # A query that sees nothing would turn into NaN, and NaN spreads through the values.
    return (pattern & real[:, None, :]) | torch.eye(total, dtype=torch.bool)


def _masks(model: Any, allowed: Any, positions: Any) -> Any:
    """The additive 4-D mask, or one for each kind of layer where a sliding window is shorter than the prompt."""
    config = _text_config(model)
    window = getattr(config, "sliding_window", None)
    full = _additive(model, allowed)
    if not window or int(positions.max()) < window:
        return full
    near = positions[:, :, None] - positions[:, None, :] < window
    sliding = _additive(model, allowed & near)
    by_type = {"full_attention": full, "sliding_attention": sliding}
    types = set(getattr(config, "layer_types", None) or ())
    return {kind: by_type[kind] for kind in types} if types else sliding


def _additive(model: Any, allowed: Any) -> Any:
    import torch

    device, dtype = _device(model), _dtype(model)
    mask = torch.zeros(allowed.shape, dtype=dtype, device=device)
    return mask.masked_fill_(~allowed.to(device), torch.finfo(dtype).min)[:, None]


def _logits(model: Any, keep: int, **inputs: Any) -> Any:
    """Logits of the last `keep` positions, shape (rows, keep, vocabulary)."""
    import torch

    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    if "logits_to_keep" in inspect.signature(inner.forward).parameters:
        inputs["logits_to_keep"] = keep
    with torch.inference_mode():
        return model(**inputs, use_cache=False).logits[:, -keep:]


def _token_log_probs(logits: Any, columns: Any, targets: Any) -> Any:
    """Log-probability of targets (tokens,) or (rows, tokens) at columns (rows, tokens), float64 on the CPU.

    Normalised in float32, or in float64 for a float64 model, a few rows at a time: a copy of all would be large.
    """
    import torch

    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    targets = targets.expand(columns.shape)
    step = max(1, 2**24 // (logits.shape[1] * logits.shape[2]))
    parts = []
    for chunk, index, token in zip(logits.split(step), columns.split(step), targets.split(step), strict=True):
        wide = chunk.to(dtype)
        rows = torch.arange(len(chunk), device=logits.device)[:, None]
        parts.append(wide[rows, index, token] - wide.logsumexp(dim=-1)[rows, index])
    return torch.cat(parts).double().cpu()


def _one_by_one(model: Any, labels: Sequence[Tokens]) -> _Method:
    def score(prompts: list[Tokens]) -> Scores:
        return np.stack([_label_scores(model, prompts, label) for label in labels], axis=1)

    longest = max(map(len, labels))
    return _Method(score, labels=len(labels), tokens=longest, head=longest + _SPREAD, spread=_SPREAD)


def _label_scores(model: Any, prompts: list[Tokens], label: Tokens) -> Scores:
    """Log-probability of one label after each prompt, shape (rows,): right-padded, default positions, no mask.

    Later tokens need no mask in a causal model; with one, padding beyond a sliding window turns into NaN in
    transformers' eager attention, and spreads.
    """
    import torch

    device = _device(model)
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    shortest, width = int(lengths.min()), int(lengths.max()) + len(label) - 1
    rows = [[*prompt, *label[:-1]] for prompt in prompts]
    ids = torch.tensor([row + [label[0]] * (width - len(row)) for row in rows], device=device)
    logits = _logits(model, keep=width - shortest + 1, input_ids=ids)
    columns = (lengths[:, None] - shortest + torch.arange(len(label))).to(device)
    result: Scores = _token_log_probs(logits, columns, torch.tensor(label, device=device)).sum(dim=1).numpy()
    return result

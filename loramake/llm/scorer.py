"""A trained LlamaFactory adapter as a scorer of labels: from records to a probability for every label.

Knows labels as text, and what to refuse; leaves tokens to `encoding` and the model to a `backend`.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from loramake.artifact_types.dataset import LabelShift
from loramake.console import Advance
from loramake.errors import PredictionError
from loramake.llm.backend import ScoringBackend
from loramake.llm.encoding import Encoder, name_record
from loramake.llm.models import fetch_model
from loramake.llm.transformers_backend import TransformersBackend, check_folder, load_inference_encoder, read_settings
from loramake.tasks.label_shift import find_log_ratios


@dataclass(frozen=True)
class LabelScorer:
    """A loaded model, its encoder and the longest sequence (tokens) that its training did not cut off."""

    backend: ScoringBackend
    encoder: Encoder
    cutoff_len: int
    log_ratios: Mapping[str, float] = field(default_factory=dict)
    """What is added to the log-probability of an answer, by its text: balancing is corrected for."""

    def probabilities(
        self, records: Sequence[Mapping[str, Any]], label_texts: Sequence[str], advance: Advance | None = None
    ) -> NDArray[np.float64]:
        """P(label | row), shape (rows, labels), each row summing to 1, in the order of `label_texts`.

        PredictionError for labels that are the same to the tokenizer, tokens that the model has no embedding for, a
        row that does not fit into cutoff_len, and a model whose output is not a number.
        """
        labels = [self.encoder.label_ids(text) for text in label_texts]
        _refuse_ambiguous(label_texts, labels)
        prompts = [self.encoder.prompt_ids(record) for record in records]
        self._refuse_long(records, prompts, max(map(len, labels)))
        self._refuse_unknown([*prompts, *labels])
        log_probs = self.backend.log_probs(prompts, labels, advance)
        _refuse_non_numbers(records, log_probs)
        ratios = np.array([self.log_ratios.get(text, 0.0) for text in label_texts])
        return cast(NDArray[np.float64], softmax(log_probs + ratios, axis=1))

    def _refuse_long(self, records: Sequence[Mapping[str, Any]], prompts: list[list[int]], label: int) -> None:
        for record, prompt in zip(records, prompts, strict=True):
            if len(prompt) + label > self.cutoff_len:
                name = name_record(record).capitalize()
                raise PredictionError(
                    f"{name} has {len(prompt)} tokens and its label up to {label}, more than cutoff_len "
                    f"{self.cutoff_len}: raise cutoff_len or keep fewer columns."
                )

    def _refuse_unknown(self, sequences: list[list[int]]) -> None:
        highest = max(max(ids, default=0) for ids in sequences)
        if highest >= self.backend.vocabulary:
            token = self.encoder.tokenizer.convert_ids_to_tokens(highest)
            raise PredictionError(
                f"The template uses the token {token!r}, which the model has no embedding for: "
                "set template to the one it was trained with."
            )


def _refuse_ambiguous(texts: Sequence[str], labels: list[list[int]]) -> None:
    """Refuse labels if the tokens of one are a prefix of another's: their probabilities overlap."""
    if not labels:
        raise PredictionError("There are no labels to score.")
    order = sorted(range(len(labels)), key=lambda index: labels[index])
    for first, second in itertools.pairwise(order):
        if labels[second][: len(labels[first])] == labels[first]:
            raise PredictionError(
                f"The labels {texts[first]!r} and {texts[second]!r} cannot be told apart by the tokenizer: rename one."
            )


def _refuse_non_numbers(records: Sequence[Mapping[str, Any]], log_probs: NDArray[np.float64]) -> None:
    broken = np.flatnonzero(~np.isfinite(log_probs).all(axis=1))
    if len(broken):
        raise PredictionError(
            f"The model's output for {name_record(records[broken[0]])} is not a number ({len(broken)} such rows): "
            "the adapter is damaged, or the training diverged: lower learning_rate and train again."
        )


def load_scorer(
    config: Mapping[str, Any],
    adapter: str | Path | None = None,
    trust_remote_code: bool = False,
    label_shift: LabelShift | None = None,
) -> LabelScorer:
    """The scorer of a base model and an adapter as LlamaFactory loads them for inference; `adapter` is optional.

    `config` is a predict YAML, `label_shift` what balancing did to the labels' frequencies. ConfigError for a setting,
    ArtifactError for an adapter that is more than a LoRA, PredictionError for a model or adapter that cannot be loaded.
    """
    settings = read_settings(config, trust_remote_code)
    if adapter is not None:
        check_folder(adapter)  # before anything is downloaded
    fetch_model(settings["model_name_or_path"], trust_remote_code=trust_remote_code)
    encoder, cutoff_len = load_inference_encoder(settings)
    backend = TransformersBackend(settings, encoder.tokenizer, adapter)
    return LabelScorer(backend, encoder, cutoff_len, {} if label_shift is None else find_log_ratios(label_shift))

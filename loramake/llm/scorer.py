"""A trained LlamaFactory adapter as a scorer of labels: from records to a probability for every label.

Knows how LlamaFactory loads a model; leaves tokens to `encoding` and log-probabilities to `scoring`.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from loramake.console import Advance
from loramake.errors import ConfigError, LoramakeError, PredictionError
from loramake.llm.adapters import check_adapter
from loramake.llm.encoding import Encoder, encoder_for, quiet
from loramake.llm.extra import import_training
from loramake.llm.failures import explain, text_of
from loramake.llm.log_probs import label_log_probs
from loramake.llm.models import fetch_model
from loramake.paths import locate_model

_READ = (
    *("model_name_or_path", "template", "cutoff_len"),
    *("quantization_bit", "quantization_method", "quantization_type", "double_quantization"),
    *("infer_dtype", "flash_attn", "rope_scaling", "upcast_layernorm", "upcast_lmhead_output"),
)
"""All of a predict YAML that a prediction follows from; the rest is LlamaFactory's own predict's, or nobody's."""


@dataclass(frozen=True)
class LabelScorer:
    """A causal language model, its encoder and the longest sequence (tokens) that its training did not cut off."""

    model: Any
    encoder: Encoder
    cutoff_len: int

    def probabilities(
        self, records: Sequence[Mapping[str, Any]], label_texts: Sequence[str], advance: Advance | None = None
    ) -> NDArray[np.float64]:
        """P(label | row), shape (rows, labels), each row summing to 1, in the order of `label_texts`.

        PredictionError for labels that are the same to the tokenizer, tokens that the model has no embedding for, a
        row that does not fit into cutoff_len, and a model that answers with no number.
        """
        labels = [self.encoder.label_ids(text) for text in label_texts]
        _refuse_ambiguous(label_texts, labels)
        prompts = [self.encoder.prompt_ids(record) for record in records]
        self._refuse_long(records, prompts, max(map(len, labels)))
        self._refuse_unknown([*prompts, *labels])
        log_probs = label_log_probs(self.model, prompts, labels, advance=advance)
        _refuse_non_numbers(records, log_probs)
        return cast(NDArray[np.float64], softmax(log_probs, axis=1))

    def _refuse_long(self, records: Sequence[Mapping[str, Any]], prompts: list[list[int]], label: int) -> None:
        for index, (record, prompt) in enumerate(zip(records, prompts, strict=True)):
            if len(prompt) + label > self.cutoff_len:
                raise PredictionError(
                    f"Row {_name(record, index)} has {len(prompt)} tokens and its label up to {label}, more than "
                    f"cutoff_len {self.cutoff_len}: raise cutoff_len or keep fewer columns."
                )

    def _refuse_unknown(self, sequences: list[list[int]]) -> None:
        known = self.model.get_input_embeddings().weight.shape[0]
        highest = max(max(ids, default=0) for ids in sequences)
        if highest >= known:
            token = self.encoder.tokenizer.convert_ids_to_tokens(highest)
            raise PredictionError(
                f"The template uses the token {token!r}, which the model has no embedding for: "
                "set template: to the one it was trained with."
            )


def _name(record: Mapping[str, Any], index: int) -> Any:
    return record.get("row", index)


def _refuse_ambiguous(texts: Sequence[str], labels: list[list[int]]) -> None:
    """Refuse labels one of which begins with, or is, another one's tokens: their probabilities overlap."""
    if not labels:
        raise PredictionError("There are no labels to score.")
    order = sorted(range(len(labels)), key=lambda at: labels[at])
    for first, second in itertools.pairwise(order):
        if labels[second][: len(labels[first])] == labels[first]:
            raise PredictionError(
                f"The labels {texts[first]!r} and {texts[second]!r} cannot be told apart by the tokenizer: rename one."
            )


def _refuse_non_numbers(records: Sequence[Mapping[str, Any]], log_probs: NDArray[np.float64]) -> None:
    broken = np.flatnonzero(~np.isfinite(log_probs).all(axis=1))
    if len(broken):
        name = _name(records[broken[0]], int(broken[0]))
        raise PredictionError(
            f"The model's answer to row {name} is not a number ({len(broken)} such rows): "
            "the adapter is damaged, or the training went astray: lower learning_rate and train again."
        )


def load_scorer(
    config: Mapping[str, Any], adapter: str | Path | None = None, trust_remote_code: bool = False
) -> LabelScorer:
    """The scorer of a base and an adapter as LlamaFactory loads them for inference; without `adapter`, of the base.

    `config` is a predict YAML, which may come from anybody: of it only _READ counts, how base and rows are read.
    Adapters are merged into the base unless it is quantized. ConfigError for a setting, ArtifactError for an adapter
    that is more than a LoRA, PredictionError for a model or adapter that cannot be loaded.
    """
    model_name = locate_model(str(config["model_name_or_path"]))
    asked = {key: value for key, value in config.items() if key in _READ}
    asked |= {"model_name_or_path": model_name, "stage": "sft", "finetuning_type": "lora"}
    asked |= {"trust_remote_code": trust_remote_code}
    if adapter is not None:
        asked["adapter_name_or_path"] = _checked(Path(adapter))
    fetch_model(model_name, trust_remote_code=trust_remote_code)
    with quiet(model_name):
        model_args, data_args, finetuning_args = _arguments(asked)
        try:
            module = import_training("llamafactory.model")
            loaded = module.load_tokenizer(model_args)
            encoder = encoder_for(loaded["tokenizer"], data_args, loaded["processor"])
            model = module.load_model(loaded["tokenizer"], model_args, finetuning_args)
        except LoramakeError:
            raise
        except Exception as error:
            cache = str(import_training("huggingface_hub.constants").HF_HUB_CACHE)
            reason = explain(text_of(error), model_name, cache, "set HF_HOME to a folder with more")
            reason = reason or str(error.__cause__ or error).strip().split("\n")[0].rstrip(".")
            raise PredictionError(f"{_described(asked)} cannot be loaded ({reason}).") from error
        return LabelScorer(_settled(model, model_args), encoder, data_args.cutoff_len)


def _checked(adapter: Path) -> str:
    """An adapter's folder, looked at; LlamaFactory would take a comma in its path for two of them."""
    if not adapter.is_dir():
        raise PredictionError(f"{adapter} is not there: ask snakemake for the adapter.")
    if "," in str(adapter):
        raise PredictionError(f"{adapter} has a comma in its path, which LlamaFactory cannot read: rename the folder.")
    check_adapter(adapter)
    return str(adapter)


def _described(config: Mapping[str, Any]) -> str:
    adapter = config.get("adapter_name_or_path")
    model = config["model_name_or_path"]
    return f"The model {model} with the adapter {adapter}" if adapter else f"The model {model}"


def _arguments(config: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """LlamaFactory's model, data and finetuning arguments."""
    hparams = import_training("llamafactory.hparams")
    try:
        model_args, data_args, finetuning_args, _ = hparams.get_infer_args(dict(config))
    except (ValueError, TypeError, ImportError) as error:
        raise ConfigError(f"LlamaFactory refuses the prediction's settings ({error}).") from error
    return model_args, data_args, finetuning_args


def _settled(model: Any, model_args: Any) -> Any:
    """The model in the dtype asked for, with an attention that honours a 4-D mask.

    LlamaFactory 0.9.5 loads the checkpoint's dtype whatever infer_dtype says, and takes flash attention, which knows
    no such mask, where it is asked for or the model is a Gemma 2.
    """
    import torch

    if model_args.infer_dtype != "auto" and getattr(model, "quantization_method", None) is None:
        model = model.to(getattr(torch, model_args.infer_dtype))
    if "flash" in str(getattr(model.config, "_attn_implementation", "")):
        capped = getattr(model.config.get_text_config(), "attn_logit_softcapping", None)
        model.set_attn_implementation("eager" if capped else "sdpa")
    return model

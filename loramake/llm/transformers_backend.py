"""The scoring backend in this process: a model as LlamaFactory loads it, scored by transformers.

Knows how LlamaFactory loads a model; leaves log-probabilities to `log_probs`.
"""

import contextlib
import gc
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from loramake.console import Advance
from loramake.errors import ConfigError, LoramakeError, PredictionError
from loramake.llm.adapters import check_adapter
from loramake.llm.encoding import Encoder, encoder_for, quiet
from loramake.llm.extra import import_training
from loramake.llm.failures import explain, text_of
from loramake.llm.log_probs import Scores, Tokens, label_log_probs
from loramake.paths import locate_model

_READ = (
    *("model_name_or_path", "template", "cutoff_len"),
    *("quantization_bit", "quantization_method", "quantization_type", "double_quantization"),
    *("infer_dtype", "flash_attn", "rope_scaling", "upcast_layernorm", "upcast_lmhead_output"),
)
"""All keys of a predict YAML that affect a prediction; the rest is for LlamaFactory's own predict, or unused."""


class TransformersBackend:
    """A ScoringBackend; adapters are merged into the base unless it is quantized.

    A merged adapter cannot be removed exactly, so another adapter means loading the base again.
    """

    def __init__(self, settings: Mapping[str, Any], tokenizer: Any, adapter: str | Path | None = None) -> None:
        """`settings` as from `read_settings`; the model is loaded immediately.

        ConfigError for a setting, ArtifactError for an adapter that is more than a LoRA, PredictionError for a model
        or adapter that cannot be loaded.
        """
        self._settings, self._tokenizer = settings, tokenizer
        self._adapter = None if adapter is None else check_folder(adapter)
        self._model: Any = self._load(self._adapter)

    @property
    def model(self) -> Any:
        """The loaded model, a base with or without an adapter."""
        if self._model is None:
            self._model = self._load(self._adapter)
        return self._model

    @property
    def vocabulary(self) -> int:
        return int(self.model.get_input_embeddings().weight.shape[0])

    def log_probs(self, prompts: Sequence[Tokens], labels: Sequence[Tokens], advance: Advance | None = None) -> Scores:
        return label_log_probs(self.model, prompts, labels, advance=advance)

    def load_adapter(self, folder: str | Path) -> None:
        adapter = check_folder(folder)
        self.close()  # both models at once might not fit into memory
        self._model = self._load(adapter)
        self._adapter = adapter

    def unload_adapter(self) -> None:
        if self._adapter is not None:
            self.close()
            self._adapter = None

    def close(self) -> None:
        self._model = None
        gc.collect()
        torch = import_training("torch")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _load(self, adapter: str | None) -> Any:
        settings = dict(self._settings) if adapter is None else {**self._settings, "adapter_name_or_path": adapter}
        with quiet(settings["model_name_or_path"]), _loading(settings):
            model_args, _, finetuning_args = _arguments(settings)
            model = import_training("llamafactory.model").load_model(self._tokenizer, model_args, finetuning_args)
            return _settled(model, model_args)


def read_settings(config: Mapping[str, Any], trust_remote_code: bool) -> dict[str, Any]:
    """LlamaFactory's settings for inference from a predict YAML, which may come from anybody: only _READ is used."""
    settings = {key: value for key, value in config.items() if key in _READ}
    settings |= {"model_name_or_path": locate_model(str(config["model_name_or_path"]))}
    return settings | {"stage": "sft", "finetuning_type": "lora", "trust_remote_code": trust_remote_code}


def load_inference_encoder(settings: Mapping[str, Any]) -> tuple[Encoder, int]:
    """The encoder under these settings, and the longest sequence (tokens) that the training did not cut off."""
    with quiet(settings["model_name_or_path"]), _loading(settings):
        model_args, data_args, _ = _arguments(settings)
        loaded = import_training("llamafactory.model").load_tokenizer(model_args)
        return encoder_for(loaded["tokenizer"], data_args, loaded["processor"]), data_args.cutoff_len


def check_folder(adapter: str | Path) -> str:
    """An adapter's folder, checked; LlamaFactory would read a comma in its path as two folders."""
    adapter = Path(adapter)
    if not adapter.is_dir():
        raise PredictionError(f"{adapter} does not exist: run snakemake to make the adapter.")
    if "," in str(adapter):
        raise PredictionError(f"{adapter} has a comma in its path, which LlamaFactory cannot read: rename the folder.")
    check_adapter(adapter)
    return str(adapter)


@contextlib.contextmanager
def _loading(settings: Mapping[str, Any]) -> Iterator[None]:
    """Turn any failure of a model, tokenizer or adapter into one sentence."""
    try:
        yield
    except LoramakeError:
        raise
    except Exception as error:
        cache = str(import_training("huggingface_hub.constants").HF_HUB_CACHE)
        reason = explain(text_of(error), settings["model_name_or_path"], cache, "set HF_HOME to a folder with more")
        reason = reason or str(error.__cause__ or error).strip().split("\n")[0].rstrip(".")
        raise PredictionError(f"{_described(settings)} cannot be loaded ({reason}).") from error


def _described(settings: Mapping[str, Any]) -> str:
    adapter = settings.get("adapter_name_or_path")
    model = settings["model_name_or_path"]
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
    """The model in the requested dtype, with an attention that supports a 4-D mask.

    LlamaFactory 0.9.5 loads the checkpoint's dtype whatever infer_dtype says, and uses flash attention, which does not
    support such a mask, if it is set or the model is a Gemma 2.
    """
    import torch

    if model_args.infer_dtype != "auto" and getattr(model, "quantization_method", None) is None:
        model = model.to(getattr(torch, model_args.infer_dtype))
    if "flash" in str(getattr(model.config, "_attn_implementation", "")):
        capped = getattr(model.config.get_text_config(), "attn_logit_softcapping", None)
        model.set_attn_implementation("eager" if capped else "sdpa")
    return model

"""From a record and a label to tokens, exactly as LlamaFactory's supervised processor trains on them.

Knows tokenizers and templates; knows nothing of models' weights. LlamaFactory's own converter and processor do the
encoding, so nothing here has to be kept in sync with them. torch and LlamaFactory are imported where they are used, so
that planning works without the training extra.
"""

import contextlib
import copy
import functools
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loramake.errors import ConfigError, PredictionError
from loramake.llm.arguments import unknown_template
from loramake.llm.chat_templates import check_chat_template
from loramake.llm.extra import import_training
from loramake.llm.failures import explain, first_line, text_of
from loramake.llm.models import fetch_model, read_json
from loramake.paths import locate_model
from loramake.tables.source import row_number

_UNCUT = 2**30  # a cutoff_len that never cuts: LlamaFactory would silently drop the assistant header
_PROBE = "0"


@contextlib.contextmanager
def quiet(model: str) -> Iterator[None]:
    """Silence LlamaFactory and transformers, and block the network if `model` is a folder.

    Only errors are logged. Everything is restored afterwards.
    """
    with contextlib.ExitStack() as stack:
        if Path(model).is_dir():
            stack.enter_context(_offline())
        # get_infer_args sets transformers to INFO unless told otherwise by this variable.
        stack.enter_context(_environment("LLAMAFACTORY_VERBOSITY", "ERROR"))
        for name in ("llamafactory", "transformers"):
            stack.enter_context(_errors_only(logging.getLogger(name)))
        yield


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    # The environment variable is read once, at import; every request checks the constant.
    constants = import_training("huggingface_hub.constants")
    bars = import_training("transformers.utils.logging")
    offline, showing = constants.HF_HUB_OFFLINE, bars.is_progress_bar_enabled()
    constants.HF_HUB_OFFLINE = True
    bars.disable_progress_bar()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline
        if showing:
            bars.enable_progress_bar()


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextlib.contextmanager
def _errors_only(logger: logging.Logger) -> Iterator[None]:
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def find_template(model: str, configured: str | None, trust_remote_code: bool = False) -> str | None:
    """The name of LlamaFactory's template for `model`; None if LlamaFactory is to parse the tokenizer's own.

    The configured name wins, then LlamaFactory's registry by exact hub id (never by part of a name). ConfigError for
    an unknown name, and if there is neither a registered template nor a chat template in the tokenizer.
    A folder with a chat template needs no training extra.
    """
    model = locate_model(model)
    if configured is None and _folder_has_chat_template(Path(model)):
        return None
    with quiet(model):
        if configured is not None:
            return _checked_name(configured)
        registered = _registered_templates().get(model)
        if registered is None and not _has_chat_template(model, trust_remote_code):
            raise ConfigError(_no_template(model))
        return registered


def _folder_has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    config = folder / "tokenizer_config.json"
    return config.is_file() and isinstance(read_json(config).get("chat_template"), str)


def _checked_name(name: str) -> str:
    names = list(import_training("llamafactory.data.template").TEMPLATES)
    if name in names:
        return name
    raise unknown_template(name, names)


def _no_template(model: str) -> str:
    return (
        f"template: {model} is not in LlamaFactory's registry of chat models and its tokenizer has no chat template: "
        "set template in config.yaml to the one it was trained with."
    )


def _no_tokenizer(model: str, error: BaseException) -> ConfigError:
    if explained := explain(text_of(error), model, model, "name another model"):
        return ConfigError(f"{explained}.")
    reason = first_line(error.__cause__ if isinstance(error.__cause__, Exception) else error)
    return ConfigError(f"model: the tokenizer of {model} cannot be loaded ({reason}): fix it, or name another model.")


@functools.cache
def _registered_templates() -> dict[str, str]:
    """Template by hub id, for every hub LlamaFactory knows."""
    constants = import_training("llamafactory.extras.constants")
    templates = constants.DEFAULT_TEMPLATE
    ids = ((hub_id, name) for name, hubs in constants.SUPPORTED_MODELS.items() for hub_id in hubs.values())
    return {hub_id: templates[name] for hub_id, name in ids if name in templates}


def _has_chat_template(model: str, trust_remote_code: bool) -> bool:
    auto = import_training("transformers").AutoTokenizer
    fetch_model(model, weights=False, trust_remote_code=trust_remote_code)
    try:
        tokenizer = auto.from_pretrained(model, trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as error:
        raise _no_tokenizer(model, error) from error
    # LlamaFactory ignores a dict of named chat templates: it would silently use its `empty` template.
    return isinstance(tokenizer.chat_template, str)


def name_record(record: Mapping[str, Any]) -> str:
    """A record as an error names it: by its row where it has one."""
    return f"row {row_number(record['row'])}" if "row" in record else "the row"


@dataclass(frozen=True)
class Encoder:
    """Tokens of prompts and labels. A prompt's do not depend on the label, nor a label's on the prompt.

    `processor` is the multimodal one that templates of image or audio models require even for text alone.
    """

    tokenizer: Any
    template: Any
    processor: Any = None

    def prompt_ids(self, record: Mapping[str, Any]) -> list[int]:
        """The tokens that LlamaFactory excludes from the loss for a record {instruction, input}, never cut off.

        PredictionError if LlamaFactory itself cannot encode the record.
        """
        name = name_record(record).capitalize()
        prompt, _ = self._encoded(str(record["instruction"]), str(record.get("input") or ""), _PROBE, name)
        return prompt

    def label_ids(self, text: str) -> list[int]:
        """The tokens that LlamaFactory trains on for this label: think block, label, end of turn, as in the template.

        PredictionError if the text changes the prompt (by think tags) or cannot be encoded.
        """
        prompt, label = self._encoded("", "", text, f"Label {text!r}")
        if prompt != self._bare_prompt:
            raise PredictionError(f"Label {text!r} contains the template's think tags: rename it.")
        return label

    @functools.cached_property
    def _bare_prompt(self) -> list[int]:
        return self._encoded("", "", _PROBE, "An empty row")[0]

    @functools.cached_property
    def _llamafactory(self) -> tuple[Any, Any]:
        """LlamaFactory's converter of alpaca records and its supervised processor."""
        arguments = import_training("llamafactory.hparams").DataArguments(cutoff_len=_UNCUT)
        attributes = import_training("llamafactory.data.parser").DatasetAttr("file", dataset_name="records")
        converter = import_training("llamafactory.data.converter").AlpacaDatasetConverter(attributes, arguments)
        supervised = import_training("llamafactory.data.processor").SupervisedDatasetProcessor
        return converter, supervised(self.template, self.tokenizer, self.processor, arguments)

    def _encoded(self, instruction: str, text: str, label: str, subject: str) -> tuple[list[int], list[int]]:
        """Token ids outside and inside the loss; errors name the `subject`."""
        converter, processor = self._llamafactory
        example = converter({"instruction": instruction, "input": text, "output": label})
        try:
            batch = processor.preprocess_dataset({key: [value] for key, value in example.items()})
        except (ValueError, TypeError, AttributeError) as error:
            raise PredictionError(
                f"{subject} cannot be encoded by LlamaFactory ({first_line(error)}): name another template or model."
            ) from error
        ids: list[int] = batch["input_ids"][0]
        start = batch["labels"][0].count(import_training("llamafactory.extras.constants").IGNORE_INDEX)
        return ids[:start], ids[start:]


def load_encoder(model: str, template: str | None, trust_remote_code: bool = False) -> Encoder:
    """The encoder of a model folder or hub id, its tokenizer loaded and its special tokens fixed by LlamaFactory.

    `template` as from find_template. ConfigError if tokenizer or template cannot be used, PredictionError for a
    template without an end of the label.
    """
    model = locate_model(model)
    fetch_model(model, weights=False, trust_remote_code=trust_remote_code)
    with quiet(model):
        hparams = import_training("llamafactory.hparams")
        arguments = hparams.ModelArguments(model_name_or_path=model, trust_remote_code=trust_remote_code)
        try:
            loaded = import_training("llamafactory.model").load_tokenizer(arguments)
        except (OSError, ValueError) as error:
            raise _no_tokenizer(model, error) from error
        return encoder_for(loaded["tokenizer"], hparams.DataArguments(template=template), loaded["processor"])


def encoder_for(tokenizer: Any, data_arguments: Any, processor: Any = None) -> Encoder:
    """The encoder of a loaded tokenizer under LlamaFactory's DataArguments; errors as for load_encoder."""
    if data_arguments.template is None and not isinstance(tokenizer.chat_template, str):
        raise ConfigError(_no_template(tokenizer.name_or_path))
    encoder = Encoder(tokenizer, _fixed_template(tokenizer, data_arguments), processor)
    # Without an end, P("1") would include P("10"): such probabilities cannot be normalised over the labels.
    if tokenizer.decode(encoder.label_ids(_PROBE), skip_special_tokens=False).endswith(_PROBE):
        name = data_arguments.template or "in the tokenizer"
        raise PredictionError(
            f"The template {name} trains no end of the answer, so labels cannot be told apart: name another."
        )
    return encoder


def _fixed_template(tokenizer: Any, data_arguments: Any) -> Any:
    module = import_training("llamafactory.data.template")
    name = data_arguments.template
    if name is not None:
        _checked_name(name)
    else:
        check_chat_template(tokenizer.chat_template, tokenizer.name_or_path, tokenizer.special_tokens_map)
    pristine = copy.deepcopy(module.TEMPLATES.get(name))
    try:
        return module.get_template_and_fix_tokenizer(tokenizer, data_arguments)
    except Exception as error:  # a tokenizer's jinja template can raise anything
        shown = name or "the chat template"
        raise ConfigError(f"template: {shown} cannot be used ({first_line(error)}): name another template.") from error
    finally:
        # LlamaFactory writes default_system and enable_thinking into its shared registry.
        if pristine is not None:
            module.TEMPLATES[name] = pristine

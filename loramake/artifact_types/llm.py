"""What is read about models: a base model's card, a LoRA's configuration, LlamaFactory's names."""

from typing import Literal, NotRequired, TypedDict

from loramake.artifact_types.prepare import CellTokens, NumberFormat


class EpochsOrSteps(TypedDict):
    """Passes over the training split: more where these give fewer steps."""

    min_epochs: float
    min_steps: int


class CardSettings(TypedDict, total=False):
    """Training settings that a base model proposes."""

    template: str
    lora_rank: int
    lora_alpha: int
    lora_dropout: float
    lora_target: str
    use_dora: bool
    additional_target: str
    cutoff_len: int
    num_train_epochs: float | EpochsOrSteps
    learning_rate: float
    weight_decay: float
    per_device_train_batch_size: int
    gradient_accumulation_steps: int
    lr_scheduler_type: str
    warmup_ratio: float
    logging_steps: int
    disable_gradient_checkpointing: bool


class PlainLabels(TypedDict):
    """Labels as they are."""

    kind: Literal["plain"]


class LabelTokens(TypedDict):
    """Labels as tokens of the model."""

    kind: Literal["tokens"]
    labels: int
    token: str


LabelFormat = PlainLabels | LabelTokens


class Card(TypedDict, total=False):
    """What a base model's card sets."""

    settings: CardSettings
    number_format: NumberFormat
    cell_tokens: CellTokens | None
    missing_token: str
    label_format: LabelFormat
    feature_format: str
    feature_separator: str
    instruction: str


class AdapterConfig(TypedDict):
    """adapter/adapter_config.json, as PEFT writes it."""

    peft_type: Literal["LORA"]
    task_type: NotRequired[Literal["CAUSAL_LM"] | None]
    auto_mapping: NotRequired[None]
    base_model_name_or_path: NotRequired[str | None]
    revision: NotRequired[str | None]
    peft_version: NotRequired[str]
    inference_mode: NotRequired[bool]
    r: int
    lora_alpha: NotRequired[float]
    lora_dropout: NotRequired[float]
    bias: NotRequired[Literal["none"]]
    fan_in_fan_out: NotRequired[bool]
    use_dora: NotRequired[bool]
    use_rslora: NotRequired[bool]
    ensure_weight_tying: NotRequired[bool]
    init_lora_weights: NotRequired[bool | str]
    target_modules: list[str] | Literal["all-linear"]
    modules_to_save: NotRequired[list[str] | None]
    megatron_config: NotRequired[None]
    megatron_core: NotRequired[Literal["megatron.core"] | None]
    qalora_group_size: NotRequired[int]


ValueType = Literal["boolean", "integer", "number", "string", "array", "object", "null"]


class ValueSchema(TypedDict, total=False):
    """The allowed values, in JSON Schema."""

    type: list[ValueType]
    enum: list[str | float | bool | None]


class Argument(TypedDict):
    """An argument of LlamaFactory."""

    schema: ValueSchema
    model: bool


class LlamaFactoryNames(TypedDict):
    """LlamaFactory's names of templates and arguments."""

    templates: list[str]
    arguments: dict[str, Argument]

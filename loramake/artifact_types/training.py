"""LlamaFactory's files: its configurations, its register of data sets, and its log."""

from typing import Any, Literal, NotRequired, TypedDict

LlamaFactoryConfig = dict[str, Any]
"""configs/train.yaml and the predict configurations: any of LlamaFactory's arguments."""


class AlpacaColumns(TypedDict):
    """The keys of a record, by their role for LlamaFactory."""

    prompt: Literal["instruction"]
    query: Literal["input"]
    response: Literal["output"]


class RegisteredDataset(TypedDict):
    """A data set that LlamaFactory reads."""

    file_name: str
    columns: AlpacaColumns


DatasetInfo = dict[str, RegisteredDataset]
"""data/dataset_info.json."""


class Processes(TypedDict):
    """configs/processes.json: the processes of the training, one on each GPU."""

    gpus: int
    """Of each node."""
    nodes: int


class LoggedStep(TypedDict):
    """A line of adapter/trainer_log.jsonl."""

    current_steps: int
    total_steps: int
    loss: NotRequired[float]
    eval_loss: NotRequired[float]
    lr: NotRequired[float]
    epoch: NotRequired[float]

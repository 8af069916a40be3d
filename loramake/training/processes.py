"""The processes of a training, one on each GPU (without GPUs, on the CPUs): how many, and how they are started."""

import socket
import sys
from collections.abc import Mapping
from typing import Any

from loramake.artifact_types.training import LlamaFactoryConfig, Processes
from loramake.errors import ConfigError
from loramake.llm import training_launcher, training_process
from loramake.llm.extra import check_deepspeed

SHARDING = ("deepspeed", "fsdp")
"""LlamaFactory's arguments that share one training out among its processes; they need torchrun, for one process too."""


def count_processes(processes: Processes) -> int:
    """Of the whole training: torch's world size."""
    return processes["gpus"] * processes["nodes"]


def rows_per_step(settings: Mapping[str, Any], processes: Processes) -> int:
    """The effective batch: rows of one optimizer step."""
    per_process: int = settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"]
    return per_process * count_processes(processes)


def check_processes(gpus: int, nodes: int, extra: LlamaFactoryConfig, has_nodes: bool) -> None:
    """Raise ConfigError for processes that could not be started, or not with these extra_training_args."""
    if nodes > 1 and not has_nodes:
        raise ConfigError(
            f"nodes: {nodes} needs SLURM, which starts the processes on each: run with --profile slurm, or set nodes "
            "to 1."
        )
    check_deepspeed(extra.get("deepspeed"))
    if extra.get("fsdp") and gpus * nodes == 1:
        raise ConfigError(
            "extra_training_args: fsdp shares a model out among processes, and there is one: set gpus to 2 or more, or "
            "leave fsdp out."
        )


def training_command(settings: LlamaFactoryConfig, processes: Processes, threads: int) -> list[str]:
    """What starts LlamaFactory's training, up to its own arguments; on several nodes from within a job of them all."""
    python = [sys.executable, "-P", "-m"]
    if count_processes(processes) == 1 and not any(settings.get(name) for name in SHARDING):
        return [*python, training_process.__name__]
    nodes = processes["nodes"]
    is_one = nodes == 1
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    torchrun = [f"--nnodes={nodes}", f"--nproc-per-node={processes['gpus']}", f"--master-port={port}"]
    torchrun += [f"--master-addr={'127.0.0.1' if is_one else socket.gethostname()}", "-m", training_process.__name__]
    return [*([] if is_one else _srun(nodes, threads)), *python, training_launcher.__name__, *torchrun]


def _srun(nodes: int, threads: int) -> list[str]:
    """One launcher on each node of the job, with all that the job has there; where one fails, all end."""
    each = [f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", f"--cpus-per-task={threads}", "--mem=0"]
    return ["srun", *each, "--kill-on-bad-exit=1"]

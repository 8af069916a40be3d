"""Estimates for a training: steps, tokens and, if there is a GPU, the memory that is known beforehand."""

import math
from pathlib import Path

from loramake.artifact_types.prepare import TokenCounts
from loramake.artifact_types.training import LlamaFactoryConfig, Processes
from loramake.llm.models import read_shapes
from loramake.paths import locate_model
from loramake.programs import output_lines
from loramake.training.processes import rows_per_step

_GIB = 1 << 30
_NOT_ADAPTED = ("embed", "lm_head", "wte", "wpe")
"""Parts of the names of matrices that `lora_target: all` does not adapt."""
_BYTES_PER_TRAINED = 16
"""A trained weight, its gradient and Adam's two moments, each in 32 bits."""


def estimate_training(settings: LlamaFactoryConfig, processes: Processes, rows: int, tokens: TokenCounts) -> str:
    """Steps and tokens of a training: `tokens` as in verification.json."""
    steps = count_steps(settings, processes, rows)
    tokens_read = rows * settings["num_train_epochs"] * tokens["mean"]
    note = "" if not tokens["estimated"] else ", estimated from characters"
    return f"{steps:,} steps over {rows:,} rows, about {tokens_read:,.0f} tokens ({tokens['mean']:.0f} a row{note})"


def describe_batch(settings: LlamaFactoryConfig, processes: Processes) -> str:
    """The effective batch, and what it is the product of."""
    factors = {name: settings[name] for name in ("per_device_train_batch_size", "gradient_accumulation_steps")}
    factors |= {name: count for name, count in processes.items() if count != 1}
    product = " × ".join(f"{name} {count}" for name, count in factors.items())
    return f"{rows_per_step(settings, processes):,} rows a step ({product})"


def count_steps(settings: LlamaFactoryConfig, processes: Processes, rows: int) -> int:
    """Optimizer steps, including an epoch's last, smaller step."""
    epochs: float = settings["num_train_epochs"]
    return math.ceil(math.ceil(rows / rows_per_step(settings, processes)) * epochs)


def estimate_memory(settings: LlamaFactoryConfig) -> str | None:
    """Weights and adapter compared with the memory of the first GPU; None without a GPU."""
    gpu = _first_gpu()
    if gpu is None:
        return None
    name, total = gpu
    model = Path(locate_model(settings["model_name_or_path"]))
    if not model.is_dir():
        return f"{name} has {total / _GIB:.0f} GiB; the base model is not a local folder, so its size is unknown"
    weights, adapter = memory_of(settings, read_shapes(model))
    needs = (
        f"{weights / _GIB:.2f} GiB for the base model and {adapter / _GIB:.2f} GiB for the adapter and its optimizer"
    )
    return f"{needs}, plus activations, of {total / _GIB:.0f} GiB on {name}"


def memory_of(settings: LlamaFactoryConfig, shapes: dict[str, tuple[int, ...]]) -> tuple[float, float]:
    """Bytes of the base's weights (two a weight, or fewer by quantization_bit) and of the adapter in training."""
    adapted = count_adapter(settings, shapes)
    bits = settings.get("quantization_bit") or 16
    sizes = {name: bits if _is_adapted(name, shape, "all") else 16 for name, shape in shapes.items()}
    weights = sum(math.prod(shape) * sizes[name] / 8 for name, shape in shapes.items())
    return weights, adapted * _BYTES_PER_TRAINED


def count_adapter(settings: LlamaFactoryConfig, shapes: dict[str, tuple[int, ...]]) -> int:
    """Weights of the LoRA matrices: rank x (in + out) for each matrix that gets them (Hu et al. 2021, section 4)."""
    target = str(settings.get("lora_target", "all"))
    adapted = [shape for name, shape in shapes.items() if _is_adapted(name, shape, target)]
    return sum(settings["lora_rank"] * (rows + columns) for rows, columns in adapted)


def _is_adapted(name: str, shape: tuple[int, ...], target: str) -> bool:
    if len(shape) != 2:
        return False
    if target == "all":
        return not any(part in name for part in _NOT_ADAPTED)
    return any(f".{module.strip()}." in name for module in target.split(","))


def _first_gpu() -> tuple[str, int] | None:
    """Name and bytes of memory."""
    lines = output_lines("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")
    name, comma, megabytes = lines[0].rpartition(",") if lines else ("", "", "")
    return (name.strip(), int(megabytes) << 20) if comma and megabytes.strip().isdigit() else None

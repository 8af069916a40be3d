"""Checks an adapter's folder before PEFT loads it, since it may come from anybody.

Knows files and headers; knows nothing of tensors, and imports torch nowhere.
"""

from pathlib import Path

from loramake import artifacts, schemas
from loramake.errors import ArtifactError
from loramake.llm.models import check_header, read_header

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def check_adapter(folder: Path) -> None:
    """Raise ArtifactError for an adapter that is incomplete, or with which PEFT would do more than load LoRA weights.

    Pickled weights (adapter_model.bin) are never loaded; the rank in the weights' header must be that of the
    configuration, which could otherwise allocate any amount of memory.
    """
    config = artifacts.read(folder / CONFIG, schemas.ADAPTER_CONFIG)
    weights = folder / WEIGHTS
    if not weights.is_file():
        other = next((path.name for path in sorted(folder.glob("adapter_model.*"))), None)
        reason = f"its weights are in {other}, and only safetensors are read" if other else "it has no weights"
        raise ArtifactError(f"{weights} does not exist: {reason}: train again, or ask for {WEIGHTS}.")
    check_header(weights, kind="adapter")
    tensors = read_header(weights, "adapter")
    ranks = [tensors[name]["shape"][:1] for name in tensors if ".lora_A." in name or ".lora_embedding_A" in name]
    if not ranks or any(rank != [config["r"]] for rank in ranks):
        raise ArtifactError(f"{folder / CONFIG}: r: {config['r']} is not the rank of the weights in {WEIGHTS}.")

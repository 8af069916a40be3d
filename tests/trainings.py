"""A training without the workflow before it: the files that run_finetuning reads, with synthetic rows."""

from pathlib import Path
from typing import Any

from loramake import artifacts
from loramake.settings import defaults
from loramake.training.config import dataset_info, train_config

FAST = {
    "num_train_epochs": 1, "lora_rank": 4, "lora_alpha": 8, "learning_rate": 1e-3, "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 1, "logging_steps": 1, "disable_gradient_checkpointing": True, "cutoff_len": 64,
}  # fmt: skip


def records(count: int) -> list[dict[str, Any]]:
    """Rows whose label follows from their number."""
    answers = ("no", "yes")
    return [
        {"instruction": "sick:", "input": f"age <b{row % 16}> sex M", "output": answers[row % 16 > 7], "row": row}
        for row in range(count)
    ]


def make_training(results: Path, model: str, validation: int = 0, template: str | None = None, **settings: Any) -> Path:
    """All that a training of 64 rows reads, under `results`; gives the path of its train.yaml."""
    artifacts.write(results / "data/balanced_data.json", records(64), "records")
    artifacts.write(results / "data/validation.json", records(validation), "records")
    artifacts.write(results / "data/dataset_info.json", dataset_info(validation > 0), "dataset_info")
    base = {"model_name_or_path": model, "stage": "sft", "finetuning_type": "lora", "report_to": "none"}
    base |= {"dataset_dir": str(results / "data"), "cutoff_len": FAST["cutoff_len"], "overwrite_output_dir": True}
    base |= {"template": template} if template else {}
    config = train_config(base, {**defaults(), **FAST, **settings}, results, validation > 0)
    artifacts.write(results / "configs/train.yaml", config, "lmf_config")
    return results / "configs/train.yaml"

"""LlamaFactory's own files, as a person could run them: `llamafactory-cli train results/exp1/configs/train.yaml`.

Arithmetic (bf16, fp16) and attention kernels depend on the machine that trains, so `precision: auto` and
`flash_attn: auto` leave them out of the YAML: `run_finetuning` adds what it finds there.
"""

import math
from pathlib import Path
from typing import Any

from loramake import artifacts
from loramake.config import TRAINING_KEYS, Settings
from loramake.encoding import find_template
from loramake.errors import ConfigError
from loramake.lmf_names import BEST_OF_ALL, check_extra, shared_arguments
from loramake.training_extra import import_training

_COLUMNS = {"prompt": "instruction", "query": "input", "response": "output"}
_PREDICT_BATCH = 8


def generate_lmf_config(
    settings: Settings,
    results: str | Path,
    balanced: str | Path,
    validation: str | Path,
    plan: str | Path,
    verification: str | Path,
    outs: dict[str, str | Path],
) -> None:
    """Write train.yaml, predict_train.yaml, predict_test.yaml and dataset_info.json (`outs`, by those words).

    `settings` holds the training keys, model, template, trust_remote_code, seed, precision, flash_attn and
    extra_training_args; `results` is the experiment's folder.
    """
    _check_cutoff(settings["cutoff_len"], artifacts.read(verification, "verification")["tokens"]["longest"])
    results = Path(results)
    has_validation = bool(artifacts.read(validation, "records"))
    texts = [label["text"] for label in artifacts.read(plan, "plan")["labels"]]
    extra = _extra(settings["extra_training_args"], has_validation)
    settings = {**settings, "num_train_epochs": count_epochs(settings, len(artifacts.read(balanced, "records")))}
    base = _base(settings, results)
    train = train_config(base, {**settings, "extra_training_args": extra}, results, has_validation)
    base |= shared_arguments(extra)
    artifacts.write(outs["train"], train, "lmf_config")
    for split in ("train", "test"):
        predict = predict_config(base, settings, results, f"predict_{split}", texts)
        artifacts.write(outs[f"predict_{split}"], predict, "lmf_config")
    artifacts.write(outs["dataset_info"], dataset_info(has_validation), "dataset_info")


def _check_cutoff(cutoff_len: int, longest: int) -> None:
    """LlamaFactory would cut the end off a longer prompt, the assistant's header with it, and not say so."""
    if longest > cutoff_len:
        raise ConfigError(
            f"cutoff_len {cutoff_len} is shorter than the longest prompt and answer ({longest}): raise it."
        )


def count_epochs(settings: Settings, rows: int) -> float:
    """Passes over so many training rows; where a number of steps is asked for too, enough of them on one device."""
    asked = settings["num_train_epochs"]
    if not isinstance(asked, dict):
        return float(asked)
    per_step = settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"]
    return float(max(asked["least"], math.ceil(asked["steps"] / math.ceil(rows / per_step))))


def _extra(extra: dict[str, Any], has_validation: bool) -> dict[str, Any]:
    """extra_training_args, checked where LlamaFactory is sure to be there to ask."""
    if extra:
        import_training("llamafactory")
    return check_extra(extra, has_validation)


def _base(settings: Settings, results: Path) -> dict[str, Any]:
    """What training and predicting share."""
    template = find_template(settings["model"], settings["template"], settings["trust_remote_code"])
    shared = {
        "model_name_or_path": settings["model"],
        "trust_remote_code": settings["trust_remote_code"],
        "template": template,
        "stage": "sft",
        "finetuning_type": "lora",
        "quantization_bit": settings["quantization_bit"],
        "dataset_dir": str(results / "data"),
        "cutoff_len": settings["cutoff_len"],
        "report_to": "none",
        "overwrite_output_dir": True,
    }
    if settings["precision"] in ("bf16", "fp16"):
        shared[settings["precision"]] = True
    if settings["flash_attn"] != "auto":
        shared["flash_attn"] = settings["flash_attn"]
    return {key: value for key, value in shared.items() if value is not None}


def train_config(base: dict[str, Any], settings: Settings, results: Path, has_validation: bool) -> dict[str, Any]:
    """The arguments of the training."""
    own = {key: settings[key] for key in TRAINING_KEYS if key not in base and settings[key] is not None}
    config = {**base, "do_train": True, "dataset": "train", **own, "seed": settings["seed"]}
    config |= {"output_dir": str(results / "adapter"), "save_strategy": "steps", "plot_loss": False}
    if has_validation:
        config |= {"eval_dataset": "validation", "per_device_eval_batch_size": _PREDICT_BATCH}
        config |= _evaluation(settings)
    return {**config, **settings["extra_training_args"]}


def _evaluation(settings: Settings) -> dict[str, Any]:
    """When to evaluate: after each epoch, at the steps asked for, or, for the best checkpoint, with each."""
    if settings["extra_training_args"].get("eval_steps"):
        return {"eval_strategy": "steps"}
    if any(settings["extra_training_args"].get(name) for name in BEST_OF_ALL):
        return {"eval_strategy": "steps", "eval_steps": settings["save_steps"], "load_best_model_at_end": True}
    return {"eval_strategy": "epoch"}


def predict_config(
    base: dict[str, Any], settings: Settings, results: Path, dataset: str, texts: list[str]
) -> dict[str, Any]:
    """The arguments of LlamaFactory's own predict: greedy, room for the longest label."""
    return {
        **base,
        "do_predict": True,
        "predict_with_generate": True,
        "do_sample": False,
        "max_new_tokens": max(len(text.encode()) for text in texts) + 16,
        "adapter_name_or_path": str(results / "adapter"),
        "eval_dataset": dataset,
        "per_device_eval_batch_size": base.get("per_device_eval_batch_size", _PREDICT_BATCH),
        "output_dir": str(results / ".cache" / dataset),
        "seed": settings["seed"],
    }


def dataset_info(has_validation: bool) -> dict[str, Any]:
    """LlamaFactory's register: the balanced training split, and the splits to predict."""
    files = {"train": "balanced_data.json", "predict_train": "train.json", "predict_test": "test.json"}
    files |= {"validation": "validation.json"} if has_validation else {}
    return {name: {"file_name": file, "columns": _COLUMNS} for name, file in files.items()}

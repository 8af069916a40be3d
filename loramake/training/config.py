"""LlamaFactory's own files, as a person could run them: `llamafactory-cli train results/exp1/configs/train.yaml`.

Arithmetic (bf16, fp16) and attention kernels depend on the machine that trains, so `precision: auto` and
`flash_attn: auto` leave them out of the YAML: `run_finetuning` adds what the machine supports.
"""

import math
from pathlib import Path

from loramake import artifacts, layout, schemas
from loramake.artifact_types.training import AlpacaColumns, DatasetInfo, LlamaFactoryConfig, Processes
from loramake.errors import ConfigError
from loramake.layout import File
from loramake.llm.arguments import BEST_OF_ALL, check_extra, shared_arguments
from loramake.llm.encoding import find_template
from loramake.llm.extra import import_training
from loramake.settings import TRAINING_KEYS, Settings
from loramake.tasks.answers import read_answers
from loramake.training.estimates import count_steps
from loramake.training.processes import rows_per_step

_COLUMNS: AlpacaColumns = {"prompt": "instruction", "query": "input", "response": "output"}
_PREDICT_BATCH = 8
_CHECKPOINTS, _MOST_SAVE_STEPS = 5, 500
_WRITTEN = (
    *TRAINING_KEYS,
    *("trust_remote_code", "template", "stage", "finetuning_type", "bf16", "fp16", "flash_attn", "seed", "do_train"),
    *("output_dir", "overwrite_output_dir", "save_strategy", "plot_loss"),
    *("eval_dataset", "per_device_eval_batch_size", "eval_strategy", "eval_steps", "load_best_model_at_end"),
)
"""Further keys that train_config writes; output_dir and trust_remote_code are set again when the training starts."""


def generate_lmf_config(
    settings: Settings,
    results: str | Path,
    balanced: str | Path,
    validation: str | Path,
    plan: str | Path,
    verification: str | Path,
    outs: dict[str, str | Path],
) -> None:
    """Write train.yaml, predict_train.yaml, predict_test.yaml, dataset_info.json and processes.json (`outs`).

    `settings` contains the training keys, model, template, trust_remote_code, seed, precision, flash_attn, gpus, nodes
    and extra_training_args; `results` is the experiment's folder.
    """
    _check_cutoff(settings["cutoff_len"], artifacts.read(verification, schemas.VERIFICATION)["tokens"]["longest"])
    results = Path(results)
    has_validation = bool(artifacts.read(validation, schemas.RECORDS))
    texts = read_answers(plan).texts
    extra = _extra(settings["extra_training_args"], has_validation)
    processes: Processes = {"gpus": settings["gpus"], "nodes": settings["nodes"]}
    rows = len(artifacts.read(balanced, schemas.RECORDS))
    settings = {**settings, "num_train_epochs": count_epochs(settings, processes, rows)}
    settings["save_steps"] = settings["save_steps"] or choose_save_steps(count_steps(settings, processes, rows))
    base = _base(settings, results)
    train = train_config(base, {**settings, "extra_training_args": extra}, results, has_validation)
    base |= shared_arguments(extra)
    artifacts.write(outs["train"], train, schemas.LMF_CONFIG)
    for split in ("train", "test"):
        predict = predict_config(base, settings, results, f"predict_{split}", texts)
        artifacts.write(outs[f"predict_{split}"], predict, schemas.LMF_CONFIG)
    artifacts.write(outs["dataset_info"], dataset_info(has_validation), schemas.DATASET_INFO)
    artifacts.write(outs["processes"], processes, schemas.PROCESSES)


def _check_cutoff(cutoff_len: int, longest: int) -> None:
    """Raise ConfigError for a longer prompt: LlamaFactory would silently cut its end and the assistant's header off."""
    if longest > cutoff_len:
        raise ConfigError(
            f"cutoff_len {cutoff_len} is shorter than the longest prompt and answer ({longest}): raise it."
        )


def count_epochs(settings: Settings, processes: Processes, rows: int) -> float:
    """Passes over so many training rows; enough for min_steps, if that is set."""
    epochs = settings["num_train_epochs"]
    if not isinstance(epochs, dict):
        return float(epochs)
    steps = math.ceil(rows / rows_per_step(settings, processes))
    return float(max(epochs["min_epochs"], math.ceil(epochs["min_steps"] / steps)))


def choose_save_steps(steps: int) -> int:
    """Steps between two checkpoints of a training of so many: a killed one loses a fifth at most."""
    return min(_MOST_SAVE_STEPS, math.ceil(steps / _CHECKPOINTS))


def _extra(extra: LlamaFactoryConfig, has_validation: bool) -> LlamaFactoryConfig:
    """extra_training_args, checked, which needs LlamaFactory."""
    if extra:
        import_training("llamafactory")
    return check_extra(extra, has_validation)


def _base(settings: Settings, results: Path) -> LlamaFactoryConfig:
    """The arguments that training and predicting share."""
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


def train_config(
    base: LlamaFactoryConfig, settings: Settings, results: Path, has_validation: bool
) -> LlamaFactoryConfig:
    """The arguments of the training."""
    training = {key: settings[key] for key in TRAINING_KEYS if key not in base and settings[key] is not None}
    config = {**base, "do_train": True, "dataset": "train", **training, "seed": settings["seed"]}
    config |= {"output_dir": str(results / "adapter"), "save_strategy": "steps", "plot_loss": False}
    if has_validation:
        config |= {"eval_dataset": "validation", "per_device_eval_batch_size": _PREDICT_BATCH}
        config |= _evaluation(settings)
    return {**config, **settings["extra_training_args"]}


def _evaluation(settings: Settings) -> LlamaFactoryConfig:
    """When to evaluate: after each epoch, at the configured steps, or, for the best checkpoint, at each checkpoint."""
    if settings["extra_training_args"].get("eval_steps"):
        return {"eval_strategy": "steps"}
    if any(settings["extra_training_args"].get(name) for name in BEST_OF_ALL):
        return {"eval_strategy": "steps", "eval_steps": settings["save_steps"], "load_best_model_at_end": True}
    return {"eval_strategy": "epoch"}


def predict_config(
    base: LlamaFactoryConfig, settings: Settings, results: Path, dataset: str, texts: list[str]
) -> LlamaFactoryConfig:
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


def check_train_config(path: str | Path, own: Settings) -> LlamaFactoryConfig:
    """The arguments in train.yaml; ConfigError for one that only the user's own settings may decide.

    The file lies among results, which may be somebody else's, and a reviewer may edit it: its numbers are used as they
    are, while model, data, paths and further arguments must be those of `own` (the settings model, trust_remote_code
    and extra_training_args). Its trust_remote_code is never used.
    """
    config = artifacts.read(path, schemas.LMF_CONFIG)
    data = Path(path).parents[1] / "data"
    artifacts.read(data / Path(layout.DATASET_INFO.path).name, schemas.DATASET_INFO)
    extra = check_extra(own["extra_training_args"], has_validation=True)
    expected = {"model_name_or_path": own["model"], "report_to": "none", "dataset_dir": str(data), "dataset": "train"}
    for key, value in config.items():
        if key in extra:
            is_own = value == extra[key]
        elif key in expected:
            is_own = value == expected[key]
        else:
            is_own = key in _WRITTEN and (key != "eval_dataset" or value == "validation")
        if not is_own:
            raise ConfigError(
                f"{path}: {key}: {str(value)[:100]} is not one of your settings: delete the file and run the "
                f"same command again, or set {key} in config.yaml (under extra_training_args if it is not a setting)."
            )
    return config


def dataset_info(has_validation: bool) -> DatasetInfo:
    """LlamaFactory's list of data sets: the balanced training split, and the splits to predict."""
    files: dict[str, File] = {"train": layout.BALANCED, "predict_train": layout.TRAIN, "predict_test": layout.TEST}
    files |= {"validation": layout.VALIDATION} if has_validation else {}
    return {name: {"file_name": Path(file.path).name, "columns": _COLUMNS} for name, file in files.items()}

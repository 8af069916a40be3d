"""The LoRA training: LlamaFactory's own command, monitored and resumable; its adapter is published when complete.

Checkpoints live in an undeclared folder, keyed by a hash of configuration, data and base model, so that a killed
training resumes where it stopped and a changed one starts over. A finished training deletes them.
"""

import collections
import contextlib
import hashlib
import importlib.util
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from loramake import artifacts, layout, schemas
from loramake.artifact_types.training import LlamaFactoryConfig, LoggedStep, Processes
from loramake.console import Advance, log, progress, say
from loramake.errors import TrainingError
from loramake.llm import training_process
from loramake.llm.adapters import CONFIG, WEIGHTS
from loramake.llm.chat_templates import check_chat_templates
from loramake.llm.extra import check_quantization, import_training
from loramake.llm.failures import explain
from loramake.llm.models import fetch_model
from loramake.locks import locked_file
from loramake.parsing import MIB, read_bytes
from loramake.parsing.json_text import parse_json
from loramake.paths import locate_model
from loramake.threads import available_cpus, sleeping_threads
from loramake.training.config import check_train_config
from loramake.training.gpus import own_gpus
from loramake.training.processes import SHARDING, count_processes, rows_per_step, training_command

ADAPTER_FILES = (WEIGHTS, CONFIG)
TRAINER_LOG = Path(layout.TRAINER_LOG.path).name
_TRAINED_ON = [Path(file.path).name for file in (layout.BALANCED, layout.VALIDATION)]
"""Files of records that a training reads; each is hashed by content."""
_HASHED_WHOLE = 64 * 2**20
"""Model files up to this size are hashed by content, larger ones by name and size."""

_TRAINER_BAR = re.compile(r"^\s*\d+%\|[^|]*\| *(\d+)/(\d+) \[")
_ANY_BAR = re.compile(r"\d%\|[^|]*\|")
_ERROR = re.compile(r"(\[rank\d+\]: *)?[\w.]*(Error|Exception)\b.*: ")
_LAST_LINES = 200
_LONGEST_LINE = 2**16
"""Bytes after which a line of a training's output is cut."""
_MEMORY_SETTINGS = ("per_device_train_batch_size", "gradient_accumulation_steps", "cutoff_len", "quantization_bit")


def run_finetuning(
    config: str | Path, own: Mapping[str, Any], precision: str, flash_attn: str, threads: int, out: str | Path
) -> None:
    """Train, and put adapter_model.safetensors, adapter_config.json and trainer_log.jsonl into the folder `out`.

    `own` are the user's settings model, trust_remote_code and extra_training_args, which `config` must match, and gpus
    and nodes.
    """
    settings = check_train_config(config, dict(own))
    check_gpu(settings)
    base = locate_model(settings["model_name_or_path"])
    folder = fetch_model(base, trust_remote_code=own["trust_remote_code"])
    if settings.get("template") is None:
        check_chat_templates(folder)
    processes: Processes = {"gpus": own["gpus"], "nodes": own["nodes"]}
    overrides = hardware_overrides(precision, flash_attn)
    overrides |= {"trust_remote_code": str(own["trust_remote_code"]).lower()}
    work = _work_folder(config, settings, overrides, count_processes(processes))
    work.mkdir(parents=True, exist_ok=True)
    with locked(work) as lock:
        if not is_finished(work):
            set_broken_checkpoints_aside(work)
            paths = {"model_name_or_path": base, "output_dir": str(work), "overwrite_output_dir": "false"}
            paths |= {"data_shared_file_system": "true"} if processes["nodes"] > 1 else {}
            arguments = [str(config), *(f"{key}={value}" for key, value in {**overrides, **paths}.items())]
            _train(settings, arguments, work, processes, threads, lock)
        if not is_finished(work):
            raise TrainingError(f"the training ended without an adapter in {work}: read the step's log.")
        publish(work, Path(out), settings["model_name_or_path"])
        shutil.rmtree(work)


def check_gpu(settings: LlamaFactoryConfig) -> None:
    """Raise TrainingError for what needs a GPU without one, ConfigError for quantization without bitsandbytes."""
    check_quantization(settings.get("quantization_bit"), settings.get("quantization_method"))
    needs_gpu = [name for name in ("quantization_bit", *SHARDING) if settings.get(name)]
    if needs_gpu and not import_training("torch").cuda.is_available():
        name = needs_gpu[0]
        raise TrainingError(
            f"{name}: {str(settings[name])[:60]} needs a CUDA GPU, and there is none: unset it, or train elsewhere."
        )


def hardware_overrides(precision: str, flash_attn: str) -> dict[str, str]:
    """LlamaFactory arguments for this machine where the settings say `auto`."""
    if precision != "auto" and flash_attn != "auto":
        return {}
    torch = import_training("torch")
    overrides: dict[str, str] = {}
    has_gpu = torch.cuda.is_available()
    if precision == "auto" and has_gpu:
        overrides["bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"] = "true"
    if flash_attn == "auto" and has_gpu and importlib.util.find_spec("flash_attn"):
        overrides["flash_attn"] = "fa2"
    device = torch.cuda.get_device_name(0) if has_gpu else "the CPU"
    say(f"training on {device}" + "".join(f", {key}={value}" for key, value in overrides.items()) + ".")
    return overrides


def _work_folder(config: str | Path, settings: LlamaFactoryConfig, overrides: dict[str, str], processes: int) -> Path:
    """results/{experiment}/.cache/training/{hash of config, data, base, hardware and number of processes}."""
    data = Path(settings["dataset_dir"])
    key = hashlib.sha256(json.dumps([artifacts.sha256(config), overrides, processes]).encode())
    for path in sorted(data.glob("*.json")):
        if path.name in _TRAINED_ON:
            key.update(artifacts.sha256(path).encode())
    for path in sorted(Path(locate_model(settings["model_name_or_path"])).glob("*")):
        if path.is_file():
            whole = path.stat().st_size <= _HASHED_WHOLE
            key.update(f"{path.name} {artifacts.sha256(path) if whole else path.stat().st_size}".encode())
    return data.parent / ".cache" / "training" / key.hexdigest()[:16]


@contextlib.contextmanager
def locked(work: Path) -> Iterator[int]:
    """Hold the folder's lock, whose descriptor the training process inherits: an orphan of a killed run keeps it."""
    path = work.with_suffix(".lock")
    with locked_file(path) as lock:
        if lock is None:
            raise TrainingError(
                f"another training of the same data still runs in {work}: wait for it, or end it "
                f"(pkill -f {work.name}), and run the same command again."
            )
        yield lock
        path.unlink(missing_ok=True)


def is_finished(work: Path) -> bool:
    """Whether a training finished here: LlamaFactory writes train_results.json after the adapter."""
    return all((work / name).is_file() for name in (*ADAPTER_FILES, "train_results.json"))


def set_broken_checkpoints_aside(work: Path) -> None:
    """Hide checkpoints that a kill left incomplete from LlamaFactory, which would resume from the newest."""
    for checkpoint in work.glob("checkpoint-*"):
        if not is_complete_checkpoint(checkpoint):
            say(f"{checkpoint.name} is incomplete and is not resumed from.")
            shutil.rmtree(work / f"broken-{checkpoint.name}", ignore_errors=True)
            checkpoint.rename(work / f"broken-{checkpoint.name}")
    for name in (*ADAPTER_FILES, "train_results.json"):
        (work / name).unlink(missing_ok=True)


def is_complete_checkpoint(checkpoint: Path) -> bool:
    """The trainer writes trainer_state.json last: valid, beside non-empty weights, it marks a complete checkpoint."""
    try:
        parse_json(read_bytes(checkpoint / "trainer_state.json", 64 * MIB), takes_nan=True)
    except (OSError, ValueError):
        return False
    needed = (WEIGHTS, "optimizer.pt", "scheduler.pt")
    return all((checkpoint / name).is_file() and (checkpoint / name).stat().st_size > 0 for name in needed)


def _train(
    settings: LlamaFactoryConfig, arguments: list[str], work: Path, processes: Processes, threads: int, lock: int
) -> None:
    """Run LlamaFactory's training to its end; TrainingError, with its last error, if it fails."""
    newest = max(work.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]), default=None)
    if newest is not None:
        say(f"resuming from {newest.name}.")
    if (count := count_processes(processes)) > 1:
        say(f"training in {count} processes, {rows_per_step(settings, processes):,} rows a step.")
    with own_gpus(processes["gpus"]) as gpus:
        command = [*training_command(settings, processes, threads), *arguments]
        log.info("%s", " ".join(command))
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=training_environment(settings, work, threads, processes, list(gpus)),
            pass_fds=(lock, *(gpu_lock for gpu_lock in gpus.values() if gpu_lock is not None)),
        )
        with _ended_with_us(process, work), progress("training, steps") as advance:
            lines = follow(process.stdout, advance)  # type: ignore[arg-type]
            if process.wait() == training_process.TERMINATED:
                sys.exit(training_process.TERMINATED)
    if process.returncode != 0:
        raise TrainingError(failure(process.returncode, lines, settings, work))


def failure(exit_code: int, lines: list[str], settings: LlamaFactoryConfig, work: Path) -> str:
    """Why a training failed and what to do next, from its last lines; the last error if the reason is unknown."""
    current = {name: settings.get(name, "unset") for name in _MEMORY_SETTINGS}
    smaller = "lower {} (now {}) and raise {} (now {}) by as much, lower {} (now {}), or set {}: 4 (now {})".format(
        *itertools.chain.from_iterable(current.items())
    )
    # Output before the first traceback is not the reason: it may be a warning about a retried download.
    crash = next(
        (index for index, line in enumerate(lines) if "Traceback (most recent call last)" in line), len(lines) - 1
    )
    text = "\n".join([*lines[max(0, crash) :], f"exit code {exit_code}"])
    explained = explain(text, str(settings["model_name_or_path"]), str(work), "work on a larger disk", smaller)
    return f"{explained or f'llamafactory-cli failed (exit code {exit_code}): {last_words(lines)}'}."


def last_words(lines: list[str]) -> str:
    """The last line that names an error and says more than its name, unlike torchrun's own, which is below it."""
    errors = [line for line in lines if _ERROR.match(line)]
    return (errors or lines or ["no output"])[-1].rstrip(".")


@contextlib.contextmanager
def _ended_with_us(process: "subprocess.Popen[bytes]", work: Path) -> Iterator[None]:
    """End the training when this step is ended, so that no orphan is left; wait while it saves a checkpoint."""
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(training_process.TERMINATED))
    try:
        yield
    except BaseException as reason:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        process.terminate()
        with process.stdout or contextlib.nullcontext() as output:
            collections.deque(output or (), maxlen=0)  # a full pipe would keep it from saving
        process.wait()
        if isinstance(reason, SystemExit):
            kept = newest_checkpoint(work)
            follows = f"the next run resumes from {kept}" if kept else "no checkpoint was saved yet"
            say(f"{training_process.ASKED_TO_END} {follows}.")
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)


def newest_checkpoint(folder: Path) -> str:
    """The name of the newest complete checkpoint in or below a folder; empty where there is none."""
    kept = [path for path in folder.rglob("checkpoint-*") if is_complete_checkpoint(path)]
    return max(kept, key=lambda path: path.stat().st_mtime).name if kept else ""


def training_environment(
    settings: LlamaFactoryConfig, work: Path, threads: int, processes: Processes, gpus: list[str]
) -> dict[str, str]:
    """The environment of a training: no row is cached outside results/, no network is used for a local base model.

    On several nodes SLURM says which GPUs each process has.
    """
    model = locate_model(settings["model_name_or_path"])
    environment = {
        **os.environ,
        **({"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus and processes["nodes"] == 1 else {}),
        "OMP_NUM_THREADS": str(max(1, min(threads, available_cpus()) // processes["gpus"])),
        **sleeping_threads(os.environ),
        "HF_DATASETS_CACHE": str((work.parent.parent / "datasets").resolve()),
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }
    # Checkpoints may be somebody else's: torch unpickles only tensors and numbers, nothing that runs.
    environment.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)
    environment["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    return environment | ({"HF_HUB_OFFLINE": "1"} if Path(model).is_dir() else {})


def follow(stream: IO[bytes], advance: Advance) -> list[str]:
    """Read a training's output: bars move the progress, other lines go to the log; returns the last lines."""
    last: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
    steps = None
    for line in _lines(stream):
        bar = _TRAINER_BAR.match(line)
        if bar:
            steps = steps or bar[2]  # the bars of evaluations look the same and come later
            if bar[2] == steps:
                advance(int(bar[1]), int(bar[2]))
        elif line.strip() and not _ANY_BAR.search(line):
            log.info("%s", line.rstrip())
            last.append(line.strip())
    return list(last)


def _lines(stream: IO[bytes]) -> Iterator[str]:
    """Lines as they come, whether they end in a newline or, as progress bars do, in a carriage return."""
    rest = b""
    while chunk := stream.read1(4096):  # type: ignore[attr-defined]
        *whole, rest = re.split(rb"[\r\n]", rest + chunk)
        if len(rest) > _LONGEST_LINE:
            whole, rest = [*whole, rest], b""
        yield from (line.decode("utf-8", "replace") for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace")


def publish(work: Path, out: Path, base: str) -> None:
    """Copy the adapter and its log into `out`, each file atomically, with `base` as the name of the base model.

    LlamaFactory was given the base model's path on this machine, which means nothing on another. If the best
    checkpoint is configured, LlamaFactory has put it into `work`.
    """
    _refuse_non_numbers(work)
    weights, config = ADAPTER_FILES
    with artifacts.atomic(out / weights) as temporary:
        shutil.copyfile(work / weights, temporary)
    # Not checked against its schema, which is for adapters of others: hours of training could be refused here.
    written = parse_json(read_bytes(work / config, MIB))
    named = {**written, "base_model_name_or_path": base}
    artifacts.write_text(out / config, json.dumps(named, indent=2, ensure_ascii=False) + "\n")
    artifacts.write(out / TRAINER_LOG, read_trainer_log(work), schemas.TRAINER_LOG)
    steps = parse_json(read_bytes(work / "trainer_state.json", 64 * MIB), takes_nan=True)["global_step"]
    size = (out / ADAPTER_FILES[0]).stat().st_size / 2**20
    say(f"trained {steps:,} steps; the adapter has {size:.1f} MiB.")


def _refuse_non_numbers(work: Path) -> None:
    """Raise TrainingError for an adapter with weights that are not numbers: the trainer itself does not report it."""
    torch = import_training("torch")
    weights = import_training("safetensors.torch").load_file(work / ADAPTER_FILES[0])
    if not all(torch.isfinite(tensor).all() for tensor in weights.values()):
        raise TrainingError(
            "the training diverged, the adapter's weights are not numbers: lower learning_rate, or set precision to "
            "bf16 or fp32 if it is fp16."
        )


def read_trainer_log(work: Path) -> list[LoggedStep]:
    """LlamaFactory's log, each step once (a resumed training logs some twice); empty if nothing was logged."""
    path = work / TRAINER_LOG
    if not path.is_file():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    by_step = {(line["current_steps"], "loss" in line, "eval_loss" in line): line for line in lines}
    return sorted(by_step.values(), key=lambda line: line["current_steps"])

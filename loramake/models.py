"""Base models: a folder looked at before anything is done with it, a hub id downloaded with its progress shown.

Knows files, headers and the hub; knows nothing of tensors, and imports torch nowhere.
"""

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from loramake.console import Advance, progress, say
from loramake.errors import ConfigError, LoramakeError
from loramake.failures import explain, first_line, text_of
from loramake.training_extra import import_training

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json", "vocab.txt")
_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"
_OTHER_WEIGHTS = (".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx")
_TEXTS = (".json", ".jinja", "vocab.txt", "merges.txt", ".model", ".tiktoken", ".py")
"""Ends of the small files that a tokenizer and a configuration may need."""
_LONGEST_HEADER = 100 * 10**6  # bytes, as the safetensors library itself allows


def check_model(model: str) -> None:
    """Raise ConfigError where `model` is a folder that lacks a part of a model, or whose weights are damaged.

    Reads headers only; a hub id is passed over.
    """
    folder = Path(model)
    if not folder.is_dir():
        return
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            raise ConfigError(f"model: {model} is an adapter, not a base model: name the model it was trained on.")
        raise ConfigError(f"model: {model} has no config.json: name a folder that save_pretrained wrote, or a hub id.")
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise ConfigError(f"model: {model} has no tokenizer (tokenizer.json): copy it from where the model is from.")
    for path in _weight_files(folder):
        _check_header(path)


def read_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a base model that is a folder, by its name, from the files' headers."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in _weight_files(folder):
        tensors = {name: tensor for name, tensor in _read_header(path).items() if name != "__metadata__"}
        shapes |= {name: tuple(tensor["shape"]) for name, tensor in tensors.items()}
    return shapes


def _weight_files(folder: Path) -> list[Path]:
    """The safetensors files that transformers would load."""
    if (folder / _WEIGHTS).is_file():
        return [folder / _WEIGHTS]
    index = folder / _INDEX
    if not index.is_file():
        raise ConfigError(_no_weights(str(folder), [path.name for path in folder.iterdir()]))
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError):
        raise ConfigError(f"model: {index} is damaged: copy or download it again.") from None
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"model: {folder / missing[0]} is not there, {index.name} names it: copy or download it again."
        )
    return [folder / name for name in names]


def _no_weights(model: str, names: Iterable[str]) -> str:
    other = next((name for name in sorted(names) if name.endswith(_OTHER_WEIGHTS)), None)
    if other is None:
        return f"model: {model} has no weights ({_WEIGHTS}): copy or download them."
    return (
        f"model: {model} has its weights as {other}, and only safetensors are read: load it with transformers and "
        "write it with save_pretrained, or name another model."
    )


def _check_header(path: Path) -> None:
    """Raise ConfigError where a safetensors file's header is unreadable or speaks of another size than the file's.

    The format: eight bytes that hold the header's length, the header in JSON, the tensors
    (https://github.com/huggingface/safetensors#format).
    """
    size = path.stat().st_size
    try:
        ends = [tensor["data_offsets"][1] for name, tensor in _read_header(path).items() if name != "__metadata__"]
        with path.open("rb") as file:
            expected = 8 + int.from_bytes(file.read(8), "little") + max(ends, default=0)
    except (ValueError, KeyError, AttributeError, TypeError, IndexError):
        raise ConfigError(f"model: {path} is no safetensors file, or damaged: copy or download it again.") from None
    if expected != size:
        raise ConfigError(
            f"model: {path} is cut off ({size:,} bytes, its header says {expected:,}): copy or download it again."
        )


def _read_header(path: Path) -> dict[str, Any]:
    """What stands in a safetensors file's header; ValueError where there is none."""
    with path.open("rb") as file:
        start = file.read(8)
        if start == b"version ":
            raise ConfigError(f"model: {path} is a Git LFS pointer, not the weights: run `git lfs pull` there.")
        length = int.from_bytes(start, "little")
        header = file.read(length) if length <= min(_LONGEST_HEADER, path.stat().st_size) else b""
    read: dict[str, Any] = json.loads(header)
    return read


def fetch_model(model: str, weights: bool = True) -> Path:
    """The folder of `model`, a hub id being downloaded first (without its weights where none are asked for).

    Progress is shown. What is in the cache already is not downloaded again, and serves where the hub cannot be
    reached. ConfigError says why a download failed.
    """
    if Path(model).is_dir() or _from_another_hub():
        return Path(model)
    hub = import_training("huggingface_hub")
    try:
        return _download(hub, model, weights)
    except LoramakeError:
        raise
    except Exception as error:
        cached = _cached(hub, model, weights)
        if cached is None:
            raise ConfigError(_refusal(model, error)) from error
        if not hub.constants.HF_HUB_OFFLINE:
            say(f"the hub does not give {model} ({first_line(error)}); going on with the copy in {cached}.")
        return cached


def _from_another_hub() -> bool:
    """Whether LlamaFactory is told to download from ModelScope or OpenMind, which it does by itself."""
    asked = (os.environ.get(name, "") for name in ("USE_MODELSCOPE_HUB", "USE_OPENMIND_HUB"))
    return any(value.lower() in ("true", "y", "1") for value in asked)


def _refusal(model: str, error: Exception) -> str:
    cache = import_training("huggingface_hub.constants").HF_HUB_CACHE
    known = explain(text_of(error), model, str(cache), "set the environment variable HF_HOME to a folder with more")
    return f"{known or f'model: {model} cannot be downloaded ({first_line(error)})'}."


def _cached(hub: Any, model: str, weights: bool) -> Path | None:
    """The folder of a whole copy in the cache."""
    try:
        found = hub.try_to_load_from_cache(model, "config.json")
        folder = Path(found).parent
        if weights:
            check_model(str(folder))
    except (ConfigError, TypeError, ValueError):  # not whole, not there, no id at all
        return None
    return folder if any((folder / name).is_file() for name in _TOKENIZERS) else None


def _download(hub: Any, model: str, weights: bool) -> Path:
    info = hub.HfApi().model_info(model, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings if "/" not in file.rfilename}
    if not sizes.keys() & {_WEIGHTS, _INDEX}:
        raise ConfigError(_no_weights(model, sizes))
    wanted = {name: size for name, size in sizes.items() if _is_wanted(name, weights, _WEIGHTS in sizes)}
    absent = {
        name: size
        for name, size in wanted.items()
        if not isinstance(hub.try_to_load_from_cache(model, name, revision=info.sha), str)
    }
    done, total = 0, sum(absent.values())
    _check_space(model, total, Path(hub.constants.HF_HUB_CACHE))
    with progress(f"downloading {model}", unit="MB") as advance:
        for name, size in absent.items():
            hub.hf_hub_download(model, name, revision=info.sha, tqdm_class=_bar(advance, done, total))
            done += size
    # Without a revision, so that the cache remembers which one `main` is, for the day the hub does not answer.
    return Path(hub.hf_hub_download(model, "config.json")).parent


def _check_space(model: str, needed: int, cache: Path) -> None:
    """huggingface_hub only warns, and fills the disk."""
    there = next(folder for folder in (cache, *cache.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise ConfigError(
            f"model: {model} needs {_megabytes(needed):,} MB and the disk of {cache} has {free // 10**6:,} MB left: "
            "free some, or set the environment variable HF_HOME to a folder with more."
        )


def _is_wanted(name: str, weights: bool, in_one_file: bool) -> bool:
    """Whether transformers loads a file of a model's folder: its texts, and one set of its weights."""
    if name.endswith(_TEXTS):
        return True
    return weights and (
        name == _WEIGHTS if in_one_file else name.startswith("model-") and name.endswith(".safetensors")
    )


def _bar(advance: Advance, before: int, total: int) -> type:
    """A tqdm class for huggingface_hub that draws nothing: it tells how many of all bytes are there, in megabytes.

    `before` bytes were there when the file was begun. A file from Xet storage has two bars, for bytes received and
    bytes written: the one further on is told.
    """
    drawn: Any = import_training("tqdm.auto").tqdm
    furthest = 0

    class Bar(drawn):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            self.seen = int(settings.get("initial") or 0)
            super().__init__(*arguments, **{**settings, "disable": True})

        def update(self, n: float | None = 1) -> None:
            nonlocal furthest
            self.seen += int(n or 0)
            furthest = max(furthest, self.seen)
            advance(_megabytes(before + furthest), _megabytes(total))

    return Bar


def _megabytes(size: int) -> int:
    return -(-size // 10**6)

"""Base models: a folder looked at before anything is done with it, a hub id downloaded with its progress shown.

Knows files, headers and the hub; knows nothing of tensors, and imports torch nowhere.
"""

import importlib.util
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from loramake.console import Advance, progress, say
from loramake.errors import ConfigError, LoramakeError
from loramake.llm.extra import import_training
from loramake.llm.failures import explain, first_line, text_of
from loramake.parsing import ParsingError, json_text
from loramake.paths import locate_model

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json", "vocab.txt")
_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"
_OTHER_WEIGHTS = (".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx")
_TEXTS = (".json", ".jinja", "vocab.txt", "merges.txt", ".model", ".tiktoken", ".py")
"""Ends of the small files that a tokenizer and a configuration may need."""
_LONGEST_HEADER = 16 * 10**6  # bytes; 100,000 tensors have some 15 MB
_LONGEST_INDEX = 16 * 10**6  # bytes
_LONGEST_SETTINGS = {"tokenizer_config.json": 4 * 10**6}  # bytes; Gemma 3 has 1.2 MB of tokens there
_LONGEST_OTHER = 10**6  # bytes; transformers takes minutes and gigabytes for 15 MB of empty lists in config.json
_SETTINGS = (
    *("config.json", "generation_config.json", "tokenizer_config.json"),
    *("processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json"),
)
"""What transformers reads before the weights."""
_KERNELS = ("attn_implementation", "experts_implementation")
"""Keys of config.json that may name a repository of compiled kernels, which transformers would download and run."""
_NAMES = {"config.json": ("auto_mappings", "configuration_auto"), "tokenizer_config.json": ("tokenization_auto",)}
"""Modules of transformers.models.auto that list the names it has code for."""


def check_model(model: str, trust_remote_code: bool = False) -> None:
    """Raise ConfigError where `model` is a folder that lacks a part of a model or would run code of its own.

    Also for weights that are damaged or that are none of the safetensors in the folder. Reads headers and settings
    only; a hub id is passed over.
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
    check_texts(folder, trust_remote_code)
    for path in _weight_files(folder):
        check_header(path)


def check_texts(folder: Path, trust_remote_code: bool = False) -> None:
    """Raise ConfigError where the settings in a model's folder name code, or weights that nobody looked at."""
    if (folder / "adapter_config.json").is_file():
        raise ConfigError(
            f"model: {folder / 'adapter_config.json'} lies beside a base model and would be loaded over it: move it, "
            "or name the folder of the base model alone."
        )
    found = {name: read_json(folder / name) for name in _SETTINGS if (folder / name).is_file()}
    if any("transformers_weights" in part for part in _mappings(found.get("config.json"))):
        raise ConfigError(
            f"model: {folder / 'config.json'} names its weights (transformers_weights), and only {_WEIGHTS} and what "
            f"{_INDEX} lists are read: delete that line."
        )
    if not trust_remote_code:
        _refuse_code(folder, found)


def _refuse_code(folder: Path, found: dict[str, Any]) -> None:
    """Raise ConfigError for settings that transformers would have to run somebody's code for.

    Many models name code that transformers has long had itself: it takes its own, unless trust_remote_code is on.
    """
    named = (("config.json", "model_type"), ("tokenizer_config.json", "tokenizer_class"))
    names = [str(found[name].get(key)) for name, key in named if name in found]
    for name, content in found.items():
        has_map = any(part.get("auto_map") for part in _mappings(content))
        if has_map and name in _NAMES and not any(_has_transformers(name, known) for known in names):
            raise ConfigError(_own_code(folder / name, "code of its own (auto_map)"))
        for part in _mappings(content):
            for key in _KERNELS:
                if "/" in str(part.get(key) or part.get(f"_{key}") or part.get(f"_{key}_internal")):
                    raise ConfigError(_own_code(folder / name, f"kernels to download and run ({key})"))


def _own_code(path: Path, what: str) -> str:
    return (
        f"model: {path} asks for {what}, which is not run: read it, and set trust_remote_code: true in your own "
        "config.yaml (loramake predict: --trust-remote-code), or name another model."
    )


def _has_transformers(file: str, name: str) -> bool:
    """Whether transformers has code for a model type or tokenizer class; costs no import. Yes, where it cannot tell."""
    spec = importlib.util.find_spec("transformers")
    if spec is None or spec.origin is None:
        return True
    lists = [Path(spec.origin).parent / f"models/auto/{module}.py" for module in _NAMES[file]]
    texts = [path.read_text(encoding="utf-8") for path in lists if path.is_file()]
    return not texts or any(f'"{name}"' in text or f'"{name}Fast"' in text for text in texts)


def _mappings(content: Any) -> Iterator[dict[str, Any]]:
    """A mapping and all mappings in it."""
    waiting = [content]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def read_json(path: Path, longest: int | None = None) -> dict[str, Any]:
    """A mapping in a file of a model's folder; ConfigError where it is none, or longer than any model needs.

    `longest` are bytes; unset, those of settings.
    """
    try:
        read = json_text.read_json(path, longest or _LONGEST_SETTINGS.get(path.name, _LONGEST_OTHER))
    except (ParsingError, OSError) as error:
        raise ConfigError(f"model: {path} is damaged ({error}): copy or download it again.") from error
    if not isinstance(read, dict):
        raise ConfigError(f"model: {path} is damaged (it is not a mapping): copy or download it again.")
    return read


def read_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a base model that is a folder, by its name, from the files' headers."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in _weight_files(folder):
        tensors = {name: tensor for name, tensor in read_header(path).items() if name != "__metadata__"}
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
        names = sorted(set(map(str, read_json(index, _LONGEST_INDEX)["weight_map"].values())))
    except (KeyError, AttributeError, TypeError):
        raise ConfigError(f"model: {index} is damaged: copy or download it again.") from None
    other = next((name for name in names if Path(name).name != name or not name.endswith(".safetensors")), None)
    if other is not None:
        raise ConfigError(f"model: {index} names {other!r}, and only safetensors in its own folder are read.")
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


def check_header(path: Path, what: str = "model") -> None:
    """Raise ConfigError where a safetensors file's header is unreadable or speaks of another size than the file's.

    The format: eight bytes that hold the header's length, the header in JSON, the tensors
    (https://github.com/huggingface/safetensors#format).
    """
    size = path.stat().st_size
    try:
        ends = [tensor["data_offsets"][1] for name, tensor in read_header(path, what).items() if name != "__metadata__"]
        with path.open("rb") as file:
            expected = 8 + int.from_bytes(file.read(8), "little") + max(ends, default=0)
    except (ValueError, KeyError, AttributeError, TypeError, IndexError, RecursionError):
        raise ConfigError(f"{what}: {path} is no safetensors file, or damaged: copy or download it again.") from None
    if expected != size:
        raise ConfigError(
            f"{what}: {path} is cut off ({size:,} bytes, its header says {expected:,}): copy or download it again."
        )


def read_header(path: Path, what: str = "model") -> dict[str, Any]:
    """What stands in a safetensors file's header; ValueError where there is none."""
    with path.open("rb") as file:
        start = file.read(8)
        if start == b"version ":
            raise ConfigError(f"{what}: {path} is a Git LFS pointer, not the weights: run `git lfs pull` there.")
        length = int.from_bytes(start, "little")
        header = file.read(length) if length <= min(_LONGEST_HEADER, path.stat().st_size) else b""
    read: dict[str, Any] = json_text.parse_json(header)
    return read


def fetch_model(model: str, weights: bool = True, trust_remote_code: bool = False) -> Path:
    """The folder of `model`, a hub id being downloaded first (without its weights where none are asked for).

    Progress is shown. What is in the cache already is not downloaded again, and serves where the hub cannot be
    reached. ConfigError says why a download failed, or what in the folder is not to be loaded (see check_model).
    """
    model = locate_model(model)
    folder = Path(model) if Path(model).is_dir() or _from_another_hub() else _fetched(model, weights)
    if weights:
        check_model(str(folder), trust_remote_code)
    else:
        check_texts(folder, trust_remote_code)
    return folder


def _fetched(model: str, weights: bool) -> Path:
    """The folder of a hub id."""
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
            check_model(str(folder), trust_remote_code=True)
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

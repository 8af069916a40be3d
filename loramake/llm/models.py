"""Base models: checks a folder before anything uses it; downloads a hub id with progress.

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
"""Suffixes of the small files that a tokenizer and a configuration may need."""
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
"""Modules of transformers.models.auto that list the names with code in transformers."""


def check_model(model: str, trust_remote_code: bool = False) -> None:
    """Raise ConfigError if `model` is a folder that lacks a part of a model or would run its own code.

    Also for damaged weights and for weights other than safetensors in the folder. Reads headers and settings only; a
    hub id is not checked.
    """
    folder = Path(model)
    if not folder.is_dir():
        return
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            raise ConfigError(f"model: {model} is an adapter, not a base model: name the model it was trained on.")
        raise ConfigError(f"model: {model} has no config.json: name a folder that save_pretrained wrote, or a hub id.")
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise ConfigError(f"model: {model} has no tokenizer (tokenizer.json): copy it from the model's source.")
    check_texts(folder, trust_remote_code)
    for path in _weight_files(folder):
        check_header(path)


def check_texts(folder: Path, trust_remote_code: bool = False) -> None:
    """Raise ConfigError if the settings in a model's folder name code, or unchecked weights."""
    if (folder / "adapter_config.json").is_file():
        raise ConfigError(
            f"model: {folder / 'adapter_config.json'} lies beside a base model and would be loaded on top: move it, "
            "or name the folder of the base model alone."
        )
    contents = {name: read_json(folder / name) for name in _SETTINGS if (folder / name).is_file()}
    if any("transformers_weights" in part for part in _mappings(contents.get("config.json"))):
        raise ConfigError(
            f"model: {folder / 'config.json'} names its weights (transformers_weights), and only {_WEIGHTS} and what "
            f"{_INDEX} lists are read: delete that line."
        )
    if not trust_remote_code:
        _refuse_code(folder, contents)


def _refuse_code(folder: Path, contents: dict[str, Any]) -> None:
    """Raise ConfigError for settings that make transformers run somebody's code.

    Many models name code that is now part of transformers: it uses its own, unless trust_remote_code is on.
    """
    named = (("config.json", "model_type"), ("tokenizer_config.json", "tokenizer_class"))
    names = [str(contents[name].get(key)) for name, key in named if name in contents]
    for name, content in contents.items():
        has_map = any(part.get("auto_map") for part in _mappings(content))
        if has_map and name in _NAMES and not any(_has_transformers(name, listed) for listed in names):
            raise ConfigError(_own_code(folder / name, "code of its own (auto_map)"))
        for part in _mappings(content):
            for key in _KERNELS:
                if "/" in str(part.get(key) or part.get(f"_{key}") or part.get(f"_{key}_internal")):
                    raise ConfigError(_own_code(folder / name, f"kernels to download and run ({key})"))


def _own_code(path: Path, feature: str) -> str:
    return (
        f"model: {path} asks for {feature}, which is not run: read it, and set trust_remote_code: true in your own "
        "config.yaml (loramake predict: --trust-remote-code), or name another model."
    )


def _has_transformers(file: str, name: str) -> bool:
    """Whether transformers has code for a model type or tokenizer class; does not import it. True if unknown."""
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
    """A mapping in a file of a model's folder; ConfigError if it is not one, or longer than any model needs.

    `longest` is in bytes; unset, the limit for settings.
    """
    try:
        content = json_text.read_json(path, longest or _LONGEST_SETTINGS.get(path.name, _LONGEST_OTHER))
    except (ParsingError, OSError) as error:
        raise ConfigError(f"model: {path} is damaged ({error}): copy or download it again.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"model: {path} is damaged (it is not a mapping): copy or download it again.")
    return content


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
            f"model: {folder / missing[0]}, which {index.name} names, does not exist: copy or download it again."
        )
    return [folder / name for name in names]


def _no_weights(model: str, names: Iterable[str]) -> str:
    other = next((name for name in sorted(names) if name.endswith(_OTHER_WEIGHTS)), None)
    if other is None:
        return f"model: {model} has no weights ({_WEIGHTS}): copy or download them."
    return (
        f"model: {model} has its weights as {other}, and only safetensors are read: load it with transformers and "
        "save it with save_pretrained, or name another model."
    )


def check_header(path: Path, kind: str = "model") -> None:
    """Raise ConfigError if a safetensors file's header is unreadable or implies another size than the file's.

    The format: eight bytes with the header's length, the header in JSON, the tensors
    (https://github.com/huggingface/safetensors#format).
    """
    size = path.stat().st_size
    try:
        ends = [tensor["data_offsets"][1] for name, tensor in read_header(path, kind).items() if name != "__metadata__"]
        with path.open("rb") as file:
            expected = 8 + int.from_bytes(file.read(8), "little") + max(ends, default=0)
    except (ValueError, KeyError, AttributeError, TypeError, IndexError, RecursionError):
        raise ConfigError(
            f"{kind}: {path} is not a safetensors file, or is damaged: copy or download it again."
        ) from None
    if expected != size:
        raise ConfigError(
            f"{kind}: {path} is cut off ({size:,} bytes, its header says {expected:,}): copy or download it again."
        )


def read_header(path: Path, kind: str = "model") -> dict[str, Any]:
    """The content of a safetensors file's header; ValueError if there is none."""
    with path.open("rb") as file:
        start = file.read(8)
        if start == b"version ":
            raise ConfigError(f"{kind}: {path} is a Git LFS pointer, not the weights: run `git lfs pull` there.")
        length = int.from_bytes(start, "little")
        header = file.read(length) if length <= min(_LONGEST_HEADER, path.stat().st_size) else b""
    tensors: dict[str, Any] = json_text.parse_json(header)
    return tensors


def fetch_model(model: str, weights: bool = True, trust_remote_code: bool = False) -> Path:
    """The folder of `model`; a hub id is downloaded first (without weights if `weights` is off).

    Progress is shown. Cached files are not downloaded again, and are used if the hub cannot be reached. ConfigError
    says why a download failed, or what in the folder must not be loaded (see check_model).
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
            say(f"the hub does not serve {model} ({first_line(error)}); using the copy in {cached}.")
        return cached


def _from_another_hub() -> bool:
    """Whether LlamaFactory is configured to download from ModelScope or OpenMind, which it does by itself."""
    values = (os.environ.get(name, "") for name in ("USE_MODELSCOPE_HUB", "USE_OPENMIND_HUB"))
    return any(value.lower() in ("true", "y", "1") for value in values)


def _refusal(model: str, error: Exception) -> str:
    cache = import_training("huggingface_hub.constants").HF_HUB_CACHE
    explained = explain(text_of(error), model, str(cache), "set the environment variable HF_HOME to a folder with more")
    return f"{explained or f'model: {model} cannot be downloaded ({first_line(error)})'}."


def _cached(hub: Any, model: str, weights: bool) -> Path | None:
    """The folder of a complete copy in the cache."""
    try:
        config = hub.try_to_load_from_cache(model, "config.json")
        folder = Path(config).parent
        if weights:
            check_model(str(folder), trust_remote_code=True)
    except (ConfigError, TypeError, ValueError):  # incomplete, absent, or not an id
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
    # Without a revision, so that the cache records which one `main` is, for when the hub does not answer.
    return Path(hub.hf_hub_download(model, "config.json")).parent


def _check_space(model: str, needed: int, cache: Path) -> None:
    """huggingface_hub only warns, and fills the disk."""
    existing = next(folder for folder in (cache, *cache.parents) if folder.is_dir())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise ConfigError(
            f"model: {model} needs {_megabytes(needed):,} MB and the disk of {cache} has {free // 10**6:,} MB left: "
            "free some, or set the environment variable HF_HOME to a folder with more."
        )


def _is_wanted(name: str, weights: bool, in_one_file: bool) -> bool:
    """Whether transformers loads a file of a model's folder: its texts, and one set of weights."""
    if name.endswith(_TEXTS):
        return True
    return weights and (
        name == _WEIGHTS if in_one_file else name.startswith("model-") and name.endswith(".safetensors")
    )


def _bar(advance: Advance, before: int, total: int) -> type:
    """A tqdm class for huggingface_hub that draws nothing: it reports the megabytes so far of all files.

    `before` is the number of bytes before this file. A file from Xet storage has two bars, for bytes received and
    bytes written: the one that is further is reported.
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

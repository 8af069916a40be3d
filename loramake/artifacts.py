"""One way in and one way out for every JSON, JSON-lines and YAML artifact: validated, written atomically.

Knows file formats, schemas and hashes; knows nothing of what an artifact means.
"""

import contextlib
import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import yaml

from loramake.errors import ArtifactError
from loramake.paths import SCHEMAS


@functools.cache
def load_schema(name: str) -> dict[str, Any]:
    """The JSON schema of an artifact, by the artifact's word: `profile`, `task`, `plan`, …"""
    schema: dict[str, Any] = yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8"))
    return schema


@functools.cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(load_schema(name))


@functools.cache
def _fast_validator(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(load_schema(name))


def validate(data: Any, schema: str, where: str | Path, way_on: str = "") -> None:
    """Raise ArtifactError, naming the file and the place, where `data` breaks the schema; `way_on` ends the sentence.

    jsonschema takes minutes for the probabilities of many labels: it is asked for its sentence only where
    jsonschema-rs, which takes moments, does not agree.
    """
    with contextlib.suppress(ValueError):  # of something that JSON cannot hold
        if _fast_validator(schema).is_valid(data):
            return
    error = jsonschema.exceptions.best_match(_validator(schema).iter_errors(data))
    if error is not None:
        place = error.json_path.removeprefix("$").lstrip(".") or "the top level"
        raise ArtifactError(f"{where}: {place}: {_shortened(error.message)} (schemas/{schema}.schema.yaml){way_on}.")


def _shortened(message: str, limit: int = 300) -> str:
    return message if len(message) <= limit else message[: limit - 1] + "…"


def read(path: str | Path, schema: str) -> Any:
    """The content of a .json, .jsonl (a list of its lines) or .yaml artifact, checked against its schema."""
    path = Path(path)
    try:
        data = _parse(path, path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path} is not there: snakemake --cores 2 {path} makes it.") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({_shortened(str(error))}): delete it and run the same command again."
        ) from error
    validate(data, schema, path, ": delete it and run the same command again")
    return data


def _parse(path: Path, text: str) -> Any:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    return yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text)


def write(path: str | Path, data: Any, schema: str, indent: int | None = 2) -> None:
    """Check `data` against its schema and put it at `path` whole or not at all.

    `indent` (spaces) is for JSON that people read; None puts all into one line, for millions of numbers.
    """
    validate(data, schema, path)
    try:
        text = _rendered(Path(path).suffix, data, indent)
    except ValueError as error:
        raise ArtifactError(f"{path} would hold what JSON cannot ({error}).") from error
    write_text(path, text)


def write_text(path: str | Path, text: str) -> None:
    """Put `text` at `path` whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _rendered(suffix: str, data: Any, indent: int | None) -> str:
    if suffix == ".jsonl":
        return "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in data)
    if suffix == ".yaml":
        text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=120)
        # PyYAML writes some line breaks of Unicode raw and reads them back as others.
        return text if yaml.safe_load(text) == data else yaml.safe_dump(data, sort_keys=False, width=120)
    return json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent) + "\n"


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and vanishes when it doesn't."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sha256(path: str | Path) -> str:
    """The hex sha256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""One way in and one way out for every JSON, JSON-lines and YAML artifact: validated, written atomically.

A results folder may be somebody else's: input is bounded before it is parsed, and only the first error is reported.
Knows file formats, schemas and hashes; knows nothing of what an artifact means.
"""

import contextlib
import functools
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, overload

import jsonschema
import jsonschema_rs
import yaml

from loramake.errors import ArtifactError
from loramake.parsing import MIB, ParsingError, check_size, decode, read_bytes
from loramake.parsing.json_text import parse_json, parse_json_lines
from loramake.parsing.limited import parse_limited
from loramake.parsing.shape import find_error, shown_path
from loramake.parsing.yaml_text import parse_yaml, read_yaml
from loramake.paths import SCHEMAS
from loramake.schemas import Content, Schema
from loramake.text import quoted

_BY_ROW = ("records", "predictions", "transcript", "trainer_log")
_MOST_BY_ROW = 4096 * MIB
_MOST_BYTES = 64 * MIB
"""For any other artifact."""
_MOST_BYTES_A_ROW = MIB // 16
_YAML_VALUES = 300_000
"""A plan has nine for each feature."""
_BYTES_PER_CONTAINER = 16
"""A list or mapping of a real artifact takes more; empty ones take thirty times their bytes in memory."""
_SMALL = 1_000
"""Most values that jsonschema checks: each takes it a tenth of a millisecond."""


@functools.cache
def load_schema(name: str) -> dict[str, Any]:
    """The JSON schema of an artifact, by the artifact's word: `profile`, `task`, `plan`, …"""
    schema: dict[str, Any] = read_yaml(_find_schema(name))
    return schema


def _find_schema(name: str) -> Path:
    """The file of a schema, in the folder of the stage that makes the artifact; config's is at the top."""
    file = f"{name}.schema.yaml"
    return next(iter(SCHEMAS.glob(f"*/{file}")), SCHEMAS / file)


@functools.cache
def _fast_validator(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(load_schema(name))


def validate(data: Any, schema: str, where: str | Path, next_step: str = "") -> None:
    """Raise ArtifactError, naming file and path in it, if `data` breaks the schema; `next_step` ends the sentence.

    jsonschema has the better message but takes minutes for many rows, so it checks small data only.
    """
    error = find_error(_fast_validator(schema), data)
    if error is not None and is_small(data):
        error = explain_error(data, load_schema(schema))
    if error is not None:
        raise ArtifactError(
            f"{where}: {error[0]}: {error[1]} (schemas/{_find_schema(schema).relative_to(SCHEMAS)}){next_step}."
        )


def checked(data: Any, schema: Schema[Content], where: str | Path, next_step: str = "") -> Content:
    """The data as the type that its schema describes, once `validate` has passed."""
    validate(data, schema, where, next_step)
    content: Content = data
    return content


def is_small(data: Any) -> bool:
    """Whether `explain_error` is fast."""
    try:
        check_size(data, _SMALL)
    except ParsingError:
        return False
    return True


def explain_error(data: Any, schema: Mapping[str, Any]) -> tuple[str, str] | None:
    """Where data breaks a schema, and jsonschema's message for the most relevant error; None if it doesn't."""
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(data))
    return error and (shown_path(error.absolute_path), quoted(error.message))


def read(path: str | Path, schema: Schema[Content], max_rows: int | None = None) -> Content:
    """The content of a .json, .jsonl (a list of its lines) or .yaml artifact, checked against its schema.

    `max_rows` is the number of rows according to another artifact: a file too large for them is not parsed.
    """
    path = Path(path)
    most = _most_bytes(schema) if max_rows is None else min(_most_bytes(schema), MIB + max_rows * _MOST_BYTES_A_ROW)
    try:
        data = _parse(path.suffix, read_bytes(path, most))
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist: snakemake --cores 2 {path} makes it.") from None
    except (ParsingError, MemoryError) as error:
        reason = str(error) or "there is not enough memory"
        raise ArtifactError(f"{path} cannot be read ({reason}): delete it and run the same command again.") from error
    return checked(data, schema, path, ": delete it and run the same command again")


def _most_bytes(schema: str | None) -> int:
    return _MOST_BY_ROW if schema in _BY_ROW else _MOST_BYTES


def _parse(suffix: str, data: bytes) -> Any:
    if suffix == ".yaml":
        return parse_yaml(decode(data), _YAML_VALUES)
    containers = len(data) // _BYTES_PER_CONTAINER + 1_000
    return (parse_json_lines if suffix == ".jsonl" else parse_json)(data, containers)


@overload
def read_untrusted(
    path: str | Path, schema: Schema[Content], max_bytes: int | None = None, max_rows: int | None = None
) -> Content: ...


@overload
def read_untrusted(
    path: str | Path, schema: None, max_bytes: int | None = None, max_rows: int | None = None
) -> Any: ...


def read_untrusted(
    path: str | Path, schema: Schema[Any] | None, max_bytes: int | None = None, max_rows: int | None = None
) -> Any:
    """The content of a JSON file that generated code wrote, parsed and checked first in a limited child process.

    ArtifactError, `{path}: {reason}.`, names the first error and quotes no value. With `schema` None the caller checks
    the shape; `max_rows` limits a list.
    """
    path = Path(path)
    try:
        data = read_bytes(path, _most_bytes(schema) if max_bytes is None else max_bytes)
        return parse_limited(data, None if schema is None else load_schema(schema), max_rows)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: it does not exist.") from None
    except ParsingError as error:
        raise ArtifactError(f"{path}: {error}.") from None


def write(path: str | Path, data: Content, schema: Schema[Content], indent: int | None = 2) -> None:
    """Check `data` against its schema and write it to `path` atomically.

    `indent` (spaces) is for JSON that people read; None writes one line, for millions of numbers.
    """
    validate(data, schema, path)
    try:
        text = _rendered(Path(path).suffix, data, indent)
        text.encode("utf-8")
    except ValueError as error:
        raise ArtifactError(f"{path} would contain a value that JSON does not allow ({quoted(str(error))}).") from error
    write_text(path, text)


def append_text(path: str | Path, text: str) -> None:
    """Add text to a file that grows; a link in its place, which could lead to any file, is an OSError."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(text)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _rendered(suffix: str, data: Any, indent: int | None) -> str:
    if suffix == ".jsonl":
        return "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in data)
    if suffix == ".yaml":
        text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=120)
        # PyYAML writes some line breaks of Unicode raw and reads them back as others.
        return text if parse_yaml(text, _YAML_VALUES) == data else yaml.safe_dump(data, sort_keys=False, width=120)
    return json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent) + "\n"


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it if the block succeeds, and is deleted if it doesn't.

    The file's permissions follow the umask.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}{path.suffix}")
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666))
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sha256(path: str | Path) -> str:
    """The hex sha256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""A file written in parts, which a killed run resumes: it appears at its path only when complete.

Beside FILE lie FILE.partial, the text so far, and FILE.progress.json, which records how many rows and bytes of it are
valid and what it belongs to. Bytes after these are of an unfinished part, and are cut off.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from loramake import artifacts
from loramake.console import say
from loramake.errors import ConfigError
from loramake.locks import lock
from loramake.parsing.json_text import read_json


@dataclass
class ResumableFile:
    """The open partial file."""

    rows: int
    """Rows in it."""
    _file: BinaryIO
    _state: Path
    _belongs_to: Mapping[str, str]

    def append(self, text: str, rows: int) -> None:
        """Add text of so many rows; once this returns, neither a kill nor a power cut loses it."""
        with _writing(self._state.parent):
            self._file.write(text.encode("utf-8"))
            self._file.flush()
            os.fsync(self._file.fileno())
            self.rows += rows
            state = {"rows": self.rows, "bytes": self._file.tell(), "belongs_to": dict(self._belongs_to)}
            artifacts.write_text(self._state, json.dumps(state, indent=2) + "\n")


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written to ({error.strerror}): give another --output.") from error


def files_beside(path: Path) -> tuple[Path, Path]:
    """The paths of the partial text and of the progress while `path` is written."""
    return path.with_name(f"{path.name}.partial"), path.with_name(f"{path.name}.progress.json")


def parse_state(state: Path) -> tuple[int, int, dict[str, str]] | None:
    """The valid rows and bytes, and what they belong to; None if the file is missing or invalid."""
    try:
        content = read_json(state)
        rows, size, owner = int(content["rows"]), int(content["bytes"]), dict(content["belongs_to"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return (rows, size, owner) if min(rows, size) >= 0 else None


@contextlib.contextmanager
def resumable_file(path: str | Path, belongs_to: Mapping[str, str]) -> Iterator[ResumableFile]:
    """Resume writing `path` where an earlier run stopped, or start; the file is put in place if the block succeeds.

    `belongs_to` names what the text depends on, with values: text that depends on anything else is not resumed.
    ConfigError if `path` is not an ordinary file, and while another run writes it.
    """
    path = Path(path).resolve()
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is not an ordinary file: give --output the path of one.")
    with _writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    partial, state = files_beside(path)
    with _locked(partial, path) as file:
        rows, size = _read_state(state, belongs_to, file, path)
        file.truncate(size)
        file.seek(size)
        growing = ResumableFile(rows, file, state, belongs_to)
        try:
            yield growing
        except BaseException:
            if not growing.rows:
                partial.unlink()
            raise
        partial.replace(path)
        state.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(partial: Path, path: Path) -> Iterator[BinaryIO]:
    """The partial file, open for this process alone."""
    while True:
        with _writing(path.parent):
            descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        with os.fdopen(descriptor, "r+b") as file:
            if not lock(file.fileno(), partial):
                raise ConfigError(f"another run is writing {path}: wait for it, or give another --output.")
            # Between the opening and the lock, the run that had it may have put it in place as the finished file.
            if _is_still(partial, file):
                yield file
                return


def _is_still(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _read_state(state: Path, belongs_to: Mapping[str, str], file: BinaryIO, path: Path) -> tuple[int, int]:
    """The valid rows and bytes of the partial file; reports where it resumes, or why it does not."""
    if not state.exists():
        return 0, 0
    recorded = parse_state(state)
    if recorded is None:
        say(f"{state} cannot be read: starting with the first row.")
        return 0, 0
    rows, size, owner = recorded
    changed = [name for name, value in belongs_to.items() if owner.get(name) != value]
    if changed:
        say(f"{path}.partial was made with another {' and another '.join(changed)}: starting over.")
        return 0, 0
    if file.seek(0, os.SEEK_END) < size:
        say(f"{path}.partial is shorter than it was: starting over.")
        return 0, 0
    if rows:
        say(f"continuing: {rows:,} rows are in {path}.partial.")
    return rows, size

"""Hashes of source files: a result is identified by them, not by the path or the time of its sources.

A large file is read once: its hash is cached with its size and times, and never used if any of these differs.
"""

import hashlib
import time
from collections.abc import Iterable
from pathlib import Path

from loramake import artifacts, schemas
from loramake.console import working
from loramake.errors import ArtifactError, DataError

CACHE = Path("results/.cache/hashes.json")
"""path → [size, modified (ns), changed (ns), sha256], of large files."""
_SMALL = 2**20
"""Bytes up to which a file is read each time."""
_SLOW = 256 * 2**20
"""Bytes from which reading a file is announced."""
_SETTLED = 2 * 10**9
"""ns since a file's last change: times of some file systems are no finer, so a later change could hide."""

Entry = list[int | str]


def hash_file(path: str | Path) -> str:
    """The sha256 of a file; DataError where it cannot be read."""
    path = Path(path)
    try:
        return _small_hash(path) if path.stat().st_size <= _SMALL else _kept_hash(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error


def hash_files(paths: Iterable[str | Path]) -> str:
    """One sha256 of several files by name and content: their folder does not count."""
    together = hashlib.sha256()
    for path in sorted(map(Path, paths), key=lambda path: path.name):
        together.update(f"{path.name} {hash_file(path)}\n".encode())
    return together.hexdigest()


def _small_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _kept_hash(path: Path) -> str:
    """The hash of a large file, from the cache if its size and times are unchanged."""
    cache, stamp = _read_cache(), _stamp(path)
    *kept, digest = cache.get(str(path), [""])
    if kept == stamp:
        return str(digest)
    if stamp[0] < _SLOW:
        digest = artifacts.sha256(path)
    else:
        with working(f"reading {path}"):
            digest = artifacts.sha256(path)
    if _stamp(path) == stamp and max(stamp[1:]) + _SETTLED < time.time_ns():
        _write_cache({**cache, str(path): [*stamp, digest]})
    return digest


def _stamp(path: Path) -> list[int]:
    """Size and times; ctime too, since `cp -p`, rsync and unzip set mtime back."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _read_cache() -> dict[str, Entry]:
    """The cache; empty if there is none or it is invalid."""
    try:
        cache: dict[str, Entry] = artifacts.read(CACHE, schemas.HASHES)
    except ArtifactError:
        return {}
    return cache


def _write_cache(cache: dict[str, Entry]) -> None:
    """Write the cache without deleted files; if that fails, the next call is merely slower."""
    try:
        artifacts.write(CACHE, {path: entry for path, entry in cache.items() if Path(path).is_file()}, schemas.HASHES)
    except OSError:
        return

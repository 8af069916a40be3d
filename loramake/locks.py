"""Locks between processes: they end with the process that holds them, however it ends, and leave nothing to clean up.

They are taken on an open descriptor: of a lock file, a file being written, or a folder. filelock locks only files of
its own, and returns no descriptor that a child process could inherit (docs/decisions/2026-11-28-locks.md).
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from loramake.errors import ConfigError


def lock(descriptor: int, path: str | Path, wait: bool = False) -> bool:
    """Lock a descriptor of `path` until it is closed; False, without `wait`, if another process has the lock.

    ConfigError if the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be locked ({error.strerror}): work on a file system that has locks."
        ) from error
    return True


@contextlib.contextmanager
def locked_file(path: Path, wait: bool = False) -> Iterator[int | None]:
    """The descriptor of a lock file, made if there is none; None if another process has the lock.

    A link in its place, which could lead to any file, is an OSError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        yield descriptor if lock(descriptor, path, wait) else None
    finally:
        os.close(descriptor)

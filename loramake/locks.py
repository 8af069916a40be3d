"""Locks between processes: they end with the process that holds them, however it ends, and leave nothing to clean up.

They are taken on what is open already: a lock file, a file that is being written, a folder. filelock locks files of its
own only, and hands out no descriptor that a started process could inherit (docs/decisions/2026-11-28-locks.md).
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from loramake.errors import ConfigError


def lock(descriptor: int, path: str | Path, wait: bool = False) -> bool:
    """Lock what is open at `path` until it is closed; whether it is ours: without `wait`, not where another has it.

    ConfigError where the file system has no locks.
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
    """The descriptor of a lock file, which is made where there is none; None where another process has it.

    A link in its place, which could lead to any file, is an OSError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        yield descriptor if lock(descriptor, path, wait) else None
    finally:
        os.close(descriptor)

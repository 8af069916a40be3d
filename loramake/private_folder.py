"""A private folder for rows while they are processed, deleted afterwards.

Knows folders and locks; knows nothing of rows.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from loramake.errors import ConfigError
from loramake.locks import lock

_PREFIX = ".rows-"


@contextlib.contextmanager
def private_folder(beside: str | Path) -> Iterator[Path]:
    """A folder in `beside`; one in the system's temporary folder if `beside` is not writable.

    Nobody else may read it. What a killed run left in `beside` is removed first.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = _make(Path(beside), stack)
        except OSError:
            folder = _make_elsewhere(beside, stack)
        yield folder


def _make(beside: Path, stack: contextlib.ExitStack) -> Path:
    """A folder that is locked while in use; nobody sweeps between its creation and its locking."""
    with _locked(beside, wait=True) as is_ours:
        if is_ours:
            _sweep(beside)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=beside, prefix=_PREFIX)))
        stack.enter_context(_locked(folder, wait=True))
        return folder


def _make_elsewhere(beside: str | Path, stack: contextlib.ExitStack) -> Path:
    try:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loramake-rows-")))
    except OSError as error:
        raise ConfigError(
            f"neither {beside} nor a temporary folder can be written to ({error.strerror}): "
            "make room, or set TMPDIR to a folder of yours."
        ) from error


def _sweep(beside: Path) -> None:
    """Remove the folders that no living process has locked."""
    for left in beside.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _locked(left) as is_ours:
            if is_ours:
                shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, wait: bool = False) -> Iterator[bool]:
    """Whether we hold the folder's lock until the block ends: not if another process has it or locks don't work."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield _is_ours(descriptor, folder, wait)
    finally:
        os.close(descriptor)


def _is_ours(descriptor: int, folder: Path, wait: bool) -> bool:
    try:
        return lock(descriptor, folder, wait)
    except ConfigError:
        return False

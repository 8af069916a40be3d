"""A private folder for rows while they are worked on, gone afterwards.

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
    """A folder in `beside`; one in the system's temporary folder where `beside` cannot be written.

    Nobody else may look into it. What a killed run left in `beside` is removed first.
    """
    with contextlib.ExitStack() as stack:
        try:
            made = _make(Path(beside), stack)
        except OSError:
            made = _make_elsewhere(beside, stack)
        yield made


def _make(beside: Path, stack: contextlib.ExitStack) -> Path:
    """A folder that is locked while it is used; nobody sweeps between its making and its locking."""
    with _locked(beside, wait=True) as alone:
        if alone:
            _sweep(beside)
        made = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=beside, prefix=_PREFIX)))
        stack.enter_context(_locked(made, wait=True))
        return made


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
        with contextlib.suppress(OSError), _locked(left) as alone:
            if alone:
                shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, wait: bool = False) -> Iterator[bool]:
    """Whether the folder is ours until the block ends: it isn't where another process has it or locks don't work."""
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

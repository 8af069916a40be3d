"""One terminal for several jobs: while one of them asks a question, the others' output waits for the answer.

The jobs of a run are separate processes in one folder; they coordinate by a lock there.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from loramake.errors import ConfigError
from loramake.locks import locked_file

_LOCK = Path("results/.cache/terminal.lock")
_WAITING = Path("results/.cache/terminal.waiting")

_BAR = Path("results/.cache/terminal.bar")

_WIPE = "\r\x1b[2K"
"""Go to the line's start and clear it."""

_is_mine = False
_bar: contextlib.ExitStack | None = None
"""Holds the lock of the one bar that is drawn, if this process draws it."""


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Own the terminal; waits while another job does. Nested calls do nothing."""
    global _is_mine
    if _is_mine:
        yield
        return
    _LOCK.parent.mkdir(parents=True, exist_ok=True)
    with locked_file(_LOCK, wait=True):
        _is_mine = True
        try:
            yield
        finally:
            _is_mine = False


def is_held_elsewhere() -> bool:
    """Whether another job is asking a question."""
    if _is_mine or not _LOCK.is_file():
        return False
    with contextlib.suppress(OSError, ConfigError), locked_file(_LOCK) as lock:
        return lock is None
    return False


def may_draw() -> bool:
    """Whether this job may draw its progress: not during a question, and not on another job's line."""
    global _bar
    if is_held_elsewhere():
        return False
    if _bar is not None or not _BAR.parent.parent.is_dir():
        return True
    _BAR.parent.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        if stack.enter_context(locked_file(_BAR)) is None:
            return False
        _bar = stack.pop_all()
    return True


def end_drawing() -> None:
    """Leave the line to another job's progress."""
    global _bar
    if _bar is not None:
        _bar.close()
        _bar = None


class Waiting(logging.Filter):
    """Delays what a handler writes to a terminal, in order, and clears a job's bar first."""

    def __init__(self, handler: "logging.StreamHandler[TextIO]") -> None:
        super().__init__()
        self._handler = handler
        self._kept: list[logging.LogRecord] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if is_held_elsewhere():
            self._kept.append(record)
            return False
        self._handler.stream.write(_WIPE)
        self.show_kept()
        return True

    def show_kept(self) -> None:
        """Write the records that still wait at the end."""
        kept, self._kept = self._kept, []
        for record in kept:
            self._handler.emit(record)


def show(line: str, write: Callable[[str], None]) -> None:
    """Write the waiting lines and this one; or queue it for whichever job shows a line next."""
    if is_held_elsewhere():
        with os.fdopen(os.open(_WAITING, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666), "a") as file:
            file.write(f"{line}\n")
        return
    for waiting in [*_take_waiting(), line]:
        write(waiting)


def show_waiting(write: Callable[[str], None]) -> None:
    """Write the waiting lines, unless a question is still open."""
    if not is_held_elsewhere():
        for line in _take_waiting():
            write(line)


def _take_waiting() -> list[str]:
    taken = _WAITING.with_suffix(".taken")
    try:
        _WAITING.rename(taken)
    except OSError:
        return []
    lines = taken.read_text(encoding="utf-8").splitlines()
    taken.unlink(missing_ok=True)
    return lines

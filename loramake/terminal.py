"""One terminal for several jobs: while one of them asks a person, what the others say waits until it is answered.

The jobs of a run are processes of their own in one folder; a lock there tells them of each other.
"""

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path

_LOCK = Path("results/.cache/terminal.lock")
_WAITING = Path("results/.cache/terminal.waiting")

_is_mine = False


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Have the terminal alone; waits while another job has it."""
    global _is_mine
    _LOCK.parent.mkdir(parents=True, exist_ok=True)
    with _LOCK.open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _is_mine = True
        try:
            yield
        finally:
            _is_mine = False


def is_held_elsewhere() -> bool:
    """Whether another job is asking somebody something."""
    if _is_mine or not _LOCK.is_file():
        return False
    with contextlib.suppress(OSError), _LOCK.open("r+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def show(line: str, write: Callable[[str], None]) -> None:
    """Write a line and those that have waited; or keep it waiting, for whichever job shows a line next."""
    if is_held_elsewhere():
        with _WAITING.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        return
    for waiting in [*_take_waiting(), line]:
        write(waiting)


def show_waiting(write: Callable[[str], None]) -> None:
    """Write the lines that have waited, unless they still have to."""
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

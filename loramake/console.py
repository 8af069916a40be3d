"""What a user sees while a step works: one sentence on failure, a progress bar on a terminal, plain lines elsewhere."""

import contextlib
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from loramake.errors import LoramakeError

console = Console(stderr=True)
log = logging.getLogger("loramake")

_SHORTEST_SECRET = 8
"""Shorter values are no secrets, and taking them out would tear ordinary text apart."""

_SECRET_NAMES = ("TOKEN", "KEY", "SECRET", "PASSWORD")
_secrets: set[str] = set()

Advance = Callable[[int, int], None]
"""Told (done, total) as work goes on."""


@contextlib.contextmanager
def step(log_file: str | Path) -> Iterator[None]:
    """Run one rule's work: its log goes to `log_file`; an error becomes one sentence here, its traceback there."""
    Path(log_file).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log_file, mode="w", encoding="utf-8")
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    except LoramakeError as error:
        log.exception("failed")
        sys.exit(printable(without_secrets(f"loramake: {error}")))
    except KeyboardInterrupt:
        sys.exit("loramake: stopped by you; run the same command to go on.")
    except Exception as error:
        log.exception("failed")
        text = f"loramake: {type(error).__name__}: {error} (the traceback is in {log_file})"
        sys.exit(printable(without_secrets(text)))
    finally:
        log.removeHandler(handler)
        handler.close()


def keep_secret(value: str) -> None:
    """Never show or log this value."""
    _secrets.add(value)


def without_secrets(text: str) -> str:
    """The text without kept secrets and the value of every environment variable that is one by its name (HF_TOKEN).

    An error of a network library may quote the header that it could not send.
    """
    by_name = {name: value for name, value in os.environ.items() if name.upper().endswith(_SECRET_NAMES)}
    for name, value in [*by_name.items(), *(("secret", value) for value in _secrets)]:
        if len(value.strip()) >= _SHORTEST_SECRET:
            for shown in (value, value.strip(), repr(value)[1:-1]):
                text = text.replace(shown, f"[{name}]")
    return text


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def printable(text: str) -> str:
    """The text without control characters: a cell could move the cursor and rewrite what stands above."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "�", text)


def say(message: str) -> None:
    """One line for the user, and for the log."""
    message = printable(without_secrets(message))
    log.info(message)
    console.print(f"loramake: {message}", markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def progress(what: str, seconds_between_lines: float = 10.0, unit: str = "") -> Iterator[Advance]:
    """Show how far `what` is: a bar on a terminal, else a plain line now and then; `unit` stands behind the numbers."""
    if not console.is_terminal:
        yield _line_printer(what, seconds_between_lines, unit)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextlib.contextmanager
def working(what: str, seconds_between_lines: float = 10.0) -> Iterator[None]:
    """Show that `what` goes on where nothing can tell how far: a spinner on a terminal, else a line now and then."""
    if console.is_terminal:
        with console.status(escape(f"loramake: {what} …")):
            yield
        return
    start, done = time.monotonic(), threading.Event()

    def remind() -> None:
        while not done.wait(seconds_between_lines):
            say(f"{what}: {time.monotonic() - start:.0f} s so far")

    reminder = threading.Thread(target=remind, daemon=True)
    reminder.start()
    try:
        yield
    finally:
        done.set()
        reminder.join()


def _line_printer(what: str, seconds_between_lines: float, unit: str) -> Advance:
    last, shown = time.monotonic(), -1

    def advance(done: int, total: int) -> None:
        nonlocal last, shown
        if done != shown and (done == total or time.monotonic() - last >= seconds_between_lines):
            last, shown = time.monotonic(), done
            say(f"{what}: {done} of {total} {unit}".rstrip())

    return advance

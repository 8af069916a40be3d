"""What a user sees while a step works: one sentence on failure, a progress bar on a terminal, plain lines elsewhere."""

import contextlib
import datetime
import logging
import os
import re
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.control import Control
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import ControlType

from loramake import terminal
from loramake.errors import LoramakeError

console = Console(stderr=True)
log = logging.getLogger("loramake")

STARTED = "LORAMAKE_STARTED"
"""Environment variable: when `loramake run` began, in seconds since 1970; set, each step says that it is done."""

_SECONDS_BETWEEN_FRAMES = 0.2
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
    start = time.monotonic()
    try:
        yield
        _say_done(Path(log_file).stem, time.monotonic() - start)
    except LoramakeError as error:
        log.exception("failed")
        sys.exit(fitted(printable(without_secrets(f"loramake: {error}"))))
    except KeyboardInterrupt:
        sys.exit(fitted("loramake: stopped by you; run the same command to go on."))
    except Exception as error:
        log.exception("failed")
        text = f"loramake: {type(error).__name__}: {error} (the traceback is in {log_file})"
        sys.exit(fitted(printable(without_secrets(text))))
    finally:
        if console.is_terminal:
            terminal.show_waiting(_write)
        log.removeHandler(handler)
        handler.close()


def _say_done(rule: str, seconds: float) -> None:
    """Where `loramake run` shows a run, a line a step: what it took, and how long the run has gone on."""
    if started := os.environ.get(STARTED):
        elapsed = datetime.timedelta(seconds=round(time.time() - float(started)))
        _show(f"✓ {rule:<22} {seconds:6.1f} s   {elapsed} since the start")


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


def fitted(text: str) -> str:
    """The text broken between words for the terminal, which would break it anywhere; as it is off a terminal."""
    if not console.is_terminal:
        return text
    lines = [
        textwrap.fill(line, console.width, break_long_words=False, break_on_hyphens=False) for line in text.splitlines()
    ]
    return "\n".join(lines)


def say(message: str) -> None:
    """One line for the user, and for the log."""
    message = printable(without_secrets(message))
    log.info(message)
    _show(f"loramake: {message}")


def _show(line: str) -> None:
    """A line on the terminal, after the question that another job may be asking there."""
    if console.is_terminal:
        terminal.show(line, _write)
    else:
        _write(line)


def _write(line: str) -> None:
    """A line, in place of what another job's progress may have drawn where the cursor is."""
    console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
    console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)


@contextlib.contextmanager
def progress(what: str, seconds_between_lines: float = 10.0, unit: str = "") -> Iterator[Advance]:
    """Show how far `what` is: a bar on a terminal, else a plain line now and then; `unit` stands behind the numbers."""
    if not console.is_terminal:
        yield _line_printer(what, seconds_between_lines, unit)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
    with _drawn(*columns, TimeElapsedColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextlib.contextmanager
def _drawn(*columns: ProgressColumn) -> Iterator[Progress]:
    """Progress drawn a few times a second, and wiped away while another job asks somebody something."""
    bar = Progress(*columns, console=console, transient=True, auto_refresh=False)
    with _every(_SECONDS_BETWEEN_FRAMES, lambda: _draw(bar)):
        yield bar
    bar.stop()
    terminal.end_drawing()


def _draw(bar: Progress) -> None:
    if terminal.may_draw():
        bar.start()
        bar.refresh()
    else:
        bar.stop()


@contextlib.contextmanager
def _every(seconds: float, do: Callable[[], None]) -> Iterator[None]:
    """Do something again and again beside the work, and not after it."""
    done = threading.Event()

    def repeat() -> None:
        while not done.wait(seconds):
            do()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextlib.contextmanager
def working(what: str, seconds_between_lines: float = 10.0) -> Iterator[None]:
    """Show that `what` goes on where nothing can tell how far: a spinner on a terminal, else a line now and then."""
    if console.is_terminal:
        with _drawn(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()) as bar:
            bar.add_task(escape(f"loramake: {what} …"), total=None)
            yield
        return
    start = time.monotonic()
    with _every(seconds_between_lines, lambda: say(f"{what}: {time.monotonic() - start:.0f} s so far")):
        yield


def _line_printer(what: str, seconds_between_lines: float, unit: str) -> Advance:
    last, shown = time.monotonic(), -1

    def advance(done: int, total: int) -> None:
        nonlocal last, shown
        if done != shown and (done == total or time.monotonic() - last >= seconds_between_lines):
            last, shown = time.monotonic(), done
            say(f"{what}: {done} of {total} {unit}".rstrip())

    return advance

"""What a user sees while a step works: one sentence on failure, a progress bar on a terminal, plain lines elsewhere."""

import contextlib
import datetime
import json
import logging
import os
import re
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.control import Control
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
from rich.segment import ControlType, Segment

from loramake import terminal
from loramake.errors import LoramakeError

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

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, escape sequences among them
    "\u2028\u2029\ud800-\udfff"  # ends of lines that are none, halves of UTF-16 pairs
    "\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"  # Unicode's format characters: they turn the direction of a text, or are of no width
    "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]"  # letters of no width
)


def printable(text: str) -> str:
    """The text with a mark for each character that does more than be read, or cannot be seen.

    A cell could move the cursor, rename the window, turn the order of what stands beside it, or hide in a name.
    """
    return _UNPRINTABLE.sub("�", text)


def printable_json(data: Any, indent: int | None = None) -> str:
    """JSON of one or more lines that is read back as it was and whose every character is printable."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent)
    return _UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], text)


class SafeConsole(Console):
    """A terminal on which no text does more than be read, whatever it is part of."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)


console = SafeConsole(stderr=True)


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
        sys.exit(refusal(error))
    except KeyboardInterrupt:
        sys.exit(fitted("loramake: stopped by you; run the same command to go on."))
    except Exception as error:
        log.exception("failed")
        sys.exit(refusal(f"{type(error).__name__}: {error} (the traceback is in {log_file})"))
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


def redact(text: str) -> str:
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
        return printable(redact(super().format(record)))


class PrintableFormatter(logging.Formatter):
    """What another formatter makes of a record, printable: Snakemake names files as they are called."""

    def __init__(self, inner: logging.Formatter | None) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        return printable(self._inner.format(record) or "")  # Snakemake's gives None for what is not shown


def refusal(error: object) -> str:
    """The sentence in which a command or a step ends."""
    return fitted(printable(redact(f"loramake: {error}")))


def show_traceback(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """What Python shows of an error that nobody foresaw (a `sys.excepthook`), which may quote a cell."""
    sys.stderr.write(printable(redact("".join(traceback.format_exception(kind, error, where)))))


def put(text: str) -> None:
    """Write to standard output: to a program as it is, to a terminal printable."""
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def fitted(text: str) -> str:
    """The text broken between words for the terminal, which would break it anywhere; as it is off a terminal."""
    if not console.is_terminal:
        return text
    lines = [
        textwrap.fill(line, console.width, break_long_words=False, break_on_hyphens=False) for line in text.splitlines()
    ]
    return "\n".join(lines)


def say(message: str) -> None:
    """One line for the user, and for the log; a cell or a name cannot add another one to it."""
    message = printable(" ".join(redact(message).splitlines()))
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
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
    with _drawn(*columns, TimeElapsedColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task(printable(what), total=None)
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
        with _drawn(SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()) as bar:
            bar.add_task(printable(f"loramake: {what} …"), total=None)
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

"""What a user sees while a step works: one sentence on failure, a progress bar on a terminal, plain lines elsewhere."""

import contextlib
import json
import logging
import os
import re
import signal
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
from loramake.errors import LoramakeError, StoppedError

log = logging.getLogger("loramake")

STOPPED = "LORAMAKE_STOPPED"
"""Environment variable: the path of a file that exists once Ctrl-C has stopped the run, empty before Snakemake knows.

Set where Ctrl-C is to end the run, which it is not in the background.
"""

_SECONDS_BETWEEN_FRAMES = 0.2
_INTERRUPTED = 128 + signal.SIGINT
_SHORTEST_SECRET = 8
"""Shorter values are not secrets, and redacting them would garble ordinary text."""

_SECRET_NAMES = ("TOKEN", "KEY", "SECRET", "PASSWORD")
_secrets: set[str] = set()

Advance = Callable[[int, int], None]
"""Called with (done, total) as work goes on."""

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, escape sequences among them
    "\u2028\u2029\ud800-\udfff"  # Unicode's line separators, halves of UTF-16 pairs
    "\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"  # Unicode's format characters: they reverse text, or have no width
    "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]"  # letters without width
)


def printable(text: str) -> str:
    """The text with � for each character that is not simply displayed, or that is invisible.

    A cell could move the cursor, rename the window, reverse the text around it, or hide in a name.
    """
    return _UNPRINTABLE.sub("�", text)


def printable_json(data: Any, indent: int | None = None) -> str:
    """JSON that round-trips and whose every character is printable."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent)
    return _UNPRINTABLE.sub(lambda match: json.dumps(match[0])[1:-1], text)


class SafeConsole(Console):
    """A terminal on which no text can do anything but be displayed."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)


console = SafeConsole(stderr=True)


@contextlib.contextmanager
def step(log_file: str | Path) -> Iterator[None]:
    """Run one rule's work: its log goes to `log_file`, with the traceback of an error, which is one sentence here."""
    Path(log_file).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log_file, mode="w", encoding="utf-8")
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        with _ended_by_ctrl_c():
            yield
    except LoramakeError as error:
        if isinstance(error, StoppedError) and STOPPED in os.environ:
            os.killpg(0, signal.SIGINT)  # a prompt reads Ctrl-C as a key; this is what a terminal makes of it
            sys.exit(_INTERRUPTED)
        log.exception("failed")
        sys.exit(refusal(error))
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)  # Snakemake's own process says so, once for all steps
    except Exception as error:
        log.exception("failed")
        sys.exit(refusal(f"{type(error).__name__}: {error} (the traceback is in {log_file})"))
    finally:
        if console.is_terminal:
            terminal.show_waiting(_write)
        log.removeHandler(handler)
        handler.close()


@contextlib.contextmanager
def _ended_by_ctrl_c() -> Iterator[None]:
    """End the block at Ctrl-C, or if there was one before it began; a second one does not interrupt that."""

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    if STOPPED not in os.environ:
        yield
        return
    previous = signal.signal(signal.SIGINT, interrupt)
    try:
        if Path(os.environ[STOPPED]).is_file():
            interrupt()
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def keep_secret(value: str) -> None:
    """Never show or log this value."""
    _secrets.add(value)


def redact(text: str) -> str:
    """The text without kept secrets and without the value of every environment variable named like one (HF_TOKEN).

    A network library's error may quote the header that it could not send.
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
    """Another formatter's output made printable: Snakemake prints file names as they are."""

    def __init__(self, inner: logging.Formatter | None) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        return printable(self._inner.format(record) or "")  # Snakemake's returns None for hidden records


def refusal(error: object) -> str:
    """The sentence with which a command or a step fails."""
    return fitted(printable(redact(f"loramake: {error}")))


def show_traceback(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """The traceback of an unexpected error, made printable, since it may quote a cell (a `sys.excepthook`)."""
    sys.stderr.write(printable(redact("".join(traceback.format_exception(kind, error, where)))))


def put(text: str) -> None:
    """Write to standard output: unchanged to a program, printable to a terminal."""
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def fitted(text: str) -> str:
    """The text wrapped between words for a terminal, which would break it anywhere; unchanged elsewhere."""
    if not console.is_terminal:
        return text
    lines = [
        textwrap.fill(line, console.width, break_long_words=False, break_on_hyphens=False) for line in text.splitlines()
    ]
    return "\n".join(lines)


def say(message: str) -> None:
    """Print and log one line; a cell or a name in it cannot add another."""
    message = printable(" ".join(redact(message).splitlines()))
    log.info(message)
    show(f"loramake: {message}")


def show(line: str) -> None:
    """Print a line, after any question that another job is asking on the terminal."""
    if console.is_terminal:
        terminal.show(line, _write)
    else:
        _write(line)


def _write(line: str) -> None:
    """Print a line over whatever another job's progress has drawn at the cursor."""
    console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
    console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)


@contextlib.contextmanager
def progress(title: str, seconds_between_lines: float = 10.0, unit: str = "") -> Iterator[Advance]:
    """Show the progress of `title`: a bar on a terminal, else a line now and then; `unit` follows the numbers."""
    if not console.is_terminal:
        yield _line_printer(title, seconds_between_lines, unit)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
    with _drawn(*columns, TimeElapsedColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task(printable(title), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextlib.contextmanager
def _drawn(*columns: ProgressColumn) -> Iterator[Progress]:
    """Progress drawn a few times a second, and erased while another job asks a question."""
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
    """Call `do` repeatedly in a thread until the block ends."""
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
def working(title: str, seconds_between_lines: float = 10.0) -> Iterator[None]:
    """Show that `title` goes on, its progress being unknown: a spinner on a terminal, else a line now and then."""
    if console.is_terminal:
        with _drawn(SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()) as bar:
            bar.add_task(printable(f"loramake: {title} …"), total=None)
            yield
        return
    start = time.monotonic()
    with _every(seconds_between_lines, lambda: say(f"{title}: {time.monotonic() - start:.0f} s so far")):
        yield


def _line_printer(title: str, seconds_between_lines: float, unit: str) -> Advance:
    last, shown = time.monotonic(), -1

    def advance(done: int, total: int) -> None:
        nonlocal last, shown
        if done != shown and (done == total or time.monotonic() - last >= seconds_between_lines):
            last, shown = time.monotonic(), done
            say(f"{title}: {done} of {total} {unit}".rstrip())

    return advance

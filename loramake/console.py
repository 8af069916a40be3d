"""What a user sees while a step works: one sentence on failure, a progress bar on a terminal, plain lines elsewhere."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from loramake.errors import LoramakeError

console = Console(stderr=True)
log = logging.getLogger("loramake")

Advance = Callable[[int, int], None]
"""Told (done, total) as work goes on."""


@contextlib.contextmanager
def step(log_file: str | Path) -> Iterator[None]:
    """Run one rule's work: its log goes to `log_file`; an error becomes one sentence here, its traceback there."""
    Path(log_file).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log_file, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    except LoramakeError as error:
        log.exception("failed")
        sys.exit(f"loramake: {error}")
    except KeyboardInterrupt:
        sys.exit("loramake: stopped by you; run the same command to go on.")
    except Exception as error:
        log.exception("failed")
        sys.exit(f"loramake: {type(error).__name__}: {error} (the traceback is in {log_file})")
    finally:
        log.removeHandler(handler)
        handler.close()


def say(message: str) -> None:
    """One line for the user, and for the log."""
    log.info(message)
    console.print(f"loramake: {message}", markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def progress(what: str, seconds_between_lines: float = 10.0) -> Iterator[Advance]:
    """Show how far `what` is: a bar on a terminal, else a plain line now and then."""
    if not console.is_terminal:
        yield _line_printer(what, seconds_between_lines)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _line_printer(what: str, seconds_between_lines: float) -> Advance:
    last, shown = time.monotonic(), -1

    def advance(done: int, total: int) -> None:
        nonlocal last, shown
        if done != shown and (done == total or time.monotonic() - last >= seconds_between_lines):
            last, shown = time.monotonic(), done
            say(f"{what}: {done} of {total}")

    return advance

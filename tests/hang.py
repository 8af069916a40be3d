"""Ending what would take hours, in place of asserting how long it takes."""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    """Raise TimeoutError inside of the block once it has gone on for so long; regular expressions are ended, too."""

    def end(*_: object) -> None:
        raise TimeoutError(f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

"""Ctrl-C: a run ends with one sentence, whatever it is doing.

The terminal sends SIGINT to Snakemake and to every job. Snakemake waits for its jobs, then would print its own lines
and the command of each. A job that is only starting would print a traceback, so it ignores SIGINT until its step
begins (PREFIX), which then finds the mark of a run that was stopped meanwhile.
"""

import atexit
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

from loramake.console import STOPPED, say

PREFIX = "set -euo pipefail; trap '' INT; "
"""What the shell commands of jobs begin with: Snakemake's own, and that they ignore SIGINT."""


def stop_in_one_sentence(handlers: Iterable[logging.Handler]) -> None:
    """Have SIGINT end this process of Snakemake, whose log `handlers` print, with one sentence after its last job.

    So does a terminal that is closed (SIGHUP), so that no lock is left behind.

    A run in the background, which was started with SIGINT ignored, goes on ignoring it.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN and STOPPED not in os.environ:
        return
    mark = Path(".snakemake", f"stopped-{os.getpid()}").resolve()
    mark.unlink(missing_ok=True)
    os.environ[STOPPED] = str(mark)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            mark.touch()
        for handler in handlers:
            handler.addFilter(lambda _: False)
        sys.excepthook = lambda *_: None
        atexit.register(mark.unlink, missing_ok=True)
        atexit.register(say, "stopped by you; run the same command to continue.")
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # which nohup sets
        signal.signal(signal.SIGHUP, stop)

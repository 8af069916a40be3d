"""The GPUs of a training: one training at a time has each, whichever folder of this machine it is run in.

A GPU's memory is not shared fairly: the second training would end with an out-of-memory error. CPUs are, so there is
nothing to wait for on a machine without GPUs. SLURM gives each job GPUs of its own.
"""

import contextlib
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from loramake.console import printable, say
from loramake.errors import TrainingError
from loramake.llm.extra import import_training
from loramake.locks import locked_file
from loramake.threads import available_cpus

_SECONDS = 2.0
"""Between two looks at the locks of others."""


@contextlib.contextmanager
def own_gpus(wanted: int) -> Iterator[dict[str, int | None]]:
    """So many of the visible GPUs, each with the descriptor of its lock (None in a SLURM job); none without GPUs.

    Waits for other trainings, and says for which. TrainingError where there are fewer.
    """
    visible = visible_gpus()
    if visible and wanted > len(visible):
        raise TrainingError(
            f"gpus: {wanted}, but this machine shows {len(visible)} ({', '.join(visible)}): set gpus to at most "
            f"{len(visible)}, or CUDA_VISIBLE_DEVICES to more of them."
        )
    if not visible and wanted > available_cpus():
        raise TrainingError(
            f"gpus: {wanted}, but this machine has no GPU and {available_cpus()} CPUs: set gpus to at most that."
        )
    if not visible or "SLURM_JOB_ID" in os.environ:
        yield dict.fromkeys(visible[:wanted])
        return
    with contextlib.ExitStack() as held:
        yield _lock_when_free(visible, wanted, held)


def visible_gpus() -> list[str]:
    """The GPUs that torch sees, by the names that CUDA_VISIBLE_DEVICES has for them."""
    count = import_training("torch").cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return [name.strip() for name in named.split(",")][:count] if named else [str(index) for index in range(count)]


def lock_folder() -> Path:
    """A folder of this user and this machine; TrainingError for one that somebody else made or can write to."""
    folder = Path(tempfile.gettempdir()) / f"loramake-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise TrainingError(
            f"{folder} is not a folder that only you can write to, and trainings are locked there: remove it, or set "
            "TMPDIR to a folder of yours."
        )
    return folder


def _lock_when_free(visible: list[str], wanted: int, held: contextlib.ExitStack) -> dict[str, int | None]:
    """Lock so many GPUs, the first that are free, once there are enough."""
    folder, told = lock_folder(), ""
    while True:
        # One process looks at a time: two that want all GPUs would otherwise keep taking half of them.
        with locked_file(folder / "looking.lock", wait=True), contextlib.ExitStack() as trying:
            locks: dict[str, int | None] = {}
            for gpu in visible:
                lock = trying.enter_context(locked_file(_lock_file(folder, gpu))) if len(locks) < wanted else None
                if lock is not None:
                    locks[gpu] = lock
                    _write_holder(lock)
            if len(locks) == wanted:
                held.enter_context(trying.pop_all())
                return locks
            holders = sorted({_read_holder(_lock_file(folder, gpu)) for gpu in visible if gpu not in locks})
        if (now := "; ".join(holders)) != told:
            say(f"waiting for another training on this machine ({now}).")
            told = now
        time.sleep(_SECONDS)


def _lock_file(folder: Path, gpu: str) -> Path:
    return folder / f"gpu-{re.sub(r'[^A-Za-z0-9-]', '_', gpu)}.lock"


def _write_holder(lock: int) -> None:
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"pid {os.getpid()}, folder {Path.cwd()}".encode(), 0)


def _read_holder(path: Path) -> str:
    return printable(path.read_text(encoding="utf-8", errors="replace"))

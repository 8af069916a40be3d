"""Runs inside the sandbox: sets limits, runs the script, and writes its output files to a pipe.

Its text is passed to the sandbox's Python with -c, so nothing of the project is imported there. Its output is as
untrusted as the script: the script might have replaced it.
"""

import contextlib
import json
import os
import resource
import stat
import subprocess
import sys
from typing import Any

_MISSING = 2**64 - 1
"""In place of the size of an output that does not exist or is not a plain file."""


def limit(limits: dict[str, int]) -> None:
    """Set the limits of this process and its children, and let the kernel kill them first if memory is short."""
    for name, most in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write("1000")


def hand_over(path: str, pipe: int) -> None:
    """Write an output's size and bytes into the pipe; links are not followed."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        os.write(pipe, _MISSING.to_bytes(8))
        return
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        os.write(pipe, _MISSING.to_bytes(8))
        return
    os.write(pipe, status.st_size.to_bytes(8))
    while part := os.read(file, 1 << 20):
        while part:
            part = part[os.write(pipe, part) :]


def main(task: dict[str, Any]) -> int:
    """Run the script of a task; its exit code, or 128 plus the signal that ended it."""
    limit(task["limits"])
    os.chdir(task["folder"])
    done = subprocess.run([sys.executable, "-I", "-B", *task["command"]], stdin=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        for path in task["outputs"]:
            hand_over(path, task["pipe"])
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))

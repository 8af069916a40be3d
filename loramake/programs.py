"""Output of other programs on this machine."""

import shutil
import subprocess

_SECONDS = 20


def output_lines(command: str, *arguments: str) -> list[str]:
    """The lines that a program prints; none if it is missing or fails."""
    if shutil.which(command) is None:
        return []
    try:
        done = subprocess.run([command, *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.strip().splitlines() if done.returncode == 0 else []

"""Runs the workflow on data/heart.csv in a real terminal (tmux) and keeps what the three reviews and the end look like.

python docs/screens/capture.py      writes docs/screens/*.svg; needs tmux, some three minutes
"""

import io
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
WIDTH, HEIGHT = 80, 160
SESSION = "loramake-screens"
SECONDS = 300
SCREENS = {
    "review_data": ("heart: prepared data", "Approve the data review of"),
    "review_balance": ("heart: training split", "Approve the balance review of"),
    "review_config": ("heart: training configuration", "Approve the config review of"),
    "run": (" review_lmf_config ", "loramake: done"),
}
"""What each screen begins with, and what it waits for."""


def tmux(*arguments: str) -> str:
    return subprocess.run(["tmux", *arguments], check=True, capture_output=True, text=True).stdout


def wait_for(text: str) -> None:
    end = time.monotonic() + SECONDS
    while text not in tmux("capture-pane", "-p", "-t", SESSION):
        if time.monotonic() > end:
            sys.exit(f"{text!r} did not come:\n{tmux('capture-pane', '-p', '-t', SESSION)}")
        time.sleep(0.5)
    time.sleep(1.0)


def capture(first: str) -> list[Text]:
    """The screen from the last line that contains `first`."""
    lines = Text.from_ansi(tmux("capture-pane", "-e", "-p", "-t", SESSION)).split(allow_blank=True)
    start = max(at for at, line in enumerate(lines) if first in line.plain)
    return [line for line in lines[start:] if line.plain.strip()]


def save(name: str, lines: list[Text]) -> None:
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(line, soft_wrap=True)
    console.save_svg(str(HERE / f"{name}.svg"), title="loramake run --csv heart.csv")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "data/heart.csv", folder)
        (Path(folder) / "models").symlink_to(ROOT / "models")  # so that no path of this machine is seen
        command = f"{Path(sys.executable).with_name('loramake')} run --csv heart.csv; sleep {SECONDS}"
        size = ("-x", str(WIDTH), "-y", str(HEIGHT))
        tmux("new-session", "-d", "-s", SESSION, *size, "-c", folder, command)
        try:
            for name, (first, awaited) in SCREENS.items():
                wait_for(awaited)
                save(name, capture(first))
                tmux("send-keys", "-t", SESSION, "Enter")
        finally:
            tmux("kill-session", "-t", SESSION)


if __name__ == "__main__":
    main()

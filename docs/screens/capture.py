"""Runs the workflow on data/heart.csv in a real terminal (tmux) and keeps what the three reviews and the end look like.

python docs/screens/capture.py      writes docs/screens/*.svg; needs tmux, about two minutes
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
    "review_data": ("heart: prepared data", "Approve the data review of", 60),
    "review_balance": ("heart: training split", "Approve the balance review of", 60),
    "review_config": ("heart: training configuration", "Approve the config review of", 34),
    "run": (" review_lmf_config ", " summarize_results ", 60),
}
"""What each screen begins with, what it waits for, and how many of its lines are kept."""
LAST = 6
"""Lines kept of the end of a longer screen."""


def tmux(*arguments: str) -> str:
    return subprocess.run(["tmux", *arguments], check=True, capture_output=True, text=True).stdout


def wait_for(text: str) -> None:
    end = time.monotonic() + SECONDS
    while text not in tmux("capture-pane", "-p", "-t", SESSION):
        if time.monotonic() > end:
            sys.exit(f"{text!r} did not come:\n{tmux('capture-pane', '-p', '-t', SESSION)}")
        time.sleep(0.5)
    time.sleep(1.0)


def capture(first: str, longest: int) -> list[Text]:
    """The screen from the last line that holds `first`; of a long one the middle is left out."""
    lines = Text.from_ansi(tmux("capture-pane", "-e", "-p", "-t", SESSION)).split(allow_blank=True)
    start = max(at for at, line in enumerate(lines) if first in line.plain)
    shown = [line for line in lines[start:] if line.plain.strip()]
    if len(shown) > longest:
        return [*shown[: longest - LAST - 1], Text("  …", style="dim"), *shown[-LAST:]]
    return shown


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
            for name, (first, awaited, longest) in SCREENS.items():
                wait_for(awaited)
                save(name, capture(first, longest))
                tmux("send-keys", "-t", SESSION, "Enter")
        finally:
            tmux("kill-session", "-t", SESSION)


if __name__ == "__main__":
    main()

import subprocess
import sys
from pathlib import Path

import pytest

from loramake import terminal

HOLDER = """
import sys
from loramake.terminal import held
with held():
    print("asking", flush=True)
    sys.stdin.readline()
"""


def test_what_others_say_waits_until_a_question_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown: list[str] = []
    terminal.show("before", shown.append)
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "asking\n"
        assert terminal.is_held_elsewhere()
        terminal.show("during", shown.append)
        terminal.show_waiting(shown.append)
        assert shown == ["before"]
        other.stdin.write("\n")
        other.stdin.close()
        other.wait()
    terminal.show("after", shown.append)
    assert shown == ["before", "during", "after"]


def test_a_killed_question_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        other.kill()
    assert not terminal.is_held_elsewhere()

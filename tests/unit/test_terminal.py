import io
import logging
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


def test_snakemakes_own_lines_wait_too_and_keep_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    waiting = terminal.Waiting(handler)
    handler.addFilter(waiting)
    logger = logging.Logger("snakemake's")
    logger.addHandler(handler)
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        logger.info("one")
        logger.info("two")
        assert stream.getvalue() == ""
        other.communicate("\n")
    logger.info("three")
    assert stream.getvalue().replace("\r\x1b[2K", "").split() == ["one", "two", "three"]
    waiting.show_kept()
    assert stream.getvalue().count("three") == 1


def test_a_killed_question_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        other.kill()
    assert not terminal.is_held_elsewhere()


def test_one_job_draws_its_progress_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert terminal.may_draw(), "in a folder without results nobody else draws"
    Path("results").mkdir()
    drawer = "import sys; from loramake.terminal import may_draw; print(may_draw(), flush=True); sys.stdin.readline()"
    with subprocess.Popen([sys.executable, "-c", drawer], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert not terminal.may_draw()
        other.communicate("\n")
    assert terminal.may_draw()
    terminal.end_drawing()


def test_the_terminal_is_held_once_however_often_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with terminal.held():
        with terminal.held():
            pass
        here = "from loramake.terminal import is_held_elsewhere; print(is_held_elsewhere())"
        done = subprocess.run([sys.executable, "-c", here], capture_output=True, text=True, check=True)
        assert done.stdout == "True\n"

import time
from pathlib import Path

import pytest
from rich.console import Console

from loramake.console import fitted, printable, progress, step, working


def test_off_a_terminal_progress_is_plain_lines_and_the_end_is_said_once(capfd: pytest.CaptureFixture[str]) -> None:
    with progress("scoring, rows", seconds_between_lines=0.0) as advance:
        for done in (1, 1, 2, 3, 3, 3):
            advance(done, 3)
    lines = capfd.readouterr().err.splitlines()
    assert lines == [f"loramake: scoring, rows: {done} of 3" for done in (1, 2, 3)]


def interrupted(log: Path) -> None:
    with step(log):
        raise KeyboardInterrupt


def test_ctrl_c_ends_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="stopped by you; run the same command to go on"):
        interrupted(tmp_path / "log")


def test_off_a_terminal_work_of_unknown_length_is_told_of_now_and_then(capfd: pytest.CaptureFixture[str]) -> None:
    with working("preparing", seconds_between_lines=0.02):
        time.sleep(0.2)
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) >= 2
    assert set(lines) == {"loramake: preparing: 0 s so far"}


def test_a_cell_cannot_move_the_cursor() -> None:
    assert printable("a\x1b[1A\x1b[2Kb\x9bc\td\ne") == "a�[1A�[2Kb�c\td\ne"


def test_a_sentence_is_broken_between_words_on_a_terminal_and_whole_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "loramake: results/penguins/review/data.json: stopped by you; nothing is lost"
    assert fitted(sentence) == sentence
    monkeypatch.setattr("loramake.console.console", Console(force_terminal=True, width=40))
    assert fitted(f"{sentence}\n  below") == (
        "loramake:\nresults/penguins/review/data.json:\nstopped by you; nothing is lost\n  below"
    )

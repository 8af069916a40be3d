import pytest

from loramake.console import progress


def test_off_a_terminal_progress_is_plain_lines_and_the_end_is_said_once(capfd: pytest.CaptureFixture[str]) -> None:
    with progress("scoring, rows", seconds_between_lines=0.0) as advance:
        for done in (1, 1, 2, 3, 3, 3):
            advance(done, 3)
    lines = capfd.readouterr().err.splitlines()
    assert lines == [f"loramake: scoring, rows: {done} of 3" for done in (1, 2, 3)]

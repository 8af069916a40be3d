import io
import json
import logging
import signal
import sys
import time
import unicodedata
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from loramake.console import (
    STOPPED,
    PrintableFormatter,
    SafeConsole,
    fitted,
    log,
    printable,
    printable_json,
    progress,
    put,
    refusal,
    say,
    show_traceback,
    step,
    working,
)

EVIL = "a\x1b]0;title\x07b\u202ec\u2028d\ud800e\u200b"
SHOWN = "a�]0;title�b�c�d�e�"


def test_off_a_terminal_progress_is_plain_lines_and_the_end_is_said_once(capfd: pytest.CaptureFixture[str]) -> None:
    with progress("scoring, rows", seconds_between_lines=0.0) as advance:
        for done in (1, 1, 2, 3, 3, 3):
            advance(done, 3)
    lines = capfd.readouterr().err.splitlines()
    assert lines == [f"loramake: scoring, rows: {done} of 3" for done in (1, 2, 3)]


def test_ctrl_c_ends_a_step_without_a_word_since_snakemakes_process_says_it_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(STOPPED, "")
    with pytest.raises(SystemExit, match="130"), step(tmp_path / "log"):
        signal.raise_signal(signal.SIGINT)
    assert capfd.readouterr().err == ""
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_a_step_of_a_run_that_was_stopped_before_it_began_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, is_run = tmp_path / "stopped", False
    monkeypatch.setenv(STOPPED, str(mark))
    mark.touch()
    with pytest.raises(SystemExit, match="130"), step(tmp_path / "log"):
        is_run = True
    assert not is_run


def test_off_a_terminal_work_of_unknown_length_is_told_of_now_and_then(capfd: pytest.CaptureFixture[str]) -> None:
    with working("preparing", seconds_between_lines=0.02):
        time.sleep(0.2)
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) >= 2
    assert set(lines) == {"loramake: preparing: 0 s so far"}


def test_a_cell_cannot_move_the_cursor() -> None:
    assert printable("a\x1b[1A\x1b[2Kb\x9bc\td\ne") == "a�[1A�[2Kb�c\td\ne"


def test_nothing_unprintable_is_left_of_any_character() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    left = {sign for sign in printable(every) if unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp", "Cs")}
    assert left == {"\t", "\n"}
    assert printable("żółć 日本 العربية 👍🏽 a\u0301 ½") == "żółć 日本 العربية 👍🏽 a\u0301 ½"
    assert printable(EVIL) == SHOWN


def test_json_is_printable_and_read_back_as_it_was() -> None:
    data = {"x" + EVIL: [EVIL, "\U000e0041", "ü", "\n"]}
    for indent in (None, 2):
        text = printable_json(data, indent)
        assert printable(text) == text
        assert json.loads(text) == data
    assert "ü" in text


def test_whatever_a_table_is_made_of_does_nothing_but_be_read() -> None:
    out = io.StringIO()
    table = Table(EVIL, title=EVIL)
    table.add_row(EVIL)
    SafeConsole(file=out, force_terminal=True, width=60).print(table, EVIL)
    text = out.getvalue()
    assert "\x1b[" in text, "styles are rich's own"
    assert "\x1b]" not in text
    assert not set(text) & set("\x07\u202e\u2028\ud800\u200b")


def test_what_is_said_is_one_line_on_the_terminal_and_in_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "propagate", False)  # pytest's own record of the log could not be sent between processes
    with step(tmp_path / "log"):
        say(f"the target is {EVIL}\nloramake: all checks passed.")
        log.info("the script printed %s", EVIL)
    said, *others = capfd.readouterr().err.splitlines()
    assert others == []
    assert said == "loramake: the target is a�]0;title�b�c d�e� loramake: all checks passed."
    logged = (tmp_path / "log").read_text(encoding="utf-8")
    assert f"the script printed {SHOWN}" in logged


def test_errors_and_tracebacks_are_printable(capfd: pytest.CaptureFixture[str]) -> None:
    assert refusal(ValueError(EVIL)) == f"loramake: {SHOWN}"
    try:
        raise KeyError(EVIL) from ValueError(EVIL)
    except KeyError as error:
        show_traceback(type(error), error, error.__traceback__)
    shown = capfd.readouterr().err
    assert "Traceback" in shown
    assert printable(shown) == shown


def test_progress_of_a_name_is_no_markup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out = io.StringIO()
    monkeypatch.setattr("loramake.console.console", SafeConsole(file=out, force_terminal=True, width=100))
    with progress(f"[red]{EVIL}") as advance:
        advance(1, 2)
        time.sleep(0.5)
    with working(f"[red]{EVIL}"):
        time.sleep(0.5)
    text = out.getvalue()
    assert text.count("[red]a�]0;title�b") >= 2
    assert "\x1b]" not in text


def test_another_programs_log_lines_are_printable() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(PrintableFormatter(logging.Formatter("input: %(message)s")))
    handler.emit(logging.LogRecord("snakemake", logging.INFO, "", 0, EVIL, None, None))
    assert out.getvalue() == f"input: {SHOWN}\n"


def test_standard_output_is_as_it_is_for_a_program_and_printable_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    for is_terminal, shown in ((False, "a\x1b]0;x"), (True, "a�]0;x")):
        out = io.StringIO()
        monkeypatch.setattr(out, "isatty", lambda is_terminal=is_terminal: is_terminal)
        monkeypatch.setattr("sys.stdout", out)
        put("a\x1b]0;x")
        assert out.getvalue() == shown


def test_a_sentence_is_broken_between_words_on_a_terminal_and_whole_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "loramake: results/penguins/review/data.json: stopped by you; nothing is lost"
    assert fitted(sentence) == sentence
    monkeypatch.setattr("loramake.console.console", Console(force_terminal=True, width=40))
    assert fitted(f"{sentence}\n  below") == (
        "loramake:\nresults/penguins/review/data.json:\nstopped by you; nothing is lost\n  below"
    )

"""Rows lie in a private folder while they are worked on, and nowhere after that, whatever ended the run."""

import multiprocessing
import signal
import tempfile
from pathlib import Path

import pytest

from loramake.errors import ConfigError
from loramake.private_folder import private_folder

FORK = multiprocessing.get_context("fork")


def test_the_folder_lies_beside_is_private_and_is_gone_afterwards(tmp_path: Path) -> None:
    with private_folder(tmp_path) as folder:
        (folder / "rows.csv").write_text("secret")
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(KeyboardInterrupt), private_folder(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def hold(beside: Path, held: "multiprocessing.synchronize.Event") -> None:
    with private_folder(beside) as folder:
        (folder / "rows.csv").write_text("secret")
        held.set()
        signal.pause()


def start(beside: Path) -> multiprocessing.process.BaseProcess:
    held = FORK.Event()
    process = FORK.Process(target=hold, args=(beside, held))
    process.start()
    assert held.wait(30)
    return process


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_uses_is_not(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.csv").write_text("mine")
    beside = tmp_path / "data"
    beside.mkdir()
    (beside / ".rows-link").symlink_to(elsewhere)
    (beside / "prep_state.json").write_text("{}")
    living = start(beside)
    alive = set(beside.iterdir())
    killed = start(beside)
    left = set(beside.iterdir()) - alive
    assert len(left) == 1
    killed.kill()
    killed.join()
    try:
        with private_folder(beside) as folder:
            assert set(beside.iterdir()) == {*alive, folder}
    finally:
        living.kill()
        living.join()
    assert (elsewhere / "mine.csv").exists()


def come_and_go(beside: Path, times: int) -> None:
    for _ in range(times):
        with private_folder(beside) as folder:
            (folder / "rows.csv").write_text("rows")
            assert (folder / "rows.csv").exists()


def test_runs_that_come_and_go_at_once_keep_their_folders(tmp_path: Path) -> None:
    processes = [FORK.Process(target=come_and_go, args=(tmp_path, 200)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_may_be_written_beside_it_is_a_private_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with private_folder("/proc/self") as folder:
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    with (
        pytest.raises(ConfigError, match=r"neither /proc/self nor a temporary folder can be written to \(.+\): make"),
        private_folder("/proc/self"),
    ):
        pass

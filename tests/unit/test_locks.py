import contextlib
import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loramake.errors import ConfigError
from loramake.locks import lock, locked_file

HOLDER = """
import sys
from pathlib import Path
from loramake.locks import locked_file
with locked_file(Path(sys.argv[1])) as held:
    print(held is not None, flush=True)
    sys.stdin.readline()
"""


@contextlib.contextmanager
def another_holding(path: Path) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        yield other
        other.kill()


def test_a_lock_is_one_processs_until_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with another_holding(path) as other:
        with locked_file(path) as held:
            assert held is None
        other.kill()
        other.wait()
        with locked_file(path) as held:
            assert held is not None


def test_who_waits_gets_the_lock_once_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    command = [sys.executable, "-c", HOLDER.replace("(Path(sys.argv[1]))", "(Path(sys.argv[1]), wait=True)"), str(path)]
    with locked_file(path):
        waiting = subprocess.Popen(command, stdin=-1, stdout=-1, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(timeout=1)
    assert waiting.communicate("\n", timeout=60)[0] == "True\n"


def test_what_a_locked_file_contains_stays(tmp_path: Path) -> None:
    path = tmp_path / "rows.partial"
    path.write_text("rows", encoding="utf-8")
    with locked_file(path):
        pass
    assert path.read_text(encoding="utf-8") == "rows"


def test_a_started_process_has_a_lock_only_where_it_is_handed_on(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    sleep = [sys.executable, "-c", "import sys; sys.stdin.readline()"]
    for handed_on in (False, True):
        with locked_file(path) as held:
            assert held is not None
            child = subprocess.Popen(sleep, stdin=-1, pass_fds=(held,) if handed_on else ())
        with locked_file(path) as again:
            assert (again is None) == handed_on
        child.communicate(b"\n")


def test_a_file_system_without_locks_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(ConfigError, match=r"cannot be locked \(No locks available\): work on a file system that has"):
        lock(descriptor, tmp_path)
    os.close(descriptor)

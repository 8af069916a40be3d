"""A file that is written in parts is whole or not there, and a killed run goes on where it was."""

import multiprocessing
import os
import random
import signal
from pathlib import Path

import pytest

from loramake.errors import ConfigError
from loramake.serving.resumable import resumable_file

BELONGS = {"input": "a", "experiment": "b"}
PARTS = [f"part {number}\n" * (number + 1) for number in range(6)]


def write(path: Path, stop_after: int = len(PARTS), belongs: dict[str, str] = BELONGS) -> int:
    """Write all parts, or stop by an error; how many rows were there before."""
    with resumable_file(path, belongs) as file:
        before = file.rows
        for number, part in enumerate(PARTS):
            if number == stop_after:
                raise InterruptedError
            if number >= file.rows:
                file.append(part, 1)
    return before


@pytest.mark.parametrize("stop_after", range(len(PARTS)))
def test_a_stopped_run_is_gone_on_with_to_the_same_bytes(tmp_path: Path, stop_after: int) -> None:
    path = tmp_path / "sub" / "out.csv"
    with pytest.raises(InterruptedError):
        write(path, stop_after)
    assert not path.exists()
    assert write(path) == stop_after
    assert path.read_text() == "".join(PARTS)
    assert list(path.parent.iterdir()) == [path]


def test_bytes_of_a_part_that_was_not_finished_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with pytest.raises(InterruptedError):
        write(path, 3)
    with (tmp_path / "out.csv.partial").open("a") as file:
        file.write("half a li" * 100)  # more than the rest will write over
    assert write(path) == 3
    assert path.read_text() == "".join(PARTS)


def test_what_was_made_of_something_else_is_not_gone_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out.csv"
    with pytest.raises(InterruptedError):
        write(path, 3)
    assert write(path, belongs={**BELONGS, "input": "another"}) == 0
    assert "out.csv.partial was made with another input: starting over" in capsys.readouterr().err.replace("\n", " ")
    assert path.read_text() == "".join(PARTS)


@pytest.mark.parametrize("damage", ["{", '{"rows": 3}', "shorter"])
def test_a_damaged_state_begins_anew(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "out.csv"
    with pytest.raises(InterruptedError):
        write(path, 3)
    if damage == "shorter":
        os.truncate(tmp_path / "out.csv.partial", 5)
    else:
        (tmp_path / "out.csv.progress.json").write_text(damage)
    assert write(path) == 0
    assert path.read_text() == "".join(PARTS)


def test_a_run_that_fails_before_its_first_part_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InterruptedError):
        write(tmp_path / "out.csv", 0)
    assert list(tmp_path.iterdir()) == []


def test_a_finished_file_stays_until_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(InterruptedError):
        write(path, 3)
    assert path.read_text() == "old"
    write(path)
    assert path.read_text() == "".join(PARTS)


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with resumable_file(path, BELONGS) as file:
        file.append("x", 1)
        with (
            pytest.raises(ConfigError, match=r"another run is writing .*out\.csv: wait for it"),
            resumable_file(path, BELONGS),
        ):
            pass
        file.append("y", 1)
    assert path.read_text() == "xy"


def test_what_is_no_ordinary_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/null")):
        with pytest.raises(ConfigError, match="is not an ordinary file: give --output"), resumable_file(path, BELONGS):
            pass
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written to"), resumable_file(tmp_path / "file/out.csv", BELONGS):
        pass


def write_slowly(path: Path, started: "multiprocessing.synchronize.Event") -> None:
    with resumable_file(path, BELONGS) as file:
        for number in range(file.rows, 5000):
            file.append(f"row {number}\n", 1)
            started.set()


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment_again_and_again_the_file_is_that_of_an_unbroken_run(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "out.csv"
    context = multiprocessing.get_context("fork")
    generator = random.Random(seed)
    for _ in range(4):
        started = context.Event()
        process = context.Process(target=write_slowly, args=(path, started))
        process.start()
        started.wait(10)
        process.join(generator.uniform(0.0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert not path.exists()
    kept = (tmp_path / "out.csv.partial").stat().st_size
    assert kept > 0
    with resumable_file(path, BELONGS) as file:
        for number in range(file.rows, 100 + file.rows):
            file.append(f"row {number}\n", 1)
        rows = file.rows
    assert path.read_text() == "".join(f"row {number}\n" for number in range(rows))

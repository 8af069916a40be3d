"""A hash of a source file is never one of other contents, and a large file is read once."""

import json
import os
import time
from pathlib import Path

import pytest

from loramake import artifacts, hashes
from loramake.errors import DataError
from loramake.hashes import CACHE, hash_file, hash_files

HOUR = 3600 * 10**9


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if an hour had gone by since any file was written."""
    monkeypatch.setattr(time, "time_ns", lambda now=time.time_ns: now() + HOUR)


def large(text: str = "a") -> Path:
    Path("large.csv").write_text(text * (2**20 + 1), encoding="utf-8")
    return Path("large.csv")


def poison(path: Path) -> None:
    """Another hash in the cache, so that it shows which one is given."""
    cache = json.loads(CACHE.read_text(encoding="utf-8"))
    cache[str(path)][3] = "0" * 64
    CACHE.write_text(json.dumps(cache), encoding="utf-8")


def test_a_large_file_is_read_once(settled: None) -> None:
    path = large()
    assert hash_file(path) == artifacts.sha256(path)
    poison(path)
    assert hash_file(path) == "0" * 64


def test_a_small_file_is_read_each_time(settled: None) -> None:
    path = Path("small.csv")
    path.write_text("a\n", encoding="utf-8")
    before, times = hash_file(path), path.stat()
    path.write_text("b\n", encoding="utf-8")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert hash_file(path) == artifacts.sha256(path) != before
    assert not CACHE.exists()


def test_another_size_is_read_again(settled: None) -> None:
    path = large()
    hash_file(path)
    poison(path)
    with path.open("a", encoding="utf-8") as file:
        file.write("b")
    assert hash_file(path) == artifacts.sha256(path)


@pytest.mark.parametrize("shift", [-HOUR, HOUR])
def test_another_time_is_read_again(shift: int, settled: None) -> None:
    path = large()
    hash_file(path)
    poison(path)
    time_ns = path.stat().st_mtime_ns
    os.utime(path, ns=(time_ns + shift, time_ns + shift))
    assert hash_file(path) == artifacts.sha256(path)


def test_a_changed_file_with_its_old_time_set_again_is_read_again(settled: None) -> None:
    path = large()
    before, times = hash_file(path), path.stat()
    time.sleep(0.05)  # the clock of a file system ticks every few milliseconds
    large("b")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert hash_file(path) == artifacts.sha256(path) != before


def test_a_file_that_was_written_just_now_is_not_kept() -> None:
    hash_file(large())
    assert not CACHE.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"large.csv": [1, 2, 3, "x"]}', '{"large.csv": 1}'])
def test_a_broken_cache_is_none(content: str, settled: None) -> None:
    path = large()
    CACHE.parent.mkdir(parents=True)
    CACHE.write_text(content, encoding="utf-8")
    assert hash_file(path) == artifacts.sha256(path)


def test_a_folder_that_cannot_be_written_costs_time_alone(settled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    path = large()
    Path("results").write_text("no folder", encoding="utf-8")
    assert hash_file(path) == artifacts.sha256(path)


def test_files_count_by_name_and_content_and_not_by_their_folder() -> None:
    for folder, one, two in (("a", "1", "2"), ("b", "1", "2"), ("c", "2", "1")):
        Path(folder).mkdir()
        (Path(folder) / "one").write_text(one, encoding="utf-8")
        (Path(folder) / "two").write_text(two, encoding="utf-8")
    a, b, c = (hash_files(Path(folder).glob("*")) for folder in "abc")
    assert a == b != c


def test_a_file_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(DataError, match=r"none\.csv cannot be read"):
        hashes.hash_file("none.csv")

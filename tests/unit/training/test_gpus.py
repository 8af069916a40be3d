"""Trainings of different folders take turns on the GPUs of one machine: real processes, which torch shows some GPUs."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loramake.errors import TrainingError
from loramake.training.gpus import lock_folder, own_gpus, visible_gpus
from tests.conftest import ROOT

torch = pytest.importorskip("torch", reason="needs the training extra")

TRAINING = """
import signal, sys, torch
from loramake.training.gpus import own_gpus
torch.cuda.device_count = lambda: int(sys.argv[1])
with own_gpus(int(sys.argv[2])) as gpus:
    print(*gpus, flush=True)
    signal.pause()
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for locks of its own, and no GPU that the environment names."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


class Training:
    """Another process that wants so many of the GPUs that it sees."""

    def __init__(self, folder: Path, seen: int, wanted: int, **environment: str) -> None:
        folder.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-c", TRAINING, str(seen), str(wanted)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def gpus(self) -> str:
        """Waited for."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def said(self) -> str:
        """The next sentence, waited for."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().strip()

    def end(self, signal_: signal.Signals = signal.SIGKILL) -> None:
        self.process.send_signal(signal_)
        self.process.communicate()


def test_a_training_waits_for_one_in_another_folder_says_for_which_and_then_has_the_gpu(machine: Path) -> None:
    first = Training(machine / "a", 1, 1)
    assert first.gpus() == "0"
    second = Training(machine / "b", 1, 1)
    holder = f"pid {first.process.pid}, folder {machine / 'a'}"
    assert second.said() == f"loramake: waiting for another training on this machine ({holder})."
    first.end()  # killed: its locks end with it
    assert second.gpus() == "0"
    second.end()


def test_trainings_on_different_gpus_do_not_wait_and_one_on_both_waits_for_both(machine: Path) -> None:
    first, second = Training(machine / "a", 2, 1), None
    assert first.gpus() == "0"
    second = Training(machine / "b", 2, 1)
    assert second.gpus() == "1"
    both = Training(machine / "c", 2, 2)
    assert len(re.findall(r"pid \d+, folder", both.said())) == 2
    first.end()
    assert f"(pid {second.process.pid}, folder {machine / 'b'})" in both.said()
    second.end()
    assert both.gpus() == "0 1"
    both.end()


def test_the_gpus_that_the_user_names_are_those_that_are_locked(machine: Path) -> None:
    first = Training(machine / "a", 1, 1, CUDA_VISIBLE_DEVICES="3")
    assert first.gpus() == "3"
    second = Training(machine / "b", 2, 1, CUDA_VISIBLE_DEVICES="3,GPU-f00/1")
    assert second.gpus() == "GPU-f00/1"
    for training in (first, second):
        training.end()


def test_slurm_hands_out_gpus_itself(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    with own_gpus(1) as gpus, own_gpus(1) as same:
        assert gpus == same == {"0": None}
    assert list(machine.iterdir()) == []


def test_without_gpus_nothing_is_locked(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with own_gpus(1) as gpus, own_gpus(1):
        assert gpus == {}
    assert list(machine.iterdir()) == []


def test_more_gpus_than_there_are_are_refused(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, 5")
    assert visible_gpus() == ["4", "5"]
    with (
        pytest.raises(TrainingError, match=r"gpus: 3, but this machine shows 2 \(4, 5\): set gpus to at most 2"),
        own_gpus(3),
    ):
        pass
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(TrainingError, match=r"gpus: 5000, but this machine has no GPU and \d+ CPUs"), own_gpus(5000):
        pass


def test_locks_are_not_made_where_somebody_else_could_lead_them(machine: Path) -> None:
    folder = machine / f"loramake-{os.getuid()}"
    (machine / "elsewhere").mkdir()
    folder.symlink_to(machine / "elsewhere")
    with pytest.raises(TrainingError, match="is not a folder that only you can write to"):
        lock_folder()
    folder.unlink()
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(TrainingError, match="is not a folder that only you can write to"):
        lock_folder()
    folder.chmod(0o700)
    assert lock_folder() == folder

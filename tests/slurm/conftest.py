"""A real SLURM on this machine, an experiment before its training, and runs that are watched line by line."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from tests.conftest import BIN, FAST, ROOT, snakemake

CLUSTER = str(ROOT / "tests/slurm/cluster.sh")
CANARY = "hf_CanaryOnTheCluster"
"""A secret in the environment of every run, and so of its jobs."""

CANNOT = 77
"""Exit code of cluster.sh where there can be no SLURM."""

ADAPTER = "results/exp/adapter/adapter_model.safetensors"
SHORT, LONG = 1, 60
"""Epochs: of a training that is waited for, and of one that is ended."""

_SECONDS = 240


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """SLURM with a node of 2 CPUs, 6000 MB and one GPU, and a second one in the partition `both`; skipped, with the
    reason, where it cannot be.
    """
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="the extra slurm is not installed")
    done = subprocess.run([CLUSTER, "start"], capture_output=True, text=True, check=False)
    if done.returncode == CANNOT:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    yield
    subprocess.run([CLUSTER, "stop"], check=True)


@pytest.fixture(autouse=True)
def idle(cluster: None) -> Iterator[None]:
    """Each test begins with a node that is up and a queue that is empty."""
    yield
    slurm("scancel", "--user=root")
    update_node("resume", check=False)
    for _ in range(60):
        if not slurm("squeue", "--noheader"):
            return
        time.sleep(1)


def slurm(*command: str, check: bool = True) -> str:
    """One of SLURM's commands, and what it prints."""
    return subprocess.run(command, capture_output=True, text=True, check=check).stdout


def update_node(state: str, check: bool = True) -> None:
    """Drain, down or resume."""
    node = slurm("sinfo", "--noheader", "--Node", "--format=%N").split()[0]
    slurm("scontrol", "update", f"nodename={node}", f"state={state}", "reason=test", check=check)


class Watched:
    """A run whose lines are waited for."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.lines: list[str] = []
        command = [str(BIN / "snakemake"), "--snakefile", str(ROOT / "Snakefile")]
        command += ["--workflow-profile", str(ROOT / "profiles/slurm"), "--profile", "profiles/cluster", *arguments]
        command += ["--slurm-init-seconds-before-status-checks", "3"]
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "NO_COLOR": "1", "HF_TOKEN": CANARY},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.lines.extend(line.rstrip() for line in self._process.stdout)

    def line(self, words: str, after: int = 0) -> str:
        """The first line with these words, waited for; fails where the run ends without it."""
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            has_ended = self._process.poll() is not None and not self._reader.is_alive()
            found = [line for line in list(self.lines) if words in line]
            if len(found) > after:
                return found[after]
            assert not has_ended, f"no line with {words!r} in:\n" + "\n".join(self.lines)
            time.sleep(0.5)
        raise AssertionError(f"no line with {words!r} in time in:\n" + "\n".join(self.lines))

    def ends(self) -> int:
        """Its exit code, waited for."""
        code = self._process.wait(timeout=_SECONDS)
        self._reader.join(timeout=10)
        return code

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def said(self) -> list[str]:
        """What loramake told of jobs."""
        return [line for line in self.lines if line.startswith("loramake: job ") or "SLURM does not take" in line]


@contextlib.contextmanager
def run(folder: Path, *arguments: str) -> Iterator[Watched]:
    """A run, ended whatever happens; what loramake said of its jobs is printed (pytest -s, or a failure)."""
    watched = Watched(folder, *arguments)
    try:
        yield watched
    finally:
        watched.interrupt()
        with contextlib.suppress(subprocess.TimeoutExpired):
            watched.ends()
        print("\n".join(watched.said()))


def write_config(folder: Path, epochs: int, *names: str, **settings: object) -> None:
    """config.yaml with an experiment of each name on a small table."""
    experiment = {"csv": "penguins.csv", "review": "approve", **FAST, "num_train_epochs": epochs, "save_steps": 5000}
    config = {**settings, "experiments": dict.fromkeys(names or ("exp",), experiment)}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


def make_folder(folder: Path) -> Path:
    """A working folder on a cluster: a table, the base, and the user's own file."""
    (folder / "profiles").mkdir(parents=True)
    shutil.copytree(ROOT / "profiles/cluster.example", folder / "profiles/cluster")
    shutil.copy(ROOT / "data/penguins.csv", folder)
    return folder


@pytest.fixture(scope="session")
def before_training(tmp_path_factory: pytest.TempPathFactory, cluster: None) -> Path:
    """A folder in which everything is made up to the training, none of it by a job."""
    folder = make_folder(tmp_path_factory.mktemp("slurm") / "before")
    write_config(folder, SHORT)
    with run(folder, "results/exp/review/config.json") as watched:
        assert watched.ends() == 0, "\n".join(watched.lines)
    assert queue() == []
    return folder


@pytest.fixture
def folder(before_training: Path, tmp_path: Path) -> Path:
    """A copy that a test may change; its training is a short one."""
    shutil.copytree(before_training, tmp_path / "folder", symlinks=True)
    return tmp_path / "folder"


@pytest.fixture
def trains_long(folder: Path) -> Path:
    """A copy whose training is still going on when it is ended."""
    write_config(folder, LONG)
    done = snakemake(folder, "results/exp/review/config.json")
    assert done.returncode == 0, done.stdout
    return folder


def wait_until(what: Callable[[], object], seconds: int = _SECONDS) -> None:
    """Wait for something to be true."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.5)


def files_with_the_secret(folder: Path) -> list[Path]:
    """Logs, results or anything else in a working folder in which a job left a secret of its environment."""
    return [path for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


def is_training(folder: Path) -> bool:
    """Whether a first loss is logged."""
    return any(path.stat().st_size > 0 for path in folder.glob("results/exp/.cache/training/*/trainer_log.jsonl"))


def has_logged(folder: Path, words: str) -> bool:
    """Whether the log of the training says so; Snakemake removes it when the job begins."""
    log = folder / "results/exp/logs/run_finetuning.log"
    return log.is_file() and words in log.read_text(encoding="utf-8")


def is_on_the_node(job: str) -> bool:
    """Whether a step of a job still runs or ends, whatever the controller thinks of its node."""
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    return any(line.startswith(f"slurmstepd: [{job}.") for line in lines)


def queue(states: str = "all") -> list[list[str]]:
    """The jobs that SLURM knows: number, state, comment."""
    lines = slurm("squeue", "--noheader", f"--states={states}", "--format=%i|%T|%k").splitlines()
    return [line.split("|") for line in lines]

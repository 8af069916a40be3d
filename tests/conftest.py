"""Real runs in folders of their own: what every workflow test needs."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # in the background; what the tests start would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

CORES = "1"
"""Of a run in a test: two tests run at once, and two trainings on two threads each would starve each other."""

FAST = {"num_train_epochs": 1, "lora_rank": 4, "lora_alpha": 8, "logging_steps": 2}
"""Settings for tests that need a training but no good one."""


def task_of(labels: list[str]) -> dict[str, object]:
    """task.json of synthetic rows with these labels."""
    binary = len(labels) == 2
    return {
        "target": "y",
        "task_type": "binary" if binary else "multiclass",
        "merge_labels": True,
        "labels": [{"value": label, "rows": 1, "spellings": []} for label in labels],
        "positive_label": labels[-1] if binary else None,
        "is_target_set": True,
        "reason": "said so",
        "rows": {"with_target": 1, "without_target": 0, "with_rare_label": 0},
        "group_column": None,
        "time_column": None,
        "feedback": {"keep": [], "drop": [], "unread_notes": 0},
        "test_header": None,
        "by": {"provider": "builtin", "model": None},
    }


def make_workplace(folder: Path, csv: Path | None = None, **settings: object) -> Path:
    """A folder to run the workflow in: one experiment `exp`, the base model beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "models").exists():
        (folder / "models").symlink_to(ROOT / "models")
    experiment = {"review": "approve", **({} if csv is None else {"csv": str(csv)}), **FAST, **settings}
    (folder / "config.yaml").write_text(yaml.safe_dump({"experiments": {"exp": experiment}}), encoding="utf-8")
    return folder


def snakemake(folder: Path, *arguments: str, timeout: int = 600) -> subprocess.CompletedProcess[str]:
    """Run Snakemake there, in a process of its own forked from one that has imported it: most of the time of a plan."""
    output = folder.parent / f"{folder.name}.{os.getpid()}.output"
    arguments = ("--snakefile", str(ROOT / "Snakefile"), "--cores", CORES, *arguments)
    process = _FORKS.Process(target=_run_snakemake, args=(folder, arguments, {**os.environ, "NO_COLOR": "1"}, output))
    process.start()
    process.join(timeout)
    if process.exitcode is None:
        process.terminate()
        process.join()
        raise subprocess.TimeoutExpired(["snakemake", *arguments], timeout, output.read_bytes())
    printed = output.read_text(encoding="utf-8")
    output.unlink()
    return subprocess.CompletedProcess(["snakemake", *arguments], process.exitcode, printed)


_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__, "snakemake.cli", "loramake.workflow.preflight", "loramake.llm.models"])


def _run_snakemake(folder: Path, arguments: Sequence[str], environment: dict[str, str], output: Path) -> None:
    """What the command does, with its output in a file."""
    from snakemake.cli import main

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    with output.open("wb") as printed, Path(os.devnull).open("rb") as nothing:
        for descriptor, stream in enumerate((nothing, printed, printed)):
            os.dup2(stream.fileno(), descriptor)
    sys.argv = ["snakemake", *arguments]
    main()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workplace in which the whole workflow ran on penguins.csv: three classes, missing values. Do not change it.

    The processes of one test run (pytest-xdist) share it: the first to want it makes it.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    with FileLock(f"{folder}.lock"):
        if not (folder / "results/exp/evaluation/results.json").exists():
            make_workplace(folder, Path("penguins.csv"))
            shutil.copy(ROOT / "data/penguins.csv", folder)
            done = snakemake(folder, "results/exp/evaluation/results.json")
            assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture
def copy_of_finished(finished: Path, tmp_path: Path) -> Callable[[], Path]:
    """Gives a copy of the finished workplace that a test may change."""

    def copy() -> Path:
        shutil.copytree(finished, tmp_path / "copy", symlinks=True)
        return tmp_path / "copy"

    return copy

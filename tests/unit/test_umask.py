"""Files may be read by whom the umask lets: rows and answers are private where the user works with 077."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loramake import artifacts
from loramake.experiments import CommandLine, write_command_line
from loramake.plots.figure import figure
from loramake.private_folder import private_folder
from loramake.review.approval import Approval, Question
from loramake.review.changes import Change, FeedbackContext, save_feedback
from loramake.sandbox import choose_sandbox
from loramake.serving.resumable import resumable_file

RECORD = {"instruction": "i", "input": "a private cell", "output": "y", "row": 0, "source": "csv"}
SCRIPT = "import sys\na = dict(zip(sys.argv[1::2], sys.argv[2::2]))\nopen(a['--out'], 'w').write('[]')\n"


@pytest.fixture(params=[0o077, 0o027, 0o022])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def write_approvals(folder: Path) -> None:
    known = FeedbackContext([], [], reads_notes=False)
    question = Question("data", [folder / "records.json"], known, {"approve": {"balance": "none"}})
    artifacts.write(folder / "records.json", [RECORD], "records")
    Approval(question, folder / "review/data.json", {}, folder / "approvals.jsonl").decide("approve")


def copy_atomically(folder: Path) -> None:
    private = folder / "adapter.safetensors"
    private.write_bytes(b"x")
    with artifacts.atomic(folder / "out/adapter.safetensors") as temporary:
        shutil.copyfile(private, temporary)


def grow(folder: Path) -> None:
    with resumable_file(folder / "predictions.csv", {}) as grown:
        grown.append("a private cell\n", 1)
        assert_private(folder)


def grow_and_stop(folder: Path) -> None:
    with contextlib.suppress(KeyboardInterrupt), resumable_file(folder / "predictions.csv", {}) as grown:
        grown.append("a private cell\n", 1)
        raise KeyboardInterrupt


def run_a_script(folder: Path) -> None:
    (folder / "script.py").write_text(SCRIPT)
    choose_sandbox("auto", "builtin").run(folder / "script.py", {}, {"out": folder / "made/out.json"})


def draw(folder: Path) -> None:
    with figure(folder / "plot.svg", 1, 1):
        pass


def work_in_a_rows_folder(folder: Path) -> None:
    with private_folder(folder) as private:
        (private / "rows.csv").write_text("a private cell")
        assert_private(folder)


WRITERS: dict[str, Callable[[Path], object]] = {
    "an artifact": lambda folder: artifacts.write(folder / "records.json", [RECORD], "records"),
    "a text": lambda folder: artifacts.write_text(folder / "deep/report.html", "x"),
    "an adapter": copy_atomically,
    "approvals": write_approvals,
    "predictions": grow,
    "predictions that stopped": grow_and_stop,
    "what a script made": run_a_script,
    "a plot": draw,
    "rows that are worked on": work_in_a_rows_folder,
    "feedback": lambda folder: save_feedback([Change("plan", "drop", ["a"])], folder),
}


def assert_private(folder: Path) -> None:
    """Everything below has the umask's mode, or less."""
    mask = os.umask(0)
    os.umask(mask)
    for path in folder.rglob("*"):
        mode = path.stat().st_mode & 0o777
        assert mode & mask == 0, f"{path} has the mode {mode:o} under the umask {mask:o}"


@pytest.mark.parametrize("writer", WRITERS)
def test_no_file_may_be_read_by_more_than_the_umask_lets(writer: str, umask: int, tmp_path: Path) -> None:
    WRITERS[writer](tmp_path)
    assert_private(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "script.py"]
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o666 & ~umask, path


def test_the_command_line_is_kept_with_the_umasks_mode(
    umask: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_command_line("exp", CommandLine({"csv": "a.csv"}, []))
    assert_private(tmp_path)

"""A finished run is kept whole, or not at all."""

import json
import shutil
from pathlib import Path

import pytest

from loramake import artifacts, layout
from loramake.errors import ConfigError
from loramake.experiments import find_experiments, find_run, name_run
from loramake.workflow import archive as module
from loramake.workflow.archive import archive

FOLDER = Path("results/exp")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run whose files are words, signed by results.json."""
    monkeypatch.chdir(tmp_path)
    for name, file in layout.FILES.items():
        file.within(FOLDER).parent.mkdir(parents=True, exist_ok=True)
        file.within(FOLDER).write_text(name)
    paths = [file.within(FOLDER) for file in layout.FILES.values() if file is not layout.RESULTS]
    signed = {"artifacts": {str(path): artifacts.sha256(path) for path in paths}}
    layout.RESULTS.within(FOLDER).write_text(json.dumps(signed))
    monkeypatch.setattr(module, "read_artifact", lambda folder, file: json.loads(file.within(folder).read_text()))
    return FOLDER


def test_a_kept_run_has_every_file_but_the_prepared_rows(run: Path) -> None:
    kept = archive(run)
    absent = {name for name, file in layout.FILES.items() if not file.within(kept).is_file()}
    assert absent == {"all_data", "train", "validation", "calibration", "test", "balanced"}
    assert layout.ADAPTER.within(kept).read_text() == "adapter"
    assert archive(run) == kept
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_a_kept_run_is_found_by_its_name_and_is_no_experiment(run: Path) -> None:
    kept = archive(run)
    assert find_experiments() == ["exp"]
    for name in (name_run(kept), str(kept)):
        assert find_run(name) == kept
    assert name_run(kept) == f"exp/runs/{kept.name}"
    with pytest.raises(ConfigError, match=f"results/exp/runs/2 does not exist: kept are {kept.name}"):
        find_run("exp/runs/2")


def test_a_copy_that_fails_or_is_killed_leaves_no_run_that_looks_whole(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_up(*_: object) -> None:
        raise OSError(28, "No space left on device")

    killed = run / "runs/.incomplete-2026-11-29T10-00-00Z"
    killed.mkdir(parents=True)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copy2", fill_up)
        with pytest.raises(ConfigError, match=r"cannot be written \(No space left on device\): make room"):
            archive(run)
    assert list((run / "runs").iterdir()) == []


@pytest.mark.parametrize("is_deleted", [True, False])
def test_a_run_that_has_lost_a_file_since_is_refused(run: Path, is_deleted: bool) -> None:
    layout.ADAPTER.within(run).write_text("of another training")
    if is_deleted:
        layout.ADAPTER.within(run).unlink()
    with pytest.raises(ConfigError, match=r"adapter_model\.safetensors is not the one of the finished run any more"):
        archive(run)
    assert not (run / "runs").exists()

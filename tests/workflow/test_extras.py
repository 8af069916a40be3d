"""What is not installed is said before the first step, with the command that installs it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import BIN, ROOT, make_workplace


@pytest.fixture
def without_training(tmp_path: Path) -> dict[str, str]:
    """The environment of a Python that has no LlamaFactory."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden/sitecustomize.py").write_text('import sys\n\nsys.modules["llamafactory"] = None\n')
    path = os.pathsep.join(filter(None, [str(tmp_path / "hidden"), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "NO_COLOR": "1", "PYTHONPATH": path}


def snakemake(folder: Path, environment: dict[str, str], target: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "snakemake"), "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", target]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_a_training_without_its_packages_is_refused_before_the_first_step_and_planning_is_not(
    tmp_path: Path, without_training: dict[str, str]
) -> None:
    folder = make_workplace(tmp_path / "place", Path("penguins.csv"))
    shutil.copy(ROOT / "data/penguins.csv", folder)
    refused = snakemake(folder, without_training, "results/exp/evaluation/results.json")
    assert refused.returncode == 1
    assert "loramake: the training needs LlamaFactory, which is not installed: " in refused.stderr
    assert "-m pip install -e " in refused.stderr
    assert not (folder / "results/exp").exists()
    assert snakemake(folder, without_training, "results/exp/profile.json").returncode == 0

"""The wheel in a virtual environment of its own: the workflow is found inside the package."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.conftest import CORES, ROOT

LARGEST = 25 * 10**6


def call(*command: str | Path, folder: Path) -> str:
    environment = {**os.environ, "NO_COLOR": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel itself, and borrows what it needs from this one's.

    The dependencies (6 GB) are named by a .pth file, which comes after the environment's own packages.
    """
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, folder=folder)
    (wheel,) = folder.glob("loramake-*.whl")
    assert wheel.stat().st_size < LARGEST
    call(sys.executable, "-m", "venv", "--without-pip", folder / "env", folder=folder)
    python = folder / "env/bin/python"
    target = call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).strip()
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
    call(*pip, wheel, folder=folder)
    (Path(target) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for program in ("snakemake", "llamafactory-cli"):
        script = (Path(sys.executable).parent / program).read_text()
        (python.parent / program).write_text(script.replace(sys.executable, str(python), 1))
        (python.parent / program).chmod(0o755)
    return python.parent


def test_a_run_away_from_the_repository_uses_the_workflow_of_the_package(installed: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "data/penguins.csv", tmp_path)
    (tmp_path / "config.yaml").write_text("sandbox: none\n")  # the sandbox shows no borrowed packages
    where = "import loramake, loramake.paths; print(loramake.__file__, loramake.paths.ROOT)"
    for place in call(installed / "python", "-c", where, folder=tmp_path).split():
        assert place.startswith(str(installed.parent))
    assert "compare" in call(installed / "loramake", "--help", folder=tmp_path)
    run = [installed / "loramake", "run", "--csv", "penguins.csv", "--review", "approve", "--cores", CORES]
    done = call(*run, "--epochs", "1", "--lora-rank", "4", folder=tmp_path)
    assert re.search(r"✓ (\d+)/\1 summarize_results ", done)
    results = tmp_path / "results/penguins"
    config = (results / "configs/train.yaml").read_text(encoding="utf-8")
    assert "model_name_or_path: models/tiny\n" in config  # the built-in base has a name, wherever loramake is installed
    assert str(installed.parent) not in config
    predicted = call(installed / "loramake", "predict", "penguins", "--csv", "penguins.csv", folder=tmp_path)
    assert predicted.count("\n") >= 345
    assert call(installed / "loramake", "report", "penguins", "--no-open", folder=tmp_path).endswith("report.html\n")

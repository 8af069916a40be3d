"""A cluster that is not there: refused before the first step, and not after the last review."""

import os
import subprocess
from pathlib import Path

import pytest

from loramake.workflow.slurm.queue import COMMANDS
from tests.conftest import BIN, ROOT, make_workplace

SENTENCE = "loramake: SLURM does not answer `sinfo`: run on a login node, or wait until it is up."


@pytest.fixture
def silent_slurm(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine that has SLURM's commands and no SLURM."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in COMMANDS:
        (programs / name).write_text("#!/bin/sh\nexit 1\n")
        (programs / name).chmod(0o755)
    return {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}


@pytest.mark.parametrize("front_door", ["snakemake", "loramake"])
def test_a_cluster_that_does_not_answer_is_refused_before_the_first_step(
    tmp_path: Path, silent_slurm: dict[str, str], front_door: str
) -> None:
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="the extra slurm is not installed")
    folder = make_workplace(tmp_path / "work", ROOT / "data/penguins.csv")
    commands = {
        "snakemake": [
            "-s",
            ROOT / "Snakefile",
            "--workflow-profile",
            ROOT / "profiles/slurm",
            "results/exp/profile.json",
        ],
        "loramake": ["run", "--name", "exp", "--profile", "slurm"],
    }
    command = [BIN / front_door, *commands[front_door]]
    done = subprocess.run(command, cwd=folder, env=silent_slurm, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert SENTENCE in done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert not (folder / "results/exp/profile.json").exists()

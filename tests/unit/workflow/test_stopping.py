"""Ctrl-C in the process of Snakemake, and in the command around it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from loramake.console import STOPPED
from tests.conftest import ROOT

SNAKEMAKE = """
import logging, signal, sys
from loramake.workflow.stopping import stop_in_one_sentence
screen = logging.StreamHandler()
logging.getLogger().addHandler(screen)
stop_in_one_sentence([screen])
logging.warning("a job begins")
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    signal.raise_signal(signal.SIGINT)  # a second one, while jobs end
    logging.error("RuleException")
    raise
logging.warning("the run goes on")
"""


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if name != STOPPED} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SNAKEMAKE]
    (folder / ".snakemake").mkdir()
    return subprocess.run(
        command, cwd=folder, env=known | environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_ctrl_c_is_one_sentence_with_nothing_of_snakemakes_behind_it(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.stderr == "a job begins\nloramake: stopped by you; run the same command to continue.\n"
    assert done.returncode != 0
    assert list((tmp_path / ".snakemake").iterdir()) == []


def test_a_run_in_the_background_goes_on_ignoring_ctrl_c_unless_it_is_loramakes_own(tmp_path: Path) -> None:
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        (tmp_path / "one").mkdir()
        (tmp_path / "other").mkdir()
        assert "the run goes on" in run(tmp_path / "one").stderr
        assert "stopped by you" in run(tmp_path / "other", **{STOPPED: ""}).stderr
    finally:
        signal.signal(signal.SIGINT, previous)

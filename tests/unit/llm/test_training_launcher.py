"""torchrun's processes save what they have when the launcher is asked to end, and its exit code says so."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loramake.llm.training_process import TERMINATED
from tests.conftest import ROOT

WORKER = """
import os, signal, sys, time
from pathlib import Path
rank = os.environ["RANK"]
def save(*_):
    time.sleep(1)
    Path(f"saved-{rank}").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
Path(f"ready-{rank}").touch()
while True:
    time.sleep(0.1)
"""


def test_processes_save_before_the_launcher_ends(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the training extra")
    (tmp_path / "worker.py").write_text(WORKER)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "loramake.llm.training_launcher", "--nnodes=1", "--nproc-per-node=2"]
    command += ["--master-addr=127.0.0.1", f"--master-port={port}", "worker.py"]
    launcher = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    while launcher.poll() is None and len(list(tmp_path.glob("ready-*"))) < 2:
        time.sleep(0.1)
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait() == TERMINATED
    assert sorted(path.name for path in tmp_path.glob("saved-*")) == ["saved-0", "saved-1"]

import json
import os
import subprocess
import sys

import pytest

from loramake.threads import available_cpus, sleeping_threads

SEEN = """
import json, os
from loramake.llm.extra import import_training
torch = import_training("torch")
print(json.dumps([os.environ["OMP_WAIT_POLICY"], os.environ["GOMP_SPINCOUNT"], torch.get_num_threads()]))
"""


def seen(**variables: str) -> list[str | int]:
    """What a process of its own, with these variables, has after its import of torch."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "SLURM_"))}
    done = subprocess.run(
        [sys.executable, "-c", SEEN], env=mine | variables, capture_output=True, text=True, check=True
    )
    shown: list[str | int] = json.loads(done.stdout)
    return shown


def test_threads_of_torch_sleep_while_they_wait_unless_the_user_says_otherwise() -> None:
    assert seen()[:2] == ["PASSIVE", "0"]
    assert seen(OMP_WAIT_POLICY="ACTIVE", GOMP_SPINCOUNT="7")[:2] == ["ACTIVE", "7"]
    assert sleeping_threads({"OMP_WAIT_POLICY": "ACTIVE"}) == {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "0"}


def test_torch_has_no_more_threads_than_the_job_was_given() -> None:
    assert seen(SLURM_CPUS_PER_TASK="1")[2] == 1


@pytest.mark.parametrize(("given", "cpus"), [("1", 1), ("100000", None), ("0", None), ("many", None), ("", None)])
def test_a_slurm_job_has_the_cpus_it_was_given(monkeypatch: pytest.MonkeyPatch, given: str, cpus: int | None) -> None:
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    usable = available_cpus()
    assert 1 <= usable <= len(os.sched_getaffinity(0))
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", given)
    assert available_cpus() == (cpus or usable)


def test_affinity_counts() -> None:
    command = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
    command += "from loramake.threads import available_cpus; print(available_cpus())"
    mine = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    done = subprocess.run([sys.executable, "-c", command], env=mine, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"

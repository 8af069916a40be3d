"""What a user sees of jobs on a real SLURM: waiting, refused, cancelled, too large; cheap enough for every change.

`make test-slurm` runs these and the slow ones of test_slow.py.
"""

import re
from pathlib import Path

from tests.slurm.conftest import (
    ADAPTER,
    files_with_the_secret,
    has_logged,
    is_training,
    queue,
    run,
    slurm,
    update_node,
    wait_until,
)


def test_a_job_that_no_node_fits_says_so_at_once(folder: Path) -> None:
    with run(folder, ADAPTER, "--set-threads", "run_finetuning=8") as watched:
        said = watched.line("cannot start (PartitionConfig)")
    assert "8 CPUs" in said
    assert "its largest node has 2 CPUs, 6000 MB of memory, gpu:1" in said
    assert "set threads, mem_mb or gpu of run_finetuning in your own cluster file" in said
    wait_until(lambda: queue("PENDING,RUNNING") == [])  # Ctrl-C takes it back


def test_a_job_that_slurm_does_not_take_says_why_and_is_not_tried_again(folder: Path) -> None:
    with run(folder, ADAPTER, "--set-resources", "run_finetuning:constraint=a100") as watched:
        said = watched.line("SLURM does not take the job (Invalid feature specification)")
        assert watched.ends() != 0
    assert "set constraint in your own cluster file" in said
    assert watched.said() == [said]


def test_a_drained_node_and_scancel_are_told_and_the_training_resumes(trains_long: Path) -> None:
    update_node("drain")
    with run(trains_long, ADAPTER) as watched:
        assert "its nodes are down, drained or reserved" in watched.line("waits (")
        update_node("resume")
        started = watched.line("started on")
        wait_until(lambda: is_training(trains_long))
        job = re.findall(r"job (\d+)", started)[0]
        slurm("scancel", job)
        said = watched.line("cancelled (scancel)")
        assert watched.ends() != 0
    assert re.search(r"its log is .*/rule_run_finetuning/exp/\d+\.log; the run stops here", said)
    assert re.search(r"resumes from checkpoint-\d+\.$", said)  # SIGTERM, which scancel sends first, saved it
    assert len([line for line in watched.said() if "submitted to" in line]) == 1
    assert files_with_the_secret(trains_long) == []
    checkpoint = re.findall(r"checkpoint-\d+", said)[-1]
    with run(trains_long, ADAPTER) as watched:
        watched.line("started on")
        wait_until(lambda: has_logged(trains_long, f"resuming from {checkpoint}."))


def test_too_little_memory_is_told_and_submitted_again_with_more(folder: Path) -> None:
    with run(folder, ADAPTER, "--set-resources", "run_finetuning:mem_mb=400 * attempt ** 3") as watched:
        said = watched.line("used more than 400 MB of memory")
        assert "it is submitted again with more memory" in said
        assert "3200 MB of memory" in watched.line("submitted to", after=1)

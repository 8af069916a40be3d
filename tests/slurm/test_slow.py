"""What takes minutes on a real SLURM: time limits, preemption, a lost node, two experiments, groups.

`make test-slurm` runs it.
"""

import re
import shutil
import time
from pathlib import Path

import pytest

from tests.slurm.conftest import (
    ADAPTER,
    LONG,
    SHORT,
    has_logged,
    is_on_the_node,
    is_training,
    queue,
    run,
    slurm,
    update_node,
    wait_until,
    write_config,
)

pytestmark = pytest.mark.slow

REQUEUE_AT_ONCE = "StartTime=now"
"""SLURM waits two minutes before it starts a requeued job again."""


def test_before_the_time_limit_a_checkpoint_is_saved_and_more_time_is_asked_for(trains_long: Path) -> None:
    asked = ["run_finetuning:runtime=2 * attempt", "run_finetuning:slurm_extra='--signal=TERM@30'"]
    with run(trains_long, ADAPTER, "--set-resources", *asked) as watched:
        assert "2 min)" in watched.line("submitted to")
        said = watched.line("asked to end shortly before its time limit of 2 min")
        assert re.search(r"it is submitted again with more time and resumes from checkpoint-\d+", said)
        assert "4 min)" in watched.line("submitted to", after=1)


def test_a_time_limit_without_a_warning_is_told(trains_long: Path) -> None:
    asked = ["run_finetuning:runtime=1", "run_finetuning:slurm_extra='--kill-on-invalid-dep=yes'"]
    with run(trains_long, ADAPTER, "--retries", "0", "--set-resources", *asked) as watched:
        said = watched.line("time limit of")
        assert watched.ends() != 0
    assert "the run stops here" in said


@pytest.mark.parametrize(
    ("lose", "sentence"),
    [
        (lambda: slurm("sbatch", "--partition=urgent", "--gpus=1", "--mem=100", "--output=/dev/null", "--wrap=sleep 5"),
         "preempted by a job of a higher priority"),
        (lambda: update_node("down"), "its node failed"),
    ],
    ids=["preempted", "node down"],
)  # fmt: skip
def test_a_job_that_slurm_requeues_says_why_and_its_training_resumes(
    trains_long: Path, lose: object, sentence: str
) -> None:
    with run(trains_long, ADAPTER) as watched:
        job = re.findall(r"job (\d+)", watched.line("started on"))[0]
        wait_until(lambda: is_training(trains_long))
        time.sleep(5)
        lose()  # type: ignore[operator]
        said = watched.line("SLURM has put it back into the queue")
        assert sentence in said
        wait_until(lambda: not is_on_the_node(job))  # or SLURM holds the job and drains the node: "launch failed"
        update_node("resume", check=False)
        wait_until(lambda: slurm("squeue", "--noheader", "--name=wrap") == "")
        wait_until(lambda: slurm("squeue", "--noheader", "--states=PENDING", f"--jobs={job}"))
        slurm("scontrol", "update", f"JobId={job}", REQUEUE_AT_ONCE)
        watched.line("started on", after=1)
        resumed = re.findall(r"checkpoint-\d+", said)  # none where the node was lost without SIGTERM
        again = f"resuming from {resumed[0]}." if resumed else "INFO training on"
        wait_until(lambda: has_logged(trains_long, again))
    assert len([line for line in watched.said() if "submitted to" in line]) == 1


def test_two_experiments_never_train_at_once_on_one_gpu(folder: Path) -> None:
    write_config(folder, 1, "a", "b")
    targets = [f"results/{name}/adapter/adapter_model.safetensors" for name in ("a", "b")]
    with run(folder, *targets) as watched:
        watched.line("waits (Resources)")
        most = 0
        while len([line for line in watched.lines if "finished on" in line]) < 2:
            most = max(most, len(queue("RUNNING")))
            time.sleep(1)
        assert watched.ends() == 0
    assert most == 1
    assert all((folder / target).exists() for target in targets)


def test_small_rules_are_grouped_where_that_is_asked_for(folder: Path) -> None:
    shutil.rmtree(folder / "results")
    write_config(folder, 1, small_rules="grouped")
    with run(folder, "results/exp/review/config.json") as watched:
        assert watched.ends() == 0, "\n".join(watched.lines)
    names = [re.findall(r"job \d+, (.*?):", line)[0] for line in watched.said() if "finished on" in line]
    assert names == ["prepare", "balance", "configure"]


def test_a_training_on_two_nodes_has_a_process_on_each_and_resumes_with_more_time(folder: Path) -> None:
    use_both_nodes(folder, LONG, nodes=2)
    asked = ["run_finetuning:runtime=2 * attempt", "run_finetuning:slurm_extra='--signal=TERM@30 --gpus-per-node=1'"]
    with run(folder, ADAPTER, "--set-resources", *asked) as watched:
        assert "submitted to both (2 GPUs, 4 CPUs" in watched.line("submitted to")
        said = watched.line("asked to end shortly before its time limit of 2 min")
        checkpoint = re.findall(r"more time and resumes from (checkpoint-\d+)", said)[0]
        watched.line("submitted to", after=1)
        wait_until(lambda: has_logged(folder, f"resuming from {checkpoint}."))
        wait_until(lambda: has_logged(folder, "Process rank: 1, world size: 2"))


ON_CPUS = ["run_finetuning:gpu=0", "run_finetuning:slurm_extra='--signal=TERM@120'"]


@pytest.mark.parametrize(
    ("processes", "asked", "submitted", "nodes"),
    [
        ({"nodes": 2}, [], "2 GPUs, 4 CPUs", [2, 1]),
        ({"nodes": 2}, ["--set-resources", *ON_CPUS], "4 CPUs", [2, 1]),
        ({"gpus": 2}, [], "2 GPUs, 2 CPUs", [1, 1]),
    ],
    ids=["two nodes", "two nodes, CPUs", "two GPUs"],
)
def test_an_adapter_that_two_processes_trained_predicts_on_one_gpu(
    folder: Path, processes: dict[str, int], asked: list[str], submitted: str, nodes: list[int]
) -> None:
    use_both_nodes(folder, SHORT, **processes)
    with run(folder, "results/exp/predictions/test.jsonl", *asked) as watched:
        assert watched.ends() == 0, "\n".join(watched.lines)
    assert f"submitted to both ({submitted}, " in watched.line("run_finetuning (exp): submitted to")
    started = [re.findall(r"started on (\S+) after", line) for line in watched.said() if "started on" in line]
    assert [names[0].count(",") + 1 for names in started] == nodes
    assert has_logged(folder, "training in 2 processes, 16 rows a step.")
    assert has_logged(folder, "Process rank: 1, world size: 2")


def use_both_nodes(folder: Path, epochs: int, **processes: int) -> None:
    """Have a folder train in more than one process, in the partition of both nodes."""
    write_config(folder, epochs, **processes)
    own = folder / "profiles/cluster/config.yaml"
    own.write_text(own.read_text(encoding="utf-8").replace("slurm_partition: gpu", "slurm_partition: both"))

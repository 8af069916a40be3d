"""What SLURM said on a real cluster (22.05, one node), and what a user is told of it."""

import inspect
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from loramake.config import check_config
from loramake.errors import ConfigError
from loramake.llm.training_process import ASKED_TO_END
from loramake.workflow.run import profile_options
from loramake.workflow.slurm import fit, follower, sentences
from loramake.workflow.slurm.queue import (
    COMMANDS,
    TERMINATED,
    Details,
    Job,
    Node,
    check_cluster,
    duration,
    largest_node,
    last_sentence,
    parse_details,
    parse_jobs,
    parse_nodes,
    read_nodes,
    seconds_of,
    true_state,
)
from tests.conftest import ROOT

SCONTROL = """JobId=11 JobName=5e71549c-cd4c-4ef0-a3d2-f4a3c3b4f1a2
   UserId=root(0) GroupId=root(0) MCS_label=N/A
   Priority=4294901749 Nice=0 Account=(null) QOS=(null)
   JobState=FAILED Reason=NonZeroExitCode Dependency=(null)
   Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=1:0
   RunTime=00:00:35 TimeLimit=04:00:00 TimeMin=N/A
   PreemptEligibleTime=2026-11-28T18:55:28 PreemptTime=None
   Partition=gpu AllocNode:Sid=localhost:19574
   ReqNodeList=(null) ExcNodeList=(null)
   NodeList=vm
   TRES=cpu=2,mem=6000M,node=1,billing=2
   Command=(null)
   WorkDir=/home/ada/my run
   Comment=rule_run_finetuning_wildcards_exp 
   StdErr=/home/ada/my run/.snakemake/slurm_logs/rule_run_finetuning/exp/11.log
   StdOut=/home/ada/my run/.snakemake/slurm_logs/rule_run_finetuning/exp/11.log
   Power=
   TresPerJob=gres:gpu:1
"""
JOB = Job("11", "RUNNING", "None", "vm", "run_finetuning", "exp")
DETAILS = parse_details(SCONTROL)
NODE = Node("gpu", True, 2, 6000, 480, "gpu:1", "idle")


def test_a_job_is_read_from_scontrol_without_an_accounting_database() -> None:
    log = "/home/ada/my run/.snakemake/slurm_logs/rule_run_finetuning/exp/11.log"
    assert (DETAILS.state, DETAILS.node, DETAILS.log, DETAILS.seconds, DETAILS.limit) == (
        "FAILED",
        "vm",
        log,
        35,
        14400,
    )
    assert DETAILS.wants == "1 GPU, 2 CPUs, 6000 MB of memory, 4 h"
    assert replace(DETAILS, gpus="2").wants.startswith("2 GPUs, ")
    assert parse_details("") == Details()


def test_the_queue_names_rules_and_experiments() -> None:
    lines = ["12|PENDING|Resources||rule_run_finetuning_wildcards_my-exp", "13|RUNNING|None|vm|rule_prepare"]
    assert [job.name for job in parse_jobs(lines)] == ["run_finetuning (my-exp)", "prepare"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0:26", 26), ("00:01:00", 60), ("8:00:00", 28800), ("2-00:00:01", 172801), ("UNLIMITED", None), ("", None)],
)
def test_times_are_read(text: str, seconds: int | None) -> None:
    assert seconds_of(text) == seconds


def test_durations_are_short() -> None:
    assert [duration(seconds) for seconds in (82, 300, 14400, 9000)] == ["82 s", "5 min", "4 h", "2.5 h"]


def test_a_job_asks_for_what_the_largest_node_with_a_gpu_has(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "cpu*|64|256000|1-00:00:00|(null)|idle",
        "gpu|4|16000|4:00:00|gpu:a100:1(S:0)|mixed",
        "gpu|2|8000|4:00:00|gpu:1|idle",
    ]
    nodes = parse_nodes(lines)
    monkeypatch.setattr(fit, "read_nodes", lambda: nodes)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    fit._largest.cache_clear()
    assert (fit.fitting_cpus(8, "gpu", True), fit.fitting_memory(32_000, "gpu", True)) == (4, 16_000)
    assert (fit.fitting_minutes(480, "gpu", True), fit.fitting_minutes(60, "gpu", True)) == (240, 60)
    assert fit.fitting_cpus(8, None, False) == 8
    assert largest_node(nodes, None, needs_gpu=True) == nodes[0]  # the default partition has no GPU
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert fit.fitting_cpus(8, "gpu", True) == 3
    fit._largest.cache_clear()


def test_without_slurm_a_job_asks_for_what_it_would_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "read_nodes", list)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    fit._largest.cache_clear()
    assert (fit.fitting_cpus(8, None, True), fit.fitting_memory(9, None, True), fit.fitting_minutes(7, None, True)) == (
        8,
        9,
        7,
    )
    fit._largest.cache_clear()


@pytest.mark.parametrize(
    ("reason", "never", "words"),
    [
        ("PartitionConfig", True,
         ["cannot start (PartitionConfig)", "which partition gpu never gives", "2 CPUs, 6000 MB", "set threads"]),
        ("PartitionTimeLimit", True, ["never gives", "set runtime of run_finetuning"]),
        ("JobHeldUser", True, ["`scontrol release 11`"]),
        ("QOSMaxWallDurationPerJobLimit", True, ["set runtime of"]),
        ("QOSMaxGRESPerUser", False, ["your share of the cluster is in use"]),
        ("Resources", False, ["waits (Resources)", "1 GPU, 2 CPUs"]),
        ("Priority", False, ["other jobs come first"]),
        ("ReqNodeNotAvail, UnavailableNodes:vm", False, ["down, drained or reserved", "sinfo -R"]),
        ("Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions", False,
         ["sinfo -R"]),
        ("SomethingNew", False, ["waits (SomethingNew)"]),
    ],
)  # fmt: skip
def test_a_waiting_job_says_why_and_what_to_do(reason: str, never: bool, words: list[str]) -> None:
    said = sentences.pending(replace(JOB, state="PENDING", reason=reason), DETAILS, NODE)
    assert sentences.can_never_run(reason) == never
    assert said.startswith("job 11, run_finetuning (exp): ")
    for word in words:
        assert word in said
    assert "{" not in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("Requested node configuration is not available", "no node has what it asks for (its largest node has 2 CPUs"),
        ("Invalid generic resource (gres) specification", "run_finetuning:gpu=0"),
        ("Invalid feature specification", "set constraint"),
        ("Requested time limit is invalid (missing or exceeds some limit)", "set runtime"),
        ("Invalid account or account/partition combination specified", "set slurm_account"),
        ("invalid partition specified: gpus", "set slurm_partition"),
        ("Something new", "(Something new)"),
    ],
)
def test_a_refused_job_says_slurms_words_and_what_to_do(words: str, sentence: str) -> None:
    said = sentences.refused("run_finetuning", f"sbatch: error: Batch job submission failed: {words}", NODE)
    assert said.startswith(f"run_finetuning: SLURM does not take the job ({words}): ")
    assert sentence in said


@pytest.mark.parametrize(
    ("state", "log", "true"),
    [
        ("FAILED", "error: StepId=9.0 exceeded memory limit (1072738304 > 1048576000), being killed", "OUT_OF_MEMORY"),
        ("FAILED", "error: Detected 1 oom_kill event in StepId=1.0. Some of the step tasks …", "OUT_OF_MEMORY"),
        ("FAILED", "error: *** STEP 9.0 ON vm CANCELLED AT 2026-11-28T18:49:58 DUE TO TIME LIMIT ***", "TIMEOUT"),
        ("FAILED", f"loramake: {ASKED_TO_END} the next run resumes from checkpoint-21.", TERMINATED),
        ("CANCELLED", f"loramake: {ASKED_TO_END} the next run resumes from checkpoint-21.", "CANCELLED"),
        ("FAILED", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", "FAILED"),
        ("FAILED", "", "FAILED"),
    ],
)  # fmt: skip
def test_how_a_job_ended_is_read_from_its_log_where_slurm_only_knows_that_it_failed(
    state: str, log: str, true: str
) -> None:
    assert true_state(state, log) == true


@pytest.mark.parametrize(
    ("state", "again", "words"),
    [
        ("TIMEOUT", True,
         ["ended by its time limit of 4 h on vm after 35 s", "again with more time and resumes from checkpoint-20"]),
        (TERMINATED, True, ["asked to end shortly before its time limit", "with more time"]),
        ("OUT_OF_MEMORY", True, ["used more than 6000 MB of memory", "submitted again with more memory"]),
        ("CANCELLED", False, ["cancelled (scancel)", "the run stops here", "resumes from checkpoint-20"]),
        ("NODE_FAIL", True, ["its node failed", "submitted again and resumes"]),
        ("FAILED", False, ["failed: the GPU's memory is too small, on vm", "the run stops here"]),
    ],
)  # fmt: skip
def test_a_lost_job_says_why_where_its_log_is_and_what_follows(state: str, again: bool, words: list[str]) -> None:
    said = sentences.ended(replace(JOB, state=state), DETAILS, "the GPU's memory is too small.", "checkpoint-20", again)
    for word in [*words, f"its log is {DETAILS.log}"]:
        assert word in said


def test_the_last_sentence_of_a_log_is_loramakes_own() -> None:
    assert last_sentence("loramake: a.\nnoise\nloramake: b.\nWorkflowError:\n") == "b."
    assert last_sentence("noise") == ""


class Queue:
    """What squeue and scontrol say, as a test sets it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.job, self.said, self.stopped = JOB, list[str](), list[str]()
        monkeypatch.setattr(follower, "read_jobs", lambda _run_id: [self.job])
        monkeypatch.setattr(follower, "read_details", lambda _job_id: replace(DETAILS, log="log"))
        monkeypatch.setattr(follower, "read_nodes", lambda: [NODE])
        self.log = "loramake: no."
        monkeypatch.setattr(follower, "read_log", lambda _log: self.log)
        monkeypatch.setattr(follower, "say", self.said.append)
        monkeypatch.setattr(follower.Follower, "_watch", lambda _self: None)
        self.follower = follower.Follower(lambda: 2, self.stopped.append, ["prepare"])
        self.emit(f"{follower.RUN_ID}0a1b")

    def emit(self, message: str, **extra: object) -> None:
        record = logging.makeLogRecord({"msg": message, **extra})
        self.follower.emit(record)

    def becomes(self, state: str, reason: str = "None", job_id: str = "11") -> None:
        self.job = replace(JOB, id=job_id, state=state, reason=reason)
        self.follower.look()


def test_each_change_of_a_job_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(monkeypatch)
    queue.becomes("PENDING", "Resources")
    queue.becomes("PENDING", "Resources")
    queue.becomes("RUNNING")
    queue.becomes("RUNNING")
    queue.becomes("COMPLETED")
    queue.becomes("COMPLETED")
    words = ["submitted to gpu", "waits (Resources)", "started on vm", "finished on vm"]
    assert [word in said for word, said in zip(words, queue.said, strict=True)] == [True] * 4


def test_a_group_of_rules_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(monkeypatch)
    queue.job = replace(JOB, rule="rule_prepare_assign_splits_explore_data_...", experiment="")
    queue.follower.look()
    assert queue.said[0].startswith("job 11, prepare: submitted")


def test_a_requeued_job_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(monkeypatch)
    queue.becomes("RUNNING")
    queue.log = "slurmstepd-vm: error: *** JOB 22 ON vm CANCELLED AT 2026-11-28T19:10:29 DUE TO PREEMPTION ***"
    queue.becomes("PENDING", "BeginTime")
    assert "preempted by a job of a higher priority; SLURM has put it back into the queue" in queue.said[-1]
    queue.becomes("COMPLETING")
    queue.becomes("PENDING", "launch failed requeued held")
    assert [text for text in queue.said if "put it back" in text] == queue.said[2:3]
    assert "or `scontrol release 11`" in queue.said[-1]


@pytest.mark.parametrize(
    ("state", "stopped"),
    [("CANCELLED", ["run_finetuning"]), ("FAILED", ["run_finetuning"]), ("TIMEOUT", []), ("OUT_OF_MEMORY", [])],
)
def test_only_what_a_further_try_may_fix_is_submitted_again(
    monkeypatch: pytest.MonkeyPatch, state: str, stopped: list[str]
) -> None:
    queue = Queue(monkeypatch)
    queue.becomes(state)
    queue.emit("Error in rule run_finetuning", rule_msg=f"SLURM-job '11' failed, SLURM status is: '{state}'. …")
    assert queue.stopped == stopped
    assert ("submitted again" in queue.said[-1]) == (not stopped)


def test_no_more_tries_are_announced_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(monkeypatch)
    for job_id in ("11", "12", "13"):
        queue.becomes("TIMEOUT", job_id=job_id)
    ends = [said for said in queue.said if "ended by" in said]
    assert ["submitted again" in said for said in ends] == [True, True, False]


def test_a_job_that_slurm_does_not_take_is_not_submitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(monkeypatch)
    words = (
        "SLURM sbatch failed. The error message was 'sbatch: error: Invalid feature specification'.\n    sbatch call:"
    )
    queue.emit("Error in rule run_finetuning", rule_name="run_finetuning", rule_msg=words)
    assert "SLURM does not take the job (Invalid feature specification)" in queue.said[-1]
    assert queue.stopped == ["run_finetuning"]
    queue.job = replace(JOB, state="FAILED", nodes="")  # what the queue has of it
    queue.follower.look()
    assert len(queue.said) == 1


def test_the_lines_of_the_executor_that_are_read_are_those_of_the_installed_one() -> None:
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm", reason="the extra slurm is not installed")
    source = inspect.getsource(plugin)
    for line in (follower.RUN_ID, follower.SUBMITTED, follower.SBATCH_FAILED, follower.FAILED + "'", "message was '"):
        assert line in source
    for line in follower.REPLACED:
        assert line in source or line in inspect.getsource(plugin.accounts) or line == "Trying to restart job"


def test_the_profile_for_slurm_carries_the_keys_of_the_default_one() -> None:
    default, slurm = (
        yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text(encoding="utf-8"))
        for name in ("default", "slurm")
    )
    assert default["resources"].pop("gpu") == 1  # it would cap a job's GPUs
    del default["set-resource-scopes"]
    assert {key: slurm.get(key) for key in default} == default


def test_the_example_of_a_users_file_sets_nothing_that_the_profile_overrides() -> None:
    example, slurm = (
        yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text(encoding="utf-8"))
        for name in ("cluster.example", "slurm")
    )
    assert set(example) & set(slurm) == set()
    assert "default-resources" in example


def test_the_log_of_a_job_is_looked_for_where_it_is(tmp_path: Path) -> None:
    from loramake.workflow.slurm.queue import read_log

    (tmp_path / "log").write_text("x" * 2**17 + "\nloramake: the end.", encoding="utf-8")
    assert last_sentence(read_log(str(tmp_path / "log"))) == "the end."
    assert read_log(str(tmp_path / "none")) == ""


def test_the_profile_slurm_is_the_workflows_and_the_users_file_lies_below_it(tmp_path: Path) -> None:
    options = profile_options("slurm", 2, tmp_path)
    assert options == ["--workflow-profile", str(ROOT / "profiles/slurm"), "--local-cores", "2"]
    (tmp_path / "profiles/cluster").mkdir(parents=True)
    assert profile_options("slurm", 2, tmp_path) == [*options, "--profile", "profiles/cluster"]
    assert profile_options("mine", 2, tmp_path) == ["--cores", "2", "--profile", "mine"]
    assert profile_options(None, 2, tmp_path) == ["--cores", "2"]


def test_where_small_rules_run_is_for_all_experiments() -> None:
    check_config({"small_rules": "grouped", "experiments": {"a": {"csv": "a.csv"}}})
    with pytest.raises(ConfigError, match="experiments: a: small_rules is for all experiments: move it to the top"):
        check_config({"experiments": {"a": {"csv": "a.csv", "small_rules": "grouped"}}})
    with pytest.raises(ConfigError, match="small_rules"):
        check_config({"small_rules": "cluster"})


def test_a_missing_plugin_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"--profile slurm needs the extra slurm: pip install 'loramake\[slurm\]'"):
        profile_options("slurm", 2, tmp_path)
    assert profile_options("mine", 2, tmp_path)[-1] == "mine"


def test_a_cluster_is_there_where_its_commands_are_and_it_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in COMMANDS[1:]:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(ConfigError, match="SLURM's sinfo cannot be found: run on a login node"):
        check_cluster()
    (tmp_path / "sinfo").write_text("#!/bin/sh\necho 'gpu*|2|6000|1:00:00|gpu:1|idle'\n")
    (tmp_path / "sinfo").chmod(0o755)
    check_cluster()
    assert [(node.partition, node.cpus) for node in read_nodes()] == [("gpu", 2)]

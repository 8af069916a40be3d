"""What a user sees of a run's SLURM jobs: submitted, waiting and why, started, finished, or ended and what follows.

A handler of Snakemake's own logger: it reads the executor's lines, asks SLURM from a thread of its own, and needs
nothing else, so that plain `snakemake` shows the same as `loramake run`.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from loramake.console import say
from loramake.training.finetuning import newest_checkpoint
from loramake.workflow.slurm import sentences
from loramake.workflow.slurm.queue import (
    FINAL,
    TERMINATED,
    Details,
    Job,
    Node,
    largest_node,
    last_sentence,
    read_details,
    read_jobs,
    read_log,
    read_nodes,
    true_state,
)

RUN_ID, SUBMITTED = "SLURM run ID: ", "has been submitted with SLURM jobid"
FAILED, SBATCH_FAILED = "SLURM-job ", "SLURM sbatch failed"
"""Lines of the executor (snakemake-executor-plugin-slurm) that are read here; a test holds them to its source."""

REPLACED = (
    RUN_ID,
    SUBMITTED,
    "No SLURM account given",
    "No account was given",
    "Unable to guess SLURM account",
    "Cleaning up SLURM log",
    "Trying to restart job",
    "A Job preemption",
    "'NODE_FAIL', but requeue",
)
"""Lines of the executor that say less than ours, or nothing to a user."""

_TRIES_AGAIN = {"TIMEOUT", TERMINATED, "OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL", "PREEMPTED"}
"""How a job may end that is worth another try: not by its own error, and not by scancel."""

_FAST, _SLOW = 4.0, 30.0
"""Seconds between two questions to SLURM: while things change, and once nothing has changed for a minute."""


class Follower(logging.Handler):
    """Says what becomes of the jobs of a run, each change once.

    `retries()` is how often Snakemake submits a job again; `stop_retrying(rule)` has it submit none of that rule
    again; `groups` are the names of groups of rules.
    """

    def __init__(
        self, retries: Callable[[], int], stop_retrying: Callable[[str], None], groups: Iterable[str] = ()
    ) -> None:
        super().__init__()
        self._groups = tuple(groups)
        self._retries = retries
        self._stop_retrying = stop_retrying
        self._run_id = ""
        self._seen: dict[str, Job] = {}
        self._since: dict[str, float] = {}
        self._tries: dict[str, int] = {}
        self._running: set[str] = set()
        self._ended: dict[str, bool] = {}
        self._changed = time.monotonic()
        self._reporting = threading.RLock()
        self._has_jobs = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Follow a line of the executor."""
        text = str(record.msg)
        if text.startswith(RUN_ID):
            self._run_id = text.removeprefix(RUN_ID).strip()
            threading.Thread(target=self._watch, daemon=True).start()
        elif SUBMITTED in text:
            self._changed = time.monotonic()
            self._has_jobs.set()
        message = str(getattr(record, "rule_msg", ""))
        logs = [Path(log).stem for log in getattr(record, "aux_logs", None) or []]  # of a group, which has no message
        for job_id in [*re.findall(rf"{FAILED}'(\d+)'", message), *logs]:
            self._settle(job_id)
        if SBATCH_FAILED in message:
            self._refuse(str(getattr(record, "rule_name", "")), message)

    def look(self) -> None:
        """Ask SLURM once, and say what has changed."""
        with self._reporting:
            for job in map(self._named, read_jobs(self._run_id) if self._run_id else []):
                before = self._seen.get(job.id)
                if before is None and job.state == "FAILED" and not job.nodes:
                    continue  # SLURM did not take it, which sbatch has said
                if before is None or (before.state, before.reason) != (job.state, job.reason):
                    self._changed = time.monotonic()
                    self._tell(before, job)
                    self._seen[job.id] = job
            if all(job.state in FINAL for job in self._seen.values()):
                self._has_jobs.clear()

    def _named(self, job: Job) -> Job:
        """The executor calls a group of rules by its name and the names of them all."""
        group = next((group for group in self._groups if job.rule.removeprefix("rule_").startswith(f"{group}_")), None)
        return job if group is None else replace(job, rule=group)

    def _watch(self) -> None:
        while True:
            self._has_jobs.wait()
            time.sleep(_FAST if time.monotonic() - self._changed < 60 else _SLOW)
            try:
                self.look()
            except Exception:
                logging.getLogger("loramake").exception("SLURM's queue could not be read")

    def _tell(self, before: Job | None, job: Job) -> None:
        details = read_details(job.id)
        if before is None:
            self._since[job.id] = time.monotonic()
            self._tries[job.name] = self._tries.get(job.name, 0) + 1
            say(sentences.submitted(job, details))
        if job.state == "PENDING" and job.id in self._running:
            self._running.remove(job.id)
            self._since[job.id] = time.monotonic()
            say(sentences.requeued(job, true_state("FAILED", read_log(details.log)), self._kept(job)))
        if job.state == "PENDING" and job.reason not in ("None", "BeginTime"):
            say(sentences.pending(job, details, self._largest(details)))
        elif job.state in FINAL:
            self._end(job, details)
        elif job.state == "RUNNING":
            self._running.add(job.id)
            say(sentences.started(job, time.monotonic() - self._since[job.id]))

    def _end(self, job: Job, details: Details) -> None:
        if job.id in self._ended:
            return
        if job.state == "COMPLETED":
            self._ended[job.id] = False
            say(sentences.finished(job, details))
            return
        log = read_log(details.log)
        how = replace(job, state=true_state(job.state, log))
        again = how.state in _TRIES_AGAIN and self._tries[job.name] <= self._retries()
        self._ended[job.id] = again
        say(sentences.ended(how, details, last_sentence(log), self._kept(job), again))

    def _settle(self, job_id: str) -> None:
        """Snakemake is about to decide whether a job that failed is submitted again."""
        with self._reporting:
            self.look()
            job = self._seen.get(job_id)
            if job is not None and not self._ended.get(job_id, False):
                self._stop_retrying(job.rule)

    def _refuse(self, rule: str, message: str) -> None:
        words = message.partition("The error message was '")[2].partition("'.\n")[0]
        say(sentences.refused(rule, words, largest_node(read_nodes(), None, needs_gpu=True)))
        self._stop_retrying(rule)

    @staticmethod
    def _kept(job: Job) -> str:
        if job.rule != "run_finetuning":
            return ""
        return newest_checkpoint(Path("results") / job.experiment / ".cache/training")

    @staticmethod
    def _largest(details: Details) -> Node | None:
        return largest_node(read_nodes(), details.partition or None, needs_gpu=bool(details.gpus))


class SaysNothingTwice(logging.Filter):
    """Keeps the executor's lines that the follower's own replace from the terminal."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = str(record.msg)
        return not any(line in text for line in REPLACED)

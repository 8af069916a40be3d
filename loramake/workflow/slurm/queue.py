"""SLURM's own words: the jobs of a run, the details of one, the nodes of a partition.

None of it needs an accounting database: `scontrol` knows a finished job for MinJobAge seconds (300 by default).
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from loramake.errors import ConfigError
from loramake.llm.training_process import ASKED_TO_END
from loramake.programs import output_lines

COMMANDS = ("sinfo", "sbatch", "squeue", "scontrol", "scancel", "srun")
"""What a run and its jobs call."""

TERMINATED = "TERMINATED"
"""Ours, not SLURM's: a training that saved a checkpoint and ended, asked to shortly before its time limit."""

_COMMENT = re.compile(r"rule_(?P<rule>\w+?)(?:_wildcards_(?P<experiment>.+))?")
"""What Snakemake's executor writes into the comment of a job."""

FINAL = frozenset(
    {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL", "DEADLINE", "PREEMPTED"}
)
"""States of a job that does not run any more; one that is requeued is PENDING."""


_LOG_END = 2**16
"""Bytes of a log that are looked through."""

_IN_THE_LOG = (
    (r"(?i)exceeded (job |step )?memory limit|oom.?kill|out of memory$|: Out Of Memory", "OUT_OF_MEMORY"),
    (r"DUE TO TIME LIMIT", "TIMEOUT"),
    (r"DUE TO PREEMPTION", "PREEMPTED"),
    (r"DUE TO NODE FAILURE", "NODE_FAIL"),
    (re.escape(ASKED_TO_END), TERMINATED),
)
"""(what slurmstepd, srun or a training writes into a job's log, how the job ended)."""


@dataclass(frozen=True)
class Job:
    """A line of the queue."""

    id: str
    state: str
    reason: str
    """Why it waits, in SLURM's word: Resources, PartitionTimeLimit …"""
    nodes: str
    rule: str
    """Of Snakemake, or the name of a group of rules."""
    experiment: str

    @property
    def name(self) -> str:
        """What a user calls it."""
        return f"{self.rule} ({self.experiment})" if self.experiment else self.rule


def read_jobs(run_id: str) -> list[Job]:
    """All jobs of a run that SLURM knows, finished ones too; their common name is the run's id."""
    form = "%i|%T|%r|%N|%k"
    return parse_jobs(output_lines("squeue", "--noheader", "--states=all", f"--name={run_id}", f"--format={form}"))


def parse_jobs(lines: list[str]) -> list[Job]:
    """The lines of squeue as jobs."""
    jobs = []
    for line in lines:
        number, state, reason, nodes, comment = (cell.strip() for cell in line.split("|", 4))
        match = _COMMENT.fullmatch(comment)
        rule, experiment = (match["rule"], match["experiment"] or "") if match else (comment, "")
        jobs.append(Job(number, state, reason, nodes, rule, experiment))
    return jobs


@dataclass(frozen=True)
class Details:
    """What scontrol knows of one job; each text is empty where it does not."""

    state: str = ""
    reason: str = ""
    partition: str = ""
    node: str = ""
    log: str = ""
    exit_code: str = ""
    """Exit code and signal: 0:9."""
    seconds: int = 0
    limit: int | None = None
    """Seconds; None without a limit."""
    tres: str = ""
    """What it asks for: cpu=2,mem=6000M,node=1,billing=2."""
    gpus: str = ""

    @property
    def wants(self) -> str:
        """What it asks for, as a user would say it."""
        asked = dict(entry.split("=", 1) for entry in self.tres.split(",") if "=" in entry)
        parts = [
            f"{self.gpus} {'GPU' if self.gpus == '1' else 'GPUs'}" if self.gpus else "",
            f"{asked['cpu']} {'CPU' if asked['cpu'] == '1' else 'CPUs'}" if "cpu" in asked else "",
            f"{megabytes(asked['mem'])} of memory" if "mem" in asked else "",
            duration(self.limit) if self.limit else "",
        ]
        return ", ".join(part for part in parts if part)


def read_details(job_id: str) -> Details:
    """What scontrol says of a job; of one that is forgotten, nothing."""
    return parse_details("\n".join(output_lines("scontrol", "show", "job", job_id)))


def parse_details(text: str) -> Details:
    """The text of `scontrol show job`; values run up to the next key."""
    found = dict(re.findall(r"(?:^|\s)([A-Z][\w/:]*)=(.*?)(?=\s+[A-Z][\w/:]*=|\s*$)", text, re.M))

    def text_of(key: str) -> str:
        value = found.get(key, "").strip()
        return "" if value in ("(null)", "None", "N/A") else value

    return Details(
        state=text_of("JobState"),
        reason=text_of("Reason"),
        partition=text_of("Partition"),
        node=text_of("NodeList"),
        log=text_of("StdOut"),
        exit_code=text_of("ExitCode"),
        seconds=seconds_of(text_of("RunTime")) or 0,
        limit=seconds_of(text_of("TimeLimit")),
        tres=text_of("TRES") or text_of("ReqTRES"),
        gpus=(re.findall(r"gpu\b.*?(\d+)", text_of("TresPerJob") or text_of("TresPerNode")) or [""])[-1],
    )


def seconds_of(time: str) -> int | None:
    """SLURM's time, [days-]hours:minutes:seconds, in seconds; None of UNLIMITED and of no time."""
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", time)
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def duration(seconds: int) -> str:
    """Seconds as a user would say them."""
    if seconds < 120:
        return f"{seconds} s"
    minutes, hours = seconds // 60, seconds / 3600
    return f"{minutes} min" if minutes < 120 else f"{hours:.1f} h".replace(".0 h", " h")


def megabytes(memory: str) -> str:
    """SLURM's memory, 6000M or 16G, with its unit."""
    return re.sub(r"([KMGT])$", r" \1B", memory)


@dataclass(frozen=True)
class Node:
    """What one node of a partition has."""

    partition: str
    is_default: bool
    cpus: int
    memory: int
    """MB."""
    minutes: int | None
    """The longest job that the partition allows; None without a limit."""
    gres: str
    state: str = ""

    @property
    def has_gpu(self) -> bool:
        return "gpu" in self.gres

    def __str__(self) -> str:
        gpu = f", {self.gres.split('(')[0]}" if self.has_gpu else ", no GPU"
        return f"{self.cpus} CPUs, {self.memory} MB of memory{gpu}"


def read_nodes() -> list[Node]:
    """The nodes of every partition, by sinfo; none where SLURM does not answer."""
    return parse_nodes(output_lines("sinfo", "--noheader", "--Node", "--format=%P|%c|%m|%l|%G|%T"))


def check_cluster() -> None:
    """Raise ConfigError where no job could be submitted: before the first step, and not after the last review."""
    if missing := [name for name in COMMANDS if shutil.which(name) is None]:
        raise ConfigError(f"SLURM's {', '.join(missing)} cannot be found: run on a login node (`loramake doctor`).")
    if not read_nodes():
        raise ConfigError("SLURM does not answer `sinfo`: run on a login node, or wait until it is up.")


def parse_nodes(lines: list[str]) -> list[Node]:
    """The lines of sinfo as nodes."""
    nodes = []
    for line in lines:
        partition, cpus, memory, limit, gres, state = (cell.strip() for cell in line.split("|"))
        seconds = seconds_of(limit)
        minutes = None if seconds is None else seconds // 60
        cpus, memory = cpus.rstrip("+"), memory.rstrip("+")
        name = partition.rstrip("*")
        nodes.append(Node(name, partition.endswith("*"), int(cpus), int(memory), minutes, gres, state))
    return nodes


def largest_node(nodes: list[Node], partition: str | None, needs_gpu: bool) -> Node | None:
    """The node of a partition (None: the default one) with the most CPUs; with a GPU where one is needed and there."""
    mine = [node for node in nodes if (node.partition == partition if partition else node.is_default)]
    fitting = [node for node in mine if node.has_gpu or not needs_gpu] or mine
    return max(fitting, key=lambda node: (node.cpus, node.memory), default=None)


def read_log(path: str) -> str:
    """The end of a job's log; empty where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _LOG_END))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def true_state(state: str, log: str) -> str:
    """How a job ended: where one of its steps was ended, SLURM calls the job FAILED, and its log says why."""
    if state == "FAILED":
        return next((better for pattern, better in _IN_THE_LOG if re.search(pattern, log)), state)
    return state


def last_sentence(log: str) -> str:
    """The last sentence that loramake itself wrote into a job's log; empty where there is none."""
    sentences: list[str] = re.findall(r"^loramake: (.+)$", log, re.M)
    return sentences[-1].strip() if sentences else ""

"""What SLURM's states and reasons mean for the user of a run: one sentence each, with what to do where that helps."""

import re

from loramake.workflow.slurm import queue
from loramake.workflow.slurm.queue import Details, Job, Node, duration

_OWN_FILE = "in your own cluster file (docs/clusters.md)"

_NEVER: tuple[tuple[str, str], ...] = (
    (
        r"Partition(Time|Node)Limit|PartitionConfig|BadConstraints|.*(CPU|CPUs|Memory|Mem|MaxWall\w*|GRES)\w*PerJob\w*",
        "it asks for {wants}, which {partition} never gives ({largest}): set {what} {file}",
    ),
    (
        r"AccountNotAllowed|InvalidAccount|AssociationJobLimit|Association.*",
        "the account may not use {partition}: set slurm_account {file}; `sacctmgr show associations` lists yours",
    ),
    (r"(QOSNotAllowed|InvalidQOS)", "the QOS is not allowed in {partition}: set slurm-qos {file}"),
    (
        r"Partition(Down|Inactive)",
        "{partition} is closed: set slurm_partition {file} to another one; `sinfo` lists them",
    ),
    (r"JobHeldUser", "it is held: `scontrol release {id}` lets it run"),
    (
        r"JobHeldAdmin|launch.failed.requeued.held|JobHoldMaxRequeue",
        "it is held by the administrators or after a failed start: ask them, or `scontrol release {id}`",
    ),
    (r"DependencyNeverSatisfied", "what it depends on will never finish: `scancel {id}`"),
    (r"Reservation(Deleted|Invalid)?", "its reservation is not there: set slurm-reservation {file}"),
)
"""(SLURM's reason, the sentence) of a job that does not start unless something is changed; the first that fits."""

_LATER: tuple[tuple[str, str], ...] = (
    (
        r"ReqNodeNotAvail.*|Nodes.required.for.job.are.DOWN.*|NodeDown",
        "its nodes are down, drained or reserved, and it starts when they are back (`sinfo -R` says why they are away)",
    ),
    (r"Resources", "what it asks for is in use ({wants}), and it starts when that is free"),
    (r"Priority", "other jobs come first, and it starts after them"),
    (r"(QOS|Assoc).*", "your share of the cluster is in use, and it starts when your other jobs end"),
    (r"BeginTime", "SLURM requeued it and starts it again in a moment"),
    (r"Licenses", "a licence is in use, and it starts when that is free"),
    (r"JobArrayTaskLimit|.*", "it starts when SLURM can place it"),
)

_REFUSED: tuple[tuple[str, str], ...] = (
    (
        r"Requested node configuration is not available|Memory specification can not be satisfied|CPU count",
        "no node has what it asks for ({largest}): set threads, mem_mb or gpu of the rule {file}",
    ),
    (
        r"[Ii]nvalid generic resource|gres",
        "this cluster has no resource called gpu there: set slurm_partition to one with GPUs {file}, or set-resources "
        "{rule}:gpu=0 to train on CPUs",
    ),
    (
        r"[Ii]nvalid feature",
        "no node has the constraint that is asked for: set constraint {file}; `sinfo --format='%N %f'` lists them",
    ),
    (r"[Rr]equested time limit is invalid", "{partition} does not allow so long a job: set runtime of the rule {file}"),
    (r"[Ii]nvalid partition", "there is no such partition: set slurm_partition {file}; `sinfo` lists them"),
    (r"[Ii]nvalid account|account", "the account is not accepted: set slurm_account {file}"),
    (r"[Ii]nvalid qos|QOS", "the QOS is not accepted: set slurm-qos {file}"),
    (r"[Uu]nable to contact slurm controller", "SLURM does not answer: run this on a login node, or ask `sinfo`"),
)
"""(sbatch's words, the sentence)."""


def submitted(job: Job, details: Details) -> str:
    """A job is in the queue."""
    return f"job {job.id}, {job.name}: submitted to {details.partition} ({details.wants})."


def started(job: Job, waited: float) -> str:
    """A job runs."""
    return f"job {job.id}, {job.name}: started on {job.nodes} after {duration(round(waited))} in the queue."


def finished(job: Job, details: Details) -> str:
    """A job is done."""
    return f"job {job.id}, {job.name}: finished on {details.node} in {duration(details.seconds)}."


def can_never_run(reason: str) -> bool:
    """Whether a waiting job does not start unless something is changed."""
    return any(re.fullmatch(pattern, reason) for pattern, _ in _NEVER)


def pending(job: Job, details: Details, largest: Node | None) -> str:
    """A job waits, and why."""
    head = f"job {job.id}, {job.name}: "
    head += "cannot start" if can_never_run(job.reason) else "waits"
    sentence = next(text for pattern, text in (*_NEVER, *_LATER) if re.fullmatch(pattern, job.reason))
    what = "runtime" if "Time" in job.reason or "Wall" in job.reason else "threads, mem_mb or gpu"
    return f"{head} ({job.reason}): {_filled(sentence, job, details, largest, f'{what} of {job.rule}')}."


def refused(rule: str, words: str, largest: Node | None) -> str:
    """SLURM did not take a job: sbatch's own words, and what to do."""
    last = [line for line in words.splitlines() if line.strip()] or ["sbatch failed"]
    said = re.sub(r"^sbatch: (error: )?(Batch job submission failed: )?", "", last[-1].strip()).rstrip(".")
    sentence = next((text for pattern, text in _REFUSED if re.search(pattern, words)), "look at `sinfo` and {file}")
    job = Job("", "", "", "", rule, "")
    follows = f"{_filled(sentence, job, Details(), largest, '')}; the run stops here"
    return f"{rule}: SLURM does not take the job ({said}): {follows}."


def _filled(sentence: str, job: Job, details: Details, largest: Node | None, what: str) -> str:
    return sentence.format(
        id=job.id,
        rule=job.rule,
        wants=details.wants,
        partition=f"partition {details.partition}" if details.partition else "the partition",
        largest=f"its largest node has {largest}" if largest else "`sinfo -N -l` lists the nodes",
        what=what,
        file=_OWN_FILE,
    )


def requeued(job: Job, how: str, kept: str) -> str:
    """SLURM took a running job off its node and put it back into the queue, after so and so an end."""
    reasons = {"PREEMPTED": "preempted by a job of a higher priority", "NODE_FAIL": "its node failed"}
    why = reasons.get(how, "taken off its node")
    return f"job {job.id}, {job.name}: {why}; SLURM has put it back into the queue: it starts again {_resumes(kept)}."


def ended(job: Job, details: Details, said: str, kept: str, is_resubmitted: bool) -> str:
    """A job ended without its result: why, where its log is, and what follows.

    `said` is loramake's own last sentence in the job's log, `kept` the checkpoint that a training resumes from.
    """
    why = _why(job, details, said)
    ran = f" on {details.node} after {duration(details.seconds)}; its log is {details.log}" if details.node else ""
    return f"job {job.id}, {job.name}: {why}{ran}; {_follows(job, kept, is_resubmitted)}."


def _why(job: Job, details: Details, said: str) -> str:
    limit = f" of {duration(details.limit)}" if details.limit else ""
    match job.state:
        case "TIMEOUT":
            return f"ended by its time limit{limit}"
        case queue.TERMINATED:
            return f"asked to end shortly before its time limit{limit}"
        case "OUT_OF_MEMORY":
            asked = re.search(r"mem=(\w+)", details.tres)
            return (
                f"ended because it used more than {queue.megabytes(asked[1])} of memory"
                if asked
                else "ended because its memory ran out"
            )
        case "CANCELLED":
            return "cancelled (scancel)"
        case "NODE_FAIL" | "BOOT_FAIL":
            return "lost, since its node failed,"
        case "PREEMPTED":
            return "preempted by a job of a higher priority"
    code = details.exit_code.split(":")
    reason = f": {said.rstrip('.')}" if said else f" (exit code {code[0]})" if code[0] else ""
    return f"failed{reason},"


def _follows(job: Job, kept: str, is_resubmitted: bool) -> str:
    if not is_resubmitted:
        same = f" {_resumes(kept)}" if kept else ""
        return f"the run stops here; the same command runs it again{same}"
    more = {"TIMEOUT": " with more time", queue.TERMINATED: " with more time", "OUT_OF_MEMORY": " with more memory"}
    return f"it is submitted again{more.get(job.state, '')} {_resumes(kept)}"


def _resumes(kept: str) -> str:
    return f"and resumes from {kept}" if kept else "and starts from its beginning"

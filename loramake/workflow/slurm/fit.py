"""What a rule asks SLURM for: what it would like, as far as the largest node of its partition has it."""

import functools
import os

from loramake.workflow.slurm.queue import Node, largest_node, read_nodes

TERM_SECONDS = 120
"""How long before its time limit a training is asked to end, so that it can save a checkpoint."""

TERM_OPTION = f"--signal=TERM@{TERM_SECONDS}"


@functools.cache
def _largest(partition: str | None, needs_gpu: bool) -> Node | None:
    return largest_node(read_nodes(), partition, needs_gpu)


def fitting_cpus(most: int, partition: str | None, needs_gpu: bool) -> int:
    """CPUs of a job: what its node has, `most` at most; within a job, what it was given."""
    if own := os.environ.get("SLURM_CPUS_PER_TASK"):
        return min(most, int(own))
    node = _largest(partition, needs_gpu)
    return most if node is None else min(most, node.cpus)


def fitting_memory(wanted: int, partition: str | None, needs_gpu: bool) -> int:
    """MB of a job: `wanted`, or all that its node has."""
    node = _largest(partition, needs_gpu)
    return wanted if node is None else min(wanted, node.memory)


def fitting_minutes(wanted: int, partition: str | None, needs_gpu: bool) -> int:
    """Minutes of a job: `wanted`, or as long as its partition allows."""
    node = _largest(partition, needs_gpu)
    return wanted if node is None or node.minutes is None else min(wanted, node.minutes)

"""Threads of torch: no more than this job was given, and asleep while they wait for each other.

OpenMP's threads spin while they wait, which on a busy machine takes the processor from the thread that is waited for.
"""

import os
from collections.abc import Mapping

_SLEEPING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


def sleeping_threads(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that have OpenMP's threads sleep while they wait; the user's own values stay.

    A process has to have them before it imports torch.
    """
    return {name: environment.get(name, value) for name, value in _SLEEPING.items()}


def available_cpus() -> int:
    """How many CPUs this process may use: by affinity, by the container's quota, and of a SLURM job by its CPUs."""
    import joblib

    given = os.environ.get("SLURM_CPUS_PER_TASK", "")
    usable = int(joblib.cpu_count())
    return min(usable, int(given)) if given.isdecimal() and int(given) > 0 else usable

"""Checks what this machine has for loramake: one finding per line, with what to do next if something is missing."""

import importlib.metadata
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from packaging.requirements import Requirement

from loramake.config import read_config
from loramake.errors import LoramakeError
from loramake.programs import output_lines
from loramake.sandbox import bubblewrap
from loramake.settings import defaults
from loramake.workflow.slurm.queue import COMMANDS, Node, largest_node, read_nodes

OK, OPTIONAL, MISSING, BROKEN = "ok", "optional", "missing", "broken"
"""Severities: all is well; absent, which is well for most; something for the usual way is missing; nothing can run."""

_GIB = 1 << 30
_LITTLE_DISK, _LITTLE_MEMORY = 10 * _GIB, 4 * _GIB
_SECONDS = 20


@dataclass(frozen=True)
class Finding:
    """One line."""

    what: str
    severity: str
    detail: str
    """The result and, if something is missing, what to do next."""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def exit_code(findings: list[Finding]) -> int:
    """0 if all is well, without what is optional, too; 1 if something is missing, 2 if nothing can run."""
    codes = {OK: 0, OPTIONAL: 0, MISSING: 1, BROKEN: 2}
    return max(codes[finding.severity] for finding in findings)


def examine(config: Path = Path("config.yaml")) -> Iterator[Finding]:
    """Check everything, in the order in which a user would."""
    yield _python()
    yield _packages("", "the workflow", BROKEN, "pip install loramake")
    yield _packages("train", "the training", MISSING, "pip install 'loramake[train]'")
    yield _packages("formats", "Parquet and Excel", OPTIONAL, "pip install 'loramake[formats]'")
    yield _llamafactory_cli()
    yield _sandbox()
    yield _endpoint(config)
    yield _gpu()
    yield _memory()
    yield _disk()
    yield from _slurm()


def _python() -> Finding:
    fits = sys.version_info >= (3, 11)
    detail = f"{platform.python_version()} at {sys.executable}" + ("" if fits else ": loramake needs 3.11 or newer")
    return Finding("Python", OK if fits else BROKEN, detail)


def _packages(extra: str, whose: str, severity: str, advice: str) -> Finding:
    """The packages that loramake requires, with or without an extra, compared with the installed ones."""
    title = f"packages of {whose}"
    try:
        requirements = [Requirement(text) for text in importlib.metadata.requires("loramake") or []]
    except importlib.metadata.PackageNotFoundError:
        return Finding(title, severity, f"loramake itself is not installed: {advice}")
    relevant = [need for need in requirements if _is_for(need, extra)]
    problems = [problem for need in relevant if (problem := _problem(need))]
    if problems:
        return Finding(title, severity, f"{', '.join(problems[:4])}{' …' if len(problems) > 4 else ''}: {advice}")
    return Finding(title, OK, f"all {len(relevant)} fit")


def _is_for(need: Requirement, extra: str) -> bool:
    if need.marker is None:
        return not extra
    return bool(extra) and need.marker.evaluate({"extra": extra}) and not need.marker.evaluate({"extra": ""})


def _problem(need: Requirement) -> str | None:
    try:
        installed = importlib.metadata.version(need.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{need.name} is not installed"
    return (
        None
        if need.specifier.contains(installed, prereleases=True)
        else f"{need.name} {installed} is not {need.specifier}"
    )


def _llamafactory_cli() -> Finding:
    command = Path(sys.executable).with_name("llamafactory-cli")
    if not command.exists():
        return Finding("llamafactory-cli", MISSING, f"not beside {sys.executable}: pip install 'loramake[train]'")
    return Finding("llamafactory-cli", OK, f"LlamaFactory {importlib.metadata.version('llamafactory')}")


def _sandbox() -> Finding:
    reason = bubblewrap.why_not()
    if reason is None:
        return Finding("sandbox", OK, bubblewrap.version())
    return Finding("sandbox", MISSING, f"{reason}; until then only the built-in agent's code runs (sandbox: auto)")


def _endpoint(config: Path) -> Finding:
    """Whether the agent's model answers a short question, and the strictest way to request JSON from it."""
    try:
        settings = _agent_settings(config)
    except LoramakeError as error:
        return Finding("endpoint", BROKEN, f"{config} cannot be read ({' '.join(str(error).split())})")
    named = ("OPENAI_BASE_URL", "OPENAI_API_KEY", "openAI_endpoint", "auth_key")
    if settings["agent"] == "builtin" and not any(name in os.environ for name in named) and not Path(".env").is_file():
        return Finding("endpoint", OK, "none is configured, and the built-in agent needs none")
    severity = MISSING if settings["agent"] == "builtin" else BROKEN
    try:
        from loramake.agents.connection import connect
        from loramake.agents.endpoint import find_rung

        connection = connect(settings)
        rung, seconds = find_rung(connection, min(_SECONDS, settings["agent_timeout"]))
    except LoramakeError as error:
        return Finding("endpoint", severity, str(error))
    models = connection.model if connection.model == connection.coder else f"{connection.model}, {connection.coder}"
    return Finding("endpoint", OK, f"{connection.host} answers ({models}): {rung}, {seconds:.1f} s")


def _agent_settings(config: Path) -> Mapping[str, Any]:
    """The top-level settings of config.yaml, with those of an experiment whose agent is a model."""
    written = read_config(config)
    levels = [written, *(written.get("experiments") or {}).values()]
    of_experiment: Mapping[str, Any] = next((level for level in levels if (level or {}).get("agent") == "openai"), {})
    settings = defaults()
    return {
        **settings,
        **{key: value for level in (levels[0], of_experiment) for key, value in level.items() if key in settings},
    }


def _gpu() -> Finding:
    query = ["--query-gpu=name,memory.free,memory.total", "--format=csv,noheader"]
    lines = output_lines("nvidia-smi", *query)
    if not lines:
        return Finding("GPU", OPTIONAL, "none was found: models/tiny trains on the CPU, real models need one")
    return Finding("GPU", OK, "; ".join(f"{name}, {free} free of {total}" for name, free, total in map(_cells, lines)))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split(",")]


def _memory() -> Finding:
    free, total = psutil.virtual_memory().available, psutil.virtual_memory().total
    detail = f"{free / _GIB:.0f} GiB free of {total / _GIB:.0f}, {os.cpu_count()} CPU cores"
    return Finding("memory", OK if free >= _LITTLE_MEMORY else MISSING, detail)


def _disk() -> Finding:
    free = shutil.disk_usage(".").free
    is_little = free < _LITTLE_DISK
    advice = ": a model and its training take several GiB" if is_little else ""
    return Finding("disk", MISSING if is_little else OK, f"{free / _GIB:.0f} GiB free in this folder{advice}")


def _slurm() -> Iterator[Finding]:
    """The executor, the commands, the partitions with their GPUs, and how finished jobs can be asked about."""
    if shutil.which("sinfo") is None:
        yield Finding("SLURM", OK, "not installed, and not needed: everything runs on this machine")
        return
    version = output_lines("sinfo", "--version") or ["SLURM"]
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    if missing:
        yield Finding("SLURM", MISSING, f"{version[0]} without {', '.join(missing)}: run loramake on a login node")
        return
    nodes = read_nodes()
    if not nodes:
        yield Finding("SLURM", MISSING, f"{version[0]} does not answer: run loramake on a login node, or ask `sinfo`")
        return
    yield Finding("SLURM", OK, f"{version[0]}; {_status_command()}")
    yield _packages("slurm", "SLURM", MISSING, "pip install 'loramake[slurm]'")
    yield _partitions(nodes)


def _partitions(nodes: list[Node]) -> Finding:
    """Each partition with its largest node; without a GPU in any a training would wait or be refused."""
    names = list(dict.fromkeys(node.partition for node in nodes))
    largest = {name: largest_node(nodes, name, needs_gpu=True) for name in names}
    detail = "; ".join(f"{name}: {node}" for name, node in largest.items())
    away = sorted({node.state for node in nodes if re.match("down|drain|fail", node.state)})
    detail += f"; some nodes are {', '.join(away)} (`sinfo -R` says why)" if away else ""
    if not any(node.has_gpu for node in nodes):
        advice = "set-resources: {run_finetuning: {gpu: 0}} in profiles/cluster trains on CPUs (docs/clusters.md)"
        return Finding("SLURM partitions", MISSING, f"{detail}: no node has a gpu gres; {advice}")
    return Finding("SLURM partitions", MISSING if away else OK, detail)


def _status_command() -> str:
    """Which command the executor is to ask about finished jobs; it takes sacct by itself, which needs accounting."""
    config = output_lines("scontrol", "show", "config")
    if any(re.match(r"AccountingStorageType\s*=\s*accounting_storage/slurmdbd", line) for line in config):
        return "jobs are kept in accounts: sacct works (slurm-status-command)"
    return "no accounts are kept: set slurm-status-command: squeue in profiles/cluster (docs/clusters.md)"

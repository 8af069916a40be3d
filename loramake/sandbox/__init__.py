"""The only module that starts generated code: in a sandbox, with limits, its output read as bytes.

    sandbox = choose_sandbox("auto", is_own)
    sandbox.run(script, inputs={"csv": csv}, outputs={"out": records}, values={"seed": 42})

A sandbox is a command in front of another one. bubblewrap is the only kind today; a second one (Landlock with seccomp)
would be a second `wrap`.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import psutil

from loramake.artifact_types.prepare import SandboxSetting
from loramake.console import log, say
from loramake.errors import CodeError, ConfigError
from loramake.sandbox import bubblewrap

_INSIDE = Path(__file__).with_name("inside.py").read_text(encoding="utf-8")
_MISSING = 2**64 - 1
_LOOK_SECONDS = 0.2
_LONGEST_SCRIPT = 1 << 20
_MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a script may use, including its children."""

    seconds: float = 600
    """Wall-clock time, and CPU time of each process."""
    memory: int = 4096 * _MIB
    """Bytes of address space of each process, and of resident memory of all together."""
    folder: int = 2048 * _MIB
    """Bytes that it may write, and that are read back at most."""
    processes: int = 32
    """Threads count too."""
    files: int = 256
    """Open at a time."""
    text: int = 4 * _MIB
    """Bytes of standard output and error."""

    def for_inputs(self, size: int) -> "Limits":
        """These limits with room for a table of `size` bytes."""
        return replace(self, memory=self.memory + 24 * size, folder=self.folder + 24 * size)

    def as_rlimits(self) -> dict[str, int]:
        """By the names of the module `resource`."""
        return {
            "AS": self.memory,
            "CPU": int(self.seconds) + 1,
            "FSIZE": self.folder,
            "NPROC": self.processes,
            "NOFILE": self.files,
            "CORE": 0,
        }


@dataclass(frozen=True)
class Sandbox:
    """A way to run unreviewed scripts."""

    name: str
    """Its name in the log, the review and the report."""
    setting: SandboxSetting
    """The setting `sandbox`."""
    is_closed: bool
    """Whether it isolates a script, beyond the limits."""
    is_own: Callable[[bytes], bool] | None = None
    """If set, only scripts run whose bytes this function accepts as loramake's own."""
    limits: Limits = field(default_factory=Limits)

    def run(
        self,
        script: str | Path,
        inputs: Mapping[str, Path | None],
        outputs: Mapping[str, Path],
        values: Mapping[str, object] | None = None,
    ) -> None:
        """Run a script with `--name value` for each input, value and output; CodeError if it fails.

        Inputs (None is left out) are passed as copies. Outputs are plain files that the script must write; anything
        else it writes is deleted. They are untrusted bytes: read them as JSON, against a schema.
        """
        first = next(iter(outputs.values()))
        first.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=first.parent, prefix=".sandbox-") as folder:
            run = _Run(self, Path(folder), Path(script), {name: path for name, path in inputs.items() if path})
            run.refuse_foreign()
            run.start(values or {}, list(outputs))
            run.take(outputs)


class _Run:
    """One run of a script: its inputs and its outputs."""

    def __init__(self, sandbox: Sandbox, folder: Path, script: Path, inputs: Mapping[str, Path]) -> None:
        self._sandbox, self._script = sandbox, script
        folder = folder.resolve()  # the script runs in a folder of its own
        self._staged = folder / "inputs"
        self._staged.mkdir()
        self._folder = folder / "folder"
        self._folder.mkdir()
        if (length := script.stat().st_size) > _LONGEST_SCRIPT:
            raise CodeError(f"{script} has {length:,} bytes, more than the {_LONGEST_SCRIPT:,} that a script may have.")
        for name, path in {**inputs, "script": script}.items():
            copy = self._staged / name
            shutil.copyfile(path, copy)
            copy.chmod(0o444)
        size = sum((self._staged / name).stat().st_size for name in inputs)
        self._staged.chmod(0o755)
        self._limits = sandbox.limits.for_inputs(size)
        self._inputs = list(inputs)
        self._received = folder / "given"
        self._text = b""
        self._shared = psutil.virtual_memory().shared

    def refuse_foreign(self) -> None:
        """ConfigError for a script that this sandbox does not isolate and that is not loramake's own."""
        is_own = self._sandbox.is_own
        if is_own is not None and not is_own((self._staged / "script").read_bytes()):
            raise ConfigError(
                f"{self._script} is not the output of loramake's own template for the plan, and is not run without a "
                f"sandbox: {bubblewrap.why_not()}; or set sandbox: none, at your own risk."
            )

    def start(self, values: Mapping[str, object], outputs: list[str]) -> None:
        """Run to the end; CodeError for a script that fails or exceeds a limit."""
        closed = self._sandbox.is_closed
        inputs, folder = (bubblewrap.INPUTS, bubblewrap.FOLDER) if closed else (self._staged, self._folder)
        arguments = {name: f"{inputs}/{name}" for name in self._inputs}
        arguments |= {name: str(value) for name, value in values.items()}
        arguments |= {name: f"{folder}/{name}" for name in outputs}
        command = [f"{inputs}/script", *(part for name, text in arguments.items() for part in (f"--{name}", text))]
        wrapper = bubblewrap.wrap(self._staged, self._limits.folder) if closed else []
        read_end, write_end = os.pipe()
        task = {
            "command": command,
            "folder": str(folder),
            "outputs": [f"{folder}/{name}" for name in outputs],
            "pipe": write_end,
            "limits": self._limits.as_rlimits(),
        }
        process = subprocess.Popen(
            [*wrapper, sys.executable, "-I", "-S", "-B", "-c", _INSIDE, json.dumps(task)],
            env={} if closed else _plain_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[write_end],
            start_new_session=True,
        )
        os.close(write_end)
        try:
            excess = self._watch(process, read_end)
        finally:
            _end(process)
        text = self._text.decode("utf-8", errors="replace")
        log.info("%s in the sandbox %s:\n%s", self._script, self._sandbox.name, text)
        if excess is not None:
            raise CodeError(f"{self._script} {excess} (its output is in the step's log).", text)
        if process.returncode != 0:
            raise CodeError(f"{self._script} failed: {_last_line(text, process.returncode)}", text)

    def _watch(self, process: subprocess.Popen[bytes], read_end: int) -> str | None:
        """Read until both pipes end; the limit that the script exceeded, if any."""
        assert process.stdout is not None
        started = looked = time.monotonic()
        with (
            selectors.DefaultSelector() as selector,
            self._received.open("wb") as received,
            os.fdopen(read_end, "rb") as pipe,
        ):
            selector.register(process.stdout, selectors.EVENT_READ)
            selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                ready = [key.fileobj for key, _ in selector.select(_LOOK_SECONDS)]
                for source in ready:
                    if not self._read(source, received, is_text=source is process.stdout):
                        selector.unregister(source)
                if process.poll() is not None and not ready:
                    return None  # a child that left the sandbox holds the pipe
                if not ready or time.monotonic() - looked > _LOOK_SECONDS:
                    looked = time.monotonic()
                    if excess := self._too_much(process, looked - started, received.tell()):
                        return excess
        return None

    def _read(self, source: Any, received: IO[bytes], is_text: bool) -> int:
        part = os.read(source.fileno(), 1 << 16)
        if is_text:
            self._text += part
        else:
            received.write(part)
        return len(part)

    def _too_much(self, process: subprocess.Popen[bytes], seconds: float, received: int) -> str | None:
        limits = self._limits
        if seconds > limits.seconds:
            return f"did not end within {limits.seconds:g} s: check its loops"
        if len(self._text) > limits.text:
            return f"printed more than {limits.text // _MIB} MiB"
        if received > limits.folder:
            return f"gave more than {limits.folder // _MIB} MiB back"
        if psutil.virtual_memory().shared - self._shared > limits.memory + limits.folder:
            return f"filled more than {(limits.memory + limits.folder) // _MIB:,} MiB of shared memory"
        if _resident(process.pid) > limits.memory:
            return f"took more than {limits.memory // _MIB:,} MiB of memory"
        return None

    def take(self, outputs: Mapping[str, Path]) -> None:
        """Write the outputs to their paths; CodeError if one is missing or was cut short."""
        with self._received.open("rb") as received:
            for name, path in outputs.items():
                header = received.read(8)
                size = int.from_bytes(header) if len(header) == 8 else _MISSING
                if size == _MISSING:
                    raise CodeError(f"{self._script} wrote no plain file to its --{name}.")
                _copy(received, path, size, f"{self._script}: what it wrote to --{name} was cut short.")


def _copy(source: IO[bytes], path: Path, size: int, complaint: str) -> None:
    with path.open("wb") as file:
        left = size
        while left:
            part = source.read(min(left, _MIB))
            if not part:
                raise CodeError(complaint)
            file.write(part)
            left -= len(part)


def _plain_environment(folder: object) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(folder), "TMPDIR": str(folder)}


def _resident(pid: int) -> int:
    """Bytes of resident memory of a process and all its descendants."""
    total = 0
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            total += process.memory_info().rss
    return total


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill whatever is left: the processes of the session, and with bubblewrap's own all that it started."""
    children: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        children = psutil.Process(process.pid).children(recursive=True)
    for end in [*(child.kill for child in children), lambda: os.killpg(process.pid, signal.SIGKILL)]:
        with contextlib.suppress(psutil.Error, OSError):
            end()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _last_line(text: str, code: int) -> str:
    lines = text.strip().splitlines()
    if code - 128 in set(signal.Signals):
        return f"{signal.Signals(code - 128).name} ended it" + (f" after: {lines[-1]}" if lines else "")
    return lines[-1] if lines else f"exit code {code}"


def choose_sandbox(setting: SandboxSetting, is_own: Callable[[bytes], bool]) -> Sandbox:
    """The sandbox of the setting `sandbox` (auto, bubblewrap or none); ConfigError if one is needed and none works.

    A script that `is_own` accepts is, byte for byte, one of this project's templates filled in: with `auto` it runs
    without a sandbox if none works. Code by an LLM or anybody else never does, unless the user's own setting says so.
    """
    if setting == "none":
        return _announced(Sandbox("NONE, as the configuration says: the code can do whatever you can", setting, False))
    reason = bubblewrap.why_not()
    if reason is None:
        return Sandbox(bubblewrap.version(), setting, is_closed=True)
    if setting == "auto":
        name = f"none, since {reason.partition(':')[0]}; only loramake's own templates filled in run so"
        return _announced(Sandbox(name, setting, is_closed=False, is_own=is_own))
    raise ConfigError(
        f"sandbox: generated code is not run without one, and {reason}; or set sandbox: none, at your own risk."
    )


def _announced(sandbox: Sandbox) -> Sandbox:
    """Announce a sandbox that isolates nothing before it is used."""
    say(f"sandbox: {sandbox.name}.")
    return sandbox

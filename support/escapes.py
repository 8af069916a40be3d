"""What hostile generated code tries: each attempt writes true to --out where it got its way.

    python -m support.escapes "UDP"      # one attempt, in a plain process and in the sandbox, as the user that you are

The attempts know of the outside by `--target`, a JSON text that a `Bait` makes: a TCP server, sockets, a process,
files. Run in a plain process all of them work (on a smaller scale: 100 processes, not all there can be), so that a
sandbox which holds them is known to hold something.
"""

import contextlib
import ctypes
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from loramake.errors import CodeError
from loramake.sandbox import Limits, Sandbox, choose_sandbox, keyring

ROOT = Path(__file__).parents[1]
SECRET = "canary-4f1d0c"
FILES = 2_000_000
"""How many files an attempt makes at most: more than a folder of the tests' limits holds."""

_HEAD = """
import argparse, ctypes, json, os, signal, socket, subprocess, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--out")
parser.add_argument("--target")
arguments = parser.parse_args()
target = json.loads(arguments.target)
libc = ctypes.CDLL(None, use_errno=True)


def tell(worked):
    with open(arguments.out, "w") as file:
        json.dump(bool(worked), file)


def attempt():
"""
_TAIL = """

try:
    worked = attempt()
except (OSError, MemoryError, subprocess.SubprocessError) as error:
    print(type(error).__name__, error)
    worked = False
tell(worked)
"""

ATTEMPTS = {
    "TCP to another host's address": """
    with socket.create_connection((target["address"], target["port"]), 3) as other:
        return other.recv(5) == b"hello"
""",
    "a server on the loopback": """
    with socket.create_connection(("127.0.0.1", target["port"]), 3) as other:
        return other.recv(5) == b"hello"
""",
    "UDP": """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.settimeout(1)
        other.sendto(b"ping", ("127.0.0.1", target["udp"]))
        return other.recv(5) == b"hello"
""",
    "DNS": """
    import struct
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.settimeout(1)
        name = b"".join(bytes([len(part)]) + part for part in [b"exfiltrated", b"example"]) + bytes(1)
        question = struct.pack(">6H", 1, 256, 1, 0, 0, 0) + name + struct.pack(">2H", 1, 1)
        other.sendto(question, ("127.0.0.1", target["udp"]))
        return other.recv(5) == b"hello"
""",
    "an abstract unix socket": """
    with socket.socket(socket.AF_UNIX) as other:
        other.connect("\\0" + target["abstract"])
        return other.recv(5) == b"hello"
""",
    "a unix socket in the file system": """
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(target["socket"])
        return other.recv(5) == b"hello"
""",
    "a key in its own environment": """
    return target["secret"] in os.environ.values()
""",
    "a key in another process's environment": """
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/environ") as file:
                    if target["secret"] in file.read():
                        return True
            except OSError:
                continue
    return False
""",
    "a key in the session's keyring (keyctl)": """
    search, read, session = 10, 11, -3
    key = libc.syscall(target["keyctl"], search, session, b"user", target["key"].encode(), 0)
    secret = ctypes.create_string_buffer(100)
    size = libc.syscall(target["keyctl"], read, key, secret, len(secret))
    return size > 0 and secret.raw[:size].decode() == target["secret"]
""",
    "a key file of the user (~/.ssh)": """
    with open(target["ssh"]) as file:
        return target["secret"] in file.read()
""",
    "the .env file": """
    with open(target["dotenv"]) as file:
        return target["secret"] in file.read()
""",
    "writing outside": """
    with open(os.path.join(target["folder"], "written"), "w") as file:
        file.write("x")
    return True
""",
    "writing outside through a link": """
    link = os.path.join(os.path.dirname(arguments.out), "link")
    os.symlink(target["folder"], link)
    with open(os.path.join(link, "written too"), "w") as file:
        file.write("x")
    return True
""",
    "changing the CSV": """
    os.chmod(target["csv"], 0o666)
    with open(target["csv"], "a") as file:
        file.write("changed")
    return True
""",
    "ending another process": """
    os.kill(target["pid"], signal.SIGTERM)
    return True
""",
    "tracing another process (ptrace)": """
    attached = libc.ptrace(16, target["pid"], 0, 0) == 0
    if attached:
        os.waitpid(target["pid"], 0x40000000)
        libc.ptrace(17, target["pid"], 0, 0)
    return attached
""",
    "a user namespace of its own": """
    return libc.unshare(0x10000000) == 0
""",
    "a fork bomb": """
    children = []
    try:
        while len(children) < 100:
            child = os.fork()
            if child == 0:
                time.sleep(30)
                os._exit(0)
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return True
""",
    "6 GB of memory": """
    import mmap
    block = mmap.mmap(-1, 6 * 10**9)
    block[10**9] = 1
    return True
""",
    "6 GB of memory in many processes": """
    pipe = os.pipe()
    for _ in range(12):
        if os.fork() == 0:
            block = bytearray(target["much"] // 12)
            os.write(pipe[1], b"x")
            time.sleep(2)
            os._exit(0)
    while len(os.read(pipe[0], 1)) and os.waitpid(-1, 0):
        return True
""",
    "an endless loop": """
    end = time.time() + target["seconds"]
    while time.time() < end:
        pass
    return True
""",
    "sleeping for ever": """
    time.sleep(target["seconds"])
    return True
""",
    "endless output": """
    for _ in range(target["lines"]):
        print("x" * 1023)
    return True
""",
    "a huge file": """
    with open(os.path.join(os.path.dirname(arguments.out), "huge"), "wb") as file:
        for _ in range(target["huge"] >> 20):
            file.write(bytes(1 << 20))
    return True
""",
    "a huge file in shared memory": """
    with open("/dev/shm/loramake-escape", "wb") as file:
        try:
            for _ in range(target["huge"] >> 20):
                file.write(bytes(1 << 20))
        finally:
            os.remove(file.name)
    return True
""",
    "memory that is no process's own (memfd)": """
    part = 64 << 20
    for _ in range(target["much"] // part):
        os.write(os.memfd_create("x"), bytes(part))
    return True
""",
    "many small files": """
    folder = os.path.dirname(arguments.out)
    for place in range(target["files"]):
        with open(os.path.join(folder, str(place)), "w") as file:
            file.write("x")
    return True
""",
    "a daemon that outlives it": """
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            devnull = os.open("/dev/null", os.O_RDWR)
            for place in range(256):
                if place != devnull:
                    try:
                        os.close(place)
                    except OSError:
                        pass
            os.execv("/bin/sleep", ["sleep", target["nap"]])
        os._exit(0)
    time.sleep(0.5)
    return True
""",
}
"""By what is attempted: the body of a function that returns whether it worked."""

OUTPUTS = {
    "a pickle as its output": """
import pickle, sys
with open(sys.argv[sys.argv.index("--out") + 1], "wb") as file:
    pickle.dump({"x": 1}, file)
""",
    "a link as its output": """
import os, sys
os.symlink("/etc/hostname", sys.argv[sys.argv.index("--out") + 1])
""",
    "a pipe as its output": """
import os, sys
os.mkfifo(sys.argv[sys.argv.index("--out") + 1])
""",
    "no output": "",
}


def script_of(body: str) -> str:
    """A whole script around the body of an attempt."""
    return _HEAD + body + _TAIL


@dataclass(frozen=True)
class Bait:
    """Things that an attempt is after; `given` is what it is told of them."""

    folder: Path
    process: subprocess.Popen[bytes]
    given: dict[str, object]

    def is_as_before(self) -> bool:
        """Whether nothing outside was changed, and nothing runs on."""
        written = sorted(path.name for path in self.folder.iterdir())
        return (
            written == ["data.csv", "home", "socket"]
            and (self.folder / "data.csv").read_text() == "a,b\n"
            and self.process.poll() is None
            and not self.daemons()
        )

    def daemons(self) -> list[psutil.Process]:
        """Processes that an attempt left behind."""
        processes = psutil.process_iter(["cmdline"])
        return [process for process in processes if (process.info["cmdline"] or [])[1:] == [self.given["nap"]]]


@contextlib.contextmanager
def bait(folder: Path) -> Iterator[Bait]:
    """Servers, sockets, a process with a key in its environment, and files, all open to anybody of this user."""
    folder.mkdir()
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/id_rsa").write_text(SECRET)
    (home / ".env").write_text(f"OPENAI_API_KEY={SECRET}\n")
    (folder / "data.csv").write_text("a,b\n")
    abstract = f"loramake-{os.getpid()}-{folder.name}"
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("", 0)))
        plain, hidden = (stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2))
        with contextlib.chdir(folder):  # a socket's path may have 107 characters
            plain.bind("socket")
        hidden.bind(f"\0{abstract}")
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        for server in (tcp, plain, hidden):
            server.listen()
            threading.Thread(target=_greet, args=(server,), daemon=True).start()
        threading.Thread(target=_answer, args=(udp,), daemon=True).start()
        process = stack.enter_context(_sleeper())
        key = _put_into_keyring()
        given = {
            "keyctl": keyring.KEYCTL.get(platform.machine(), -1),
            "key": key,
            "address": _own_address(),
            "port": tcp.getsockname()[1],
            "udp": udp.getsockname()[1],
            "abstract": abstract,
            "socket": str(folder / "socket"),
            "secret": SECRET,
            "ssh": str(home / ".ssh/id_rsa"),
            "dotenv": str(home / ".env"),
            "folder": str(folder),
            "csv": str(folder / "data.csv"),
            "pid": process.pid,
            "nap": f"{3600 + os.getpid()}.5",
        }
        yield Bait(folder, process, given)


@contextlib.contextmanager
def _sleeper() -> Iterator[subprocess.Popen[bytes]]:
    code = "import time; time.sleep(3600)"
    with subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "LORAMAKE_CANARY": SECRET}) as process:
        try:
            yield process
        finally:
            process.kill()


def _put_into_keyring() -> str:
    """The name of a key with the secret in the session keyring of this process."""
    libc, name = ctypes.CDLL(None, use_errno=True), f"loramake-{os.getpid()}"
    keyring.join_fresh_keyring()
    add_key = {"x86_64": 248, "aarch64": 217}.get(platform.machine(), -1)
    libc.syscall(add_key, b"user", name.encode(), SECRET.encode(), len(SECRET), -3)
    return name


def _own_address() -> str:
    """An address of this machine that is not the loopback, where it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # sends nothing
        return str(probe.getsockname()[0])
    return "127.0.0.1"


def _greet(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            other, _ = server.accept()
            with other:
                other.sendall(b"hello")


def _answer(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            _, address = server.recvfrom(512)
            server.sendto(b"hello", address)


_PLAIN = {"seconds": 2, "lines": 6000, "huge": 300 << 20, "files": 500, "much": 600 << 20}
"""A scale that the machine bears."""
_HOSTILE = {"seconds": 3600, "lines": 10**9, "huge": 10**11, "files": FILES, "much": 6 * 10**9}
_LIMITS = Limits(seconds=3, memory=2 << 30, folder=128 << 20)


def closed_sandbox() -> Sandbox:
    """bubblewrap, whatever the script."""
    return choose_sandbox("bubblewrap", lambda script: False)


def try_plain(script: Path, folder: Path) -> bool:
    """Whether an attempt gets its way in a plain process."""
    out = folder / "plain"
    out.mkdir()
    with bait(folder / "first") as baited:
        target = json.dumps({**baited.given, **_PLAIN})
        command = [sys.executable, str(script), "--out", str(out / "told"), "--target", target]
        subprocess.run(command, env={**os.environ, "LORAMAKE_CANARY": SECRET}, capture_output=True, check=False)
        told = (out / "told").exists() and (out / "told").read_text() == "true"
        if not baited.daemons():
            return told
    for process in baited.daemons():
        process.kill()
    return True


def try_in_sandbox(script: Path, folder: Path, is_left: bool = False) -> tuple[bool, str]:
    """Whether an attempt gets its way in the sandbox, or leaves anything changed; and the sentence it ends with.

    `is_left`: it is judged by what it leaves, not by what it says.
    """
    sandbox = replace(closed_sandbox(), limits=_LIMITS)
    out = folder / "results/told"
    os.environ["LORAMAKE_CANARY"] = SECRET
    with bait(folder / "second") as baited:
        target = json.dumps({**baited.given, **_HOSTILE})
        try:
            sandbox.run(script, inputs={}, outputs={"out": out}, values={"target": target})
            told, sentence = json.loads(out.read_bytes()) is True and not is_left, "ran to its end"
        except ValueError:
            told, sentence = False, "its output is no JSON"
        except CodeError as error:
            told, sentence = False, str(error).removeprefix(f"{script} ").splitlines()[0]
        time.sleep(0.2)
        return told or not baited.is_as_before(), sentence


def ordinary_user() -> list[str]:
    """The command in front of another that runs it as a user of no rights; nothing where this is one already.

    Python may lie in a folder of root's: it is shown through an empty one.
    """
    if os.geteuid() != 0:
        return []
    folders = {os.path.realpath(sys.base_prefix), sys.prefix, str(ROOT)}
    shown = [path for path in folders if path.startswith("/root/")]
    homes = ["--perms", "0755", "--tmpfs", "/root"] if shown else []
    binds = [part for path in sorted(shown) for part in _shown(path)]
    keep = ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    outer = ["bwrap", "--die-with-parent", *keep, "--dev-bind", "/", "/", *homes, *binds, "--"]
    return [*outer, "setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "--inh-caps=-all", "--"]


def _shown(path: str) -> list[str]:
    above = [str(folder) for folder in reversed(Path(path).parents) if str(folder) not in ("/", "/root")]
    return [part for folder in above for part in ("--perms", "0755", "--dir", folder)] + ["--ro-bind", path, path]


def attempt(name: str, prefix: Sequence[str]) -> dict[str, Any]:
    """One attempt in a process of its own behind a prefix: plain, escaped, sentence, seconds."""
    command = [*prefix, sys.executable, "-m", "support.escapes", name]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def main() -> None:
    name = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="escapes-") as temporary:
        folder = Path(temporary)
        script = folder / "attempt.py"
        if name in OUTPUTS:
            script.write_text(OUTPUTS[name])
        else:
            script.write_text(script_of(ATTEMPTS[name]))
        plain = name in OUTPUTS or try_plain(script, folder)
        started = time.perf_counter()
        escaped, sentence = try_in_sandbox(script, folder, is_left="daemon" in name)
        seconds = round(time.perf_counter() - started, 1)
        print(json.dumps({"plain": plain, "escaped": escaped, "sentence": sentence, "seconds": seconds}))


if __name__ == "__main__":
    main()

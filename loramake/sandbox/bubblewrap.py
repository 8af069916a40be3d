"""bubblewrap as a sandbox: no network, no other processes, a file system with only Python and the inputs.

Root is a special case: the limit on processes does not bind it. One bubblewrap sets up the file system as root, so
that inputs in root's folders are readable; then the uid is dropped, and a second one closes everything else. It takes
milliseconds either way (benchmarks/escapes.py).
"""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

NOBODY = "65534"
_KEYRING = Path(__file__).with_name("keyring.py").read_text(encoding="utf-8")
FOLDER = "/sandbox"
"""The only writable folder inside."""
INPUTS = "/inputs"
_ADVICE = (
    "install Debian's package bubblewrap; on Ubuntu 24.04 allow it in AppArmor (package apparmor-profiles, profile "
    "bwrap-userns-restrict); in a container add --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
)


@functools.cache
def why_not() -> str | None:
    """Why bubblewrap does not work here, and what to do next; None if it works. Tested once, by running it."""
    if not sys.platform.startswith("linux"):
        return f"bubblewrap needs Linux, and this is {sys.platform}"
    if shutil.which("bwrap") is None:
        return f"bubblewrap is not installed: {_ADVICE}"
    command = [*wrap(None, 1 << 20), sys.executable, "-I", "-S", "-c", "print('here')"]
    try:
        trial = subprocess.run(
            command, env={}, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not start ({error}): {_ADVICE}"
    if trial.stdout.strip() != "here":
        message = (trial.stderr.strip().splitlines() or [f"exit code {trial.returncode}"])[-1]
        return f"bubblewrap is refused here ({message}): {_ADVICE}"
    return None


@functools.cache
def version() -> str:
    """`bubblewrap 0.8.0`."""
    result = subprocess.run([_which("bwrap"), "--version"], env={}, capture_output=True, text=True, check=True)
    return result.stdout.strip()


def wrap(inputs: Path | None, size: int) -> list[str]:
    """The command prefix that runs another command in the sandbox.

    `inputs` is a folder that is mounted read-only as INPUTS; `size` is the capacity of FOLDER in bytes.
    """
    layout = [*_interpreter(), *([] if inputs is None else _read_only(inputs, INPUTS)), *_folder(FOLDER)]
    close = [
        *("--die-with-parent", "--new-session", "--unshare-all", "--unshare-user", "--disable-userns"),
        *("--cap-drop", "ALL", "--uid", NOBODY, "--gid", NOBODY),
    ]
    mounts = ["--dev", "/dev", "--proc", "/proc", "--size", str(size), "--perms", "0700", "--tmpfs", FOLDER]
    mounts += ["--remount-ro", "/dev", "--remount-ro", "/"]
    settings = ["--clearenv", *_settings(), "--chdir", FOLDER, "--"]
    bwrap, keyring = _which("bwrap"), [sys.executable, "-I", "-S", "-B", "-c", _KEYRING]
    if os.geteuid() != 0:
        return [*keyring, bwrap, *close, *layout, *mounts, *settings]
    drop = [_which("setpriv"), "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--inh-caps=-all", "--"]
    keep = ["--die-with-parent", "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    outer = [*keyring, bwrap, *keep, "--perms", "0755", "--tmpfs", "/", *layout, "--dev-bind", "/dev", "/dev"]
    outer += [*_folder("/tmp"), "--bind", "/proc", "/proc", "--chdir", "/", "--"]  # both for the second bubblewrap
    return [*outer, *drop, bwrap, *close, "--ro-bind", "/", "/", *mounts, *settings]


def _which(name: str) -> str:
    return shutil.which(name) or f"/usr/bin/{name}"


def _interpreter() -> list[str]:
    """Python, its packages and the libraries they need; for a virtual environment only its own folder."""
    prefixes = dict.fromkeys(["/usr", os.path.realpath(sys.base_prefix), sys.base_prefix, sys.prefix])
    links = [Path("/", name) for name in ("bin", "lib", "lib32", "lib64")]
    as_links = [part for link in links if link.is_symlink() for part in ("--symlink", str(link.readlink()), str(link))]
    as_folders = [part for link in links if link.is_dir() and not link.is_symlink() for part in _read_only(link, link)]
    mounts = [
        part for prefix in prefixes if not _is_in_usr(prefix) or prefix == "/usr" for part in _read_only(prefix, prefix)
    ]
    files = [part for file in ("/etc/ld.so.cache", "/etc/localtime") for part in ("--ro-bind-try", file, file)]
    return [*mounts, *as_links, *as_folders, *_folder("/etc"), *files]


def _is_in_usr(path: str) -> bool:
    return Path(path).is_relative_to("/usr")


def _read_only(source: str | Path, target: str | Path) -> list[str]:
    above = [part for folder in reversed(Path(target).parents[:-1]) for part in _folder(folder)]
    return [*above, "--ro-bind", str(source), str(target)]


def _folder(path: str | Path) -> list[str]:
    """Options for a folder; by default bubblewrap makes folders for its user alone."""
    return ["--perms", "0755", "--dir", str(path)]


def _settings() -> list[str]:
    """The whole environment of the script; one thread, since a thread counts as a process."""
    single_threaded = [f"{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")]
    pairs = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": FOLDER,
        "TMPDIR": FOLDER,
        **dict.fromkeys(single_threaded, "1"),
    }
    return [part for name, value in pairs.items() for part in ("--setenv", name, value)]

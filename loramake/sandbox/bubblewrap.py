"""bubblewrap as a sandbox: no network, no other process, an empty file system but for Python and the inputs.

Root is dealt with first: the limit on processes does not bind it. One bubblewrap lays out the file system as root, so
that inputs in folders of root's can be seen; then the uid is dropped, and a second one closes everything else. It takes
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
"""The one place inside that can be written to."""
INPUTS = "/inputs"
_ADVICE = (
    "install Debian's package bubblewrap; on Ubuntu 24.04 allow it in AppArmor (package apparmor-profiles, profile "
    "bwrap-userns-restrict); in a container add --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
)


@functools.cache
def why_not() -> str | None:
    """Why bubblewrap does not work here, with the way on; None where it does. Tried once a process, by running it."""
    if not sys.platform.startswith("linux"):
        return f"bubblewrap is for Linux, and this is {sys.platform}"
    if shutil.which("bwrap") is None:
        return f"bubblewrap is not installed: {_ADVICE}"
    command = [*wrap(None, 1 << 20), sys.executable, "-I", "-S", "-c", "print('here')"]
    try:
        tried = subprocess.run(
            command, env={}, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not start ({error}): {_ADVICE}"
    if tried.stdout.strip() != "here":
        said = (tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"])[-1]
        return f"bubblewrap is refused here ({said}): {_ADVICE}"
    return None


@functools.cache
def version() -> str:
    """`bubblewrap 0.8.0`."""
    said = subprocess.run([_which("bwrap"), "--version"], env={}, capture_output=True, text=True, check=True)
    return said.stdout.strip()


def wrap(inputs: Path | None, size: int) -> list[str]:
    """The command in front of another one that runs it in the sandbox.

    `inputs` is a folder that is seen, read-only, as INPUTS; `size` the most bytes that FOLDER holds.
    """
    layout = [*_interpreter(), *([] if inputs is None else _read_only(inputs, INPUTS)), *_folder(FOLDER)]
    close = [
        *("--die-with-parent", "--new-session", "--unshare-all", "--unshare-user", "--disable-userns"),
        *("--cap-drop", "ALL", "--uid", NOBODY, "--gid", NOBODY),
    ]
    own = ["--dev", "/dev", "--proc", "/proc", "--size", str(size), "--perms", "0700", "--tmpfs", FOLDER]
    own += ["--remount-ro", "/dev", "--remount-ro", "/"]
    settings = ["--clearenv", *_settings(), "--chdir", FOLDER, "--"]
    bwrap, keyring = _which("bwrap"), [sys.executable, "-I", "-S", "-B", "-c", _KEYRING]
    if os.geteuid() != 0:
        return [*keyring, bwrap, *close, *layout, *own, *settings]
    drop = [_which("setpriv"), "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--inh-caps=-all", "--"]
    keep = ["--die-with-parent", "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    outer = [*keyring, bwrap, *keep, "--perms", "0755", "--tmpfs", "/", *layout, "--dev-bind", "/dev", "/dev"]
    outer += [*_folder("/tmp"), "--bind", "/proc", "/proc", "--chdir", "/", "--"]  # both for the second bubblewrap
    return [*outer, *drop, bwrap, *close, "--ro-bind", "/", "/", *own, *settings]


def _which(name: str) -> str:
    return shutil.which(name) or f"/usr/bin/{name}"


def _interpreter() -> list[str]:
    """Python, its packages and the libraries they need; of a virtual environment only its own folder."""
    places = dict.fromkeys(["/usr", os.path.realpath(sys.base_prefix), sys.base_prefix, sys.prefix])
    links = [Path("/", name) for name in ("bin", "lib", "lib32", "lib64")]
    as_links = [part for link in links if link.is_symlink() for part in ("--symlink", str(link.readlink()), str(link))]
    as_folders = [part for link in links if link.is_dir() and not link.is_symlink() for part in _read_only(link, link)]
    own = [part for place in places if not _is_in_usr(place) or place == "/usr" for part in _read_only(place, place)]
    files = [part for file in ("/etc/ld.so.cache", "/etc/localtime") for part in ("--ro-bind-try", file, file)]
    return [*own, *as_links, *as_folders, *_folder("/etc"), *files]


def _is_in_usr(place: str) -> bool:
    return Path(place).is_relative_to("/usr")


def _read_only(source: str | Path, place: str | Path) -> list[str]:
    above = [part for folder in reversed(Path(place).parents[:-1]) for part in _folder(folder)]
    return [*above, "--ro-bind", str(source), str(place)]


def _folder(place: str | Path) -> list[str]:
    """bubblewrap makes folders for its user alone unless told otherwise."""
    return ["--perms", "0755", "--dir", str(place)]


def _settings() -> list[str]:
    """The whole environment of the script; one thread, since a thread counts as a process."""
    one = [f"{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")]
    pairs = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": FOLDER, "TMPDIR": FOLDER, **dict.fromkeys(one, "1")}
    return [part for name, value in pairs.items() for part in ("--setenv", name, value)]

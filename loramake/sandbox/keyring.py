"""Runs the rest of its command line behind a fresh session keyring, where the kernel has keyrings.

A process inherits the session keyring of its parent, and bubblewrap does not take it away: code in the sandbox could
search and read the keys of the user's session (keyrings(7)). Its text is given to Python with -c.
"""

import ctypes
import errno
import os
import platform
import sys

KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "ppc64le": 271, "s390x": 280}
"""The number of the system call keyctl(2)."""
_JOIN_SESSION_KEYRING = 1


def join_fresh_keyring() -> None:
    """Leave the session keyring for a new, empty one; OSError where the kernel has keyrings and gives none.

    Where keyctl is not to be had (an older kernel, a container's filter) the code in the sandbox has none either.
    """
    number = KEYCTL.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"no number of keyctl is known for {platform.machine()}")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, _JOIN_SESSION_KEYRING, None) < 0:
        reason = ctypes.get_errno()
        if reason not in (errno.ENOSYS, errno.EPERM):
            raise OSError(reason, os.strerror(reason))


if __name__ == "__main__":
    join_fresh_keyring()
    os.execv(sys.argv[1], sys.argv[1:])

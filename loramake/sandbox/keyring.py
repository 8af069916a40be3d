"""Runs the rest of its command line with a fresh session keyring, if the kernel has keyrings.

A process inherits the session keyring of its parent, and bubblewrap does not remove it: code in the sandbox could
search and read the keys of the user's session (keyrings(7)). Its text is passed to Python with -c.
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
    """Replace the session keyring with a new, empty one; OSError if the kernel has keyrings and refuses.

    Where keyctl is unavailable (an older kernel, a container's filter), the code in the sandbox has none either.
    """
    number = KEYCTL.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"the number of keyctl is unknown for {platform.machine()}")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, _JOIN_SESSION_KEYRING, None) < 0:
        reason = ctypes.get_errno()
        if reason not in (errno.ENOSYS, errno.EPERM):
            raise OSError(reason, os.strerror(reason))


if __name__ == "__main__":
    join_fresh_keyring()
    os.execv(sys.argv[1], sys.argv[1:])

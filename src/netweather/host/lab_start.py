"""The beginning of a process in a lab: enters the host's namespace, sees its hosts file, becomes its command.

A script of its own that imports nothing of this package, so that a process starts in a few milliseconds:
`python -I -S inside.py NAMESPACE-FD HOSTS-FILE COMMAND…`. Exit 127 when it can't.
"""

from __future__ import annotations

import ctypes
import os
import sys

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_SLAVE = 4096, 16384, 1 << 19


def enter(fd: int, hosts: str) -> None:
    """Moves this process into the namespace; hosts: what it and its children see as /etc/hosts. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)

    def checked(result: int, call: str) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), f"{call}: {os.strerror(ctypes.get_errno())}")

    checked(libc.setns(fd, CLONE_NEWNET), "setns")
    os.close(fd)
    checked(libc.unshare(CLONE_NEWNS), "unshare")
    checked(libc.mount(b"none", b"/", None, MS_REC | MS_SLAVE, None), "mount /")
    if os.path.exists("/etc/hosts"):
        checked(libc.mount(hosts.encode(), b"/etc/hosts", None, MS_BIND, None), "mount /etc/hosts")


def main(arguments: list[str]) -> None:
    """Entry point; it does not return."""
    fd, hosts, *command = arguments
    try:
        enter(int(fd), hosts)
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])

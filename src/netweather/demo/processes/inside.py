"""The beginning of each of the demo's processes: dies with the demo, enters its namespace, becomes its role.

Run as `python -m netweather.demo.processes.inside ROLE NAMESPACE-FD DEMO-PID`, with a pipe at stdin and stdout (control).
"""

from __future__ import annotations

import asyncio
import ctypes  # noqa: TID251 - a process of its own enters a namespace before it has threads: no worker of the seam's can
import importlib
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
CLONE_NEWNET = 0x40000000


def enter(fd: int, parent: int) -> None:
    """Ties this process to the demo and moves it into a namespace. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before it could be told to the kernel
        sys.exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if libc.setns(fd, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")
    os.close(fd)


def main(arguments: list[str]) -> None:
    """Entry point: the role is the module of this package whose `live` runs until the demo ends."""
    role, fd, parent = arguments
    enter(int(fd), int(parent))
    asyncio.run(importlib.import_module(f"netweather.demo.processes.{role}").live())


if __name__ == "__main__":
    main(sys.argv[1:])

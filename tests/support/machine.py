"""Who may use the machine now: timing-sensitive tests have it alone, all others share it, across workers and sessions."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SLOW = float(os.environ.get("NETWEATHER_TEST_SLOW", "1"))
"""How many times as long as usual things may take: 10 in an emulated guest."""
PATIENCE = 600  # seconds; more than a guest takes, but a session stopped in a debugger must not stop everybody else's


@contextmanager
def machine(*, alone: bool) -> Iterator[bool]:
    """Waits for its turn; whether it came in time."""
    lock = os.open(Path(tempfile.gettempdir(), f"netweather-tests-{os.getuid()}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield _acquire(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)  # explicitly: a forked child may still hold the file open
        os.close(lock)


def _acquire(lock: int, kind: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            return True
    return False

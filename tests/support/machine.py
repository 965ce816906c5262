"""Who may use the machine now: timing-sensitive tests have it alone, all others share it, across workers and sessions."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.speed import slowness

SLOW = float(os.environ.get("NETWEATHER_TEST_SLOW") or slowness())
"""How many times as long as usual things may take: measured by a session's first process, which tells the others; 10 or more
in an emulated guest. Every patience is multiplied by it, pytest-timeout's as well; no test may assert an absolute time."""
os.environ["NETWEATHER_TEST_SLOW"] = str(SLOW)
EMULATED = "NETWEATHER_GUEST" in os.environ
"""Whether this is a guest whose processor is emulated: its clocks are coarse, too."""
PATIENCE = 600 * SLOW  # seconds; more than a guest takes, but a session stopped in a debugger must not stop everybody else's


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

"""Which test may change which target: one at a time, across the workers of a machine, unless both say that they share.

A claim is a lock (flock) on the target's network namespace itself: no file is left behind, and a process that dies lets go.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from netweather.errors import NetweatherError
from netweather.kernel.waiting import pause
from netweather.targets import Target

PATIENCE_S = 300.0
TURN_S = 0.02


@dataclass
class _Held:
    """fd: the namespace, opened by us alone: a descriptor that a child process inherits would hold the lock as long as that lives."""

    fd: int
    count: int
    shared: bool


_held: dict[str, _Held] = {}


@contextlib.contextmanager
def claimed(targets: tuple[Target, ...], *, shared: bool = False, patience: float = PATIENCE_S) -> Iterator[None]:
    """Holds the targets. This process may claim again what it holds: a test degrades one target twice.

    Raises NetweatherError(code="target-busy") after `patience` seconds.
    """
    with contextlib.ExitStack() as stack:
        for target in sorted(targets, key=lambda one: one.identity):  # one order for all, so that no two wait for each other
            stack.enter_context(_claimed(target, shared, patience))
        yield


@contextlib.contextmanager
def _claimed(target: Target, shared: bool, patience: float) -> Iterator[None]:
    held = _held.get(target.identity)
    if held is None:
        fd = os.open(f"/proc/self/fd/{target.netns_fd}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _lock(fd, target, shared, patience)
        except BaseException:
            os.close(fd)
            raise
        held = _held[target.identity] = _Held(fd, 0, shared)
    held.count += 1
    try:
        yield
    finally:
        held.count -= 1
        if not held.count:
            del _held[target.identity]
            os.close(held.fd)


def _lock(fd: int, target: Target, shared: bool, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                what = f"{target.reference} was changed by another test for {patience:.0f} s"
                raise NetweatherError(
                    "target-busy",
                    what,
                    "two tests may not degrade one target at once",
                    "run them with --dist loadgroup, or say shared=True",
                ) from None
            pause(TURN_S)
        else:
            return

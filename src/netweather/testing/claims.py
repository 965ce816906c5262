"""Which test may change which target: one at a time, across the workers of a machine, unless both say that they share.

A claim is a lock (flock) on the target's network namespace itself: no file is left behind, and a process that dies lets go. Where
the namespace can't be opened (an agent's, for who is not root), it is one on a file in this user's own folder for such.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from netweather.errors import NetweatherError
from netweather.kernel.waiting import pause
from netweather.results import TargetRef

PATIENCE_S = 300.0
TURN_S = 0.02


@dataclass
class _Held:
    """fd: opened by us alone: a descriptor that a child process inherits would hold the lock as long as that lives."""

    fd: int
    count: int
    shared: bool


_held: dict[str, _Held] = {}


@contextlib.contextmanager
def claimed(targets: tuple[TargetRef, ...], *, shared: bool = False, patience: float = PATIENCE_S) -> Iterator[None]:
    """Holds the targets. This process may claim again what it holds: a test degrades one target twice.

    Raises NetweatherError(code="target-busy") after `patience` seconds.
    """
    with contextlib.ExitStack() as stack:
        for target in sorted(targets, key=lambda one: one.identity):  # one order for all, so that no two wait for each other
            stack.enter_context(_claimed(target, shared, patience))
        yield


@contextlib.contextmanager
def _claimed(target: TargetRef, shared: bool, patience: float) -> Iterator[None]:
    held = _held.get(target.identity)
    if held is None:
        fd = _opened(target)
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


def _opened(target: TargetRef) -> int:
    """A descriptor that means this target, for every process of this user."""
    for path in (target.path, f"/proc/{target.pid}/ns/net" if target.pid else None):
        if path is None:
            continue
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            found = os.fstat(fd)
            if (found.st_dev, found.st_ino) == (target.dev, target.ino):
                return fd
            os.close(fd)
    return _file(target)


def _file(target: TargetRef) -> int:
    folder = Path(tempfile.gettempdir(), f"netweather-claims-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        what = f"{folder} belongs to another user"
        raise NetweatherError("target-busy", what, "it records which test changes a target", "remove it, or set TMPDIR")
    return os.open(folder / target.identity, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _lock(fd: int, target: TargetRef, shared: bool, patience: float) -> None:
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
                    "two tests may not degrade one target at the same time",
                    "run them with --dist loadgroup, or set shared=True",
                ) from None
            pause(TURN_S)
        else:
            return

"""Finding a namespace again by its identity, and going through all that this machine shows. Only looks."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterator
from typing import Protocol

NAMED = ("/run/netns/*", "/run/docker/netns/*", "/run/netweather/netns/*")


class Located(Protocol):
    """Where a namespace was found: all that is needed to ask whether it is still there. pid, path: hints, one of them at least."""

    @property
    def dev(self) -> int: ...
    @property
    def ino(self) -> int: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def path(self) -> str | None: ...


def _open(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None


def _paths() -> Iterator[str]:
    for pattern in NAMED:
        yield from glob.glob(pattern)
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            yield f"/proc/{entry}/ns/net"


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino)


@contextlib.contextmanager
def open_namespace(dev: int, ino: int, hints: tuple[str, ...] = ()) -> Iterator[int | None]:
    """A descriptor of the namespace with this identity, wherever it can be seen; None when it is gone.

    hints: paths to try first.
    """
    fd = None
    for path in (*hints, *_paths()):
        if _identity(path) != (dev, ino):
            continue
        fd = _open(path)
        if fd is not None:
            break
    try:
        yield fd
    finally:
        if fd is not None:
            os.close(fd)


def every_namespace() -> Iterator[tuple[str, int, int, int]]:
    """Each namespace that can be seen, once: (path, dev, ino, descriptor); the descriptor is open until the next one."""
    seen: set[tuple[int, int]] = set()
    for path in _paths():
        identity = _identity(path)
        if identity is None or identity in seen:
            continue
        seen.add(identity)
        fd = _open(path)
        if fd is None:
            continue
        try:
            yield path, *identity, fd
        finally:
            os.close(fd)

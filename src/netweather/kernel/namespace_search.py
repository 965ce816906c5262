"""Finding a namespace again by its identity, and going through all that this machine shows. Only looks, and never stops half way."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import os
from collections.abc import Iterator
from typing import Final, Protocol

from netweather.kernel.namespaces import Namespace

_NS_GET_NSTYPE: Final = 0xB703
_CLONE_NEWNET: Final = 0x40000000
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


def _open(path: str) -> int:
    """Raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)


def _open_network(path: str) -> int:
    """A descriptor of the network namespace at a path. Raises OSError, also for anything else than one."""
    fd = _open(path)
    with contextlib.suppress(OSError):
        if fcntl.ioctl(fd, _NS_GET_NSTYPE) == _CLONE_NEWNET:
            return fd
    os.close(fd)
    raise OSError(errno.EINVAL, "it is not a network namespace")


def _paths() -> Iterator[str]:
    for pattern in NAMED:
        yield from glob.glob(pattern)
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            yield f"/proc/{entry}/ns/net"


def _identity(path: str) -> tuple[int, int]:
    """Raises OSError."""
    status = os.stat(path)
    return (status.st_dev, status.st_ino)


@contextlib.contextmanager
def open_namespace(dev: int, ino: int, hints: tuple[str, ...] = (), cookie: int = 0) -> Iterator[int | None]:
    """A descriptor of the namespace with this identity, wherever it can be seen; None when it is gone.

    hints: paths to try first. cookie: the namespace's, when it is known: another one may have got the inode since.
    """
    fd = None
    for path in (*hints, *_paths()):
        with contextlib.suppress(OSError):
            if _identity(path) == (dev, ino):
                fd = _open(path)
                break
    if fd is not None and is_another(fd, cookie):
        os.close(fd)
        fd = None
    try:
        yield fd
    finally:
        if fd is not None:
            os.close(fd)


def is_another(fd: int, cookie: int) -> bool:
    """Whether a namespace is not the one of this cookie; False where that is not known (0)."""
    if not cookie:
        return False
    with Namespace(fd) as namespace:
        return namespace.cookie not in (0, cookie)


def every_namespace(skipped: dict[str, str] | None = None) -> Iterator[tuple[str, int, int, int]]:
    """Each namespace that can be seen, once: (path, dev, ino, descriptor); the descriptor is open until the next one.

    skipped: gets the paths that stand for no namespace that can be opened, and why. What has just disappeared is not among them.
    """
    seen: set[tuple[int, int]] = set()
    for path in _paths():
        try:
            identity = _identity(path)
            if identity in seen:
                continue
            fd = _open_network(path)
        except (FileNotFoundError, ProcessLookupError):
            continue
        except OSError as error:
            if skipped is not None:
                skipped[path] = str(error.strerror)
            continue
        seen.add(identity)
        try:
            yield path, *identity, fd
        finally:
            os.close(fd)

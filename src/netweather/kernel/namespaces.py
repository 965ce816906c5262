"""Network namespaces: made, entered and left without ever moving the caller.

A thread that has entered another namespace must not serve anything else afterwards, so each `Namespace` owns one thread that
enters once and then runs what it is given. Not here: which namespace belongs to which container (netweather.targets).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import functools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Self, TypeVar

from netweather.errors import NetweatherError

T = TypeVar("T")

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
_NS_GET_ID, _SO_NETNS_COOKIE = 0x8008B70D, 71

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, call: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def unshare_mounts() -> None:
    """Gives the calling thread mounts of its own, as they are now; those made in it stay with it and who it starts. Raises OSError."""
    _checked(_libc.unshare(CLONE_NEWNS), "unshare")
    _mount("none", "/", None, MS_REC | MS_PRIVATE)


def unshare_network() -> None:
    """Moves the calling thread into a new network namespace. Raises OSError."""
    _checked(_libc.unshare(CLONE_NEWNET), "unshare")


def bind(source: str, target: str) -> None:
    """Shows `source` in place of `target`, to the calling thread's mount namespace. Raises OSError."""
    _mount(source, target, None, MS_BIND)


def in_new_thread(work: Callable[[], T]) -> T:
    """Runs what must not happen to a thread that goes on. Raises what it raises."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def _setns(fd: int) -> None:
    _checked(_libc.setns(fd, CLONE_NEWNET), "setns")


def enter(path: str, identity: tuple[int, int]) -> None:
    """Moves the calling thread into the namespace at a path, if it is still that of this (dev, ino). Raises OSError; ESTALE if not."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(fd)
        if (status.st_dev, status.st_ino) != identity:
            raise OSError(errno.ESTALE, "the path now leads to another namespace")
        _setns(fd)
    finally:
        os.close(fd)


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    encoded = kind.encode() if kind else None
    _checked(_libc.mount(source.encode(), target.encode(), encoded, flags, None), f"mount {target}")


class _Worker:
    """A thread that runs one function after another. A ThreadPoolExecutor does the same at several times the cost per call."""

    def __init__(self, name: str) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
            del task  # a result must not live until the next task

    def is_caller(self) -> bool:
        return threading.get_ident() == self._thread.ident and self._thread.is_alive()

    def run(self, function: Callable[[], T]) -> T:
        """Runs the function in the thread. Returns its result, or raises what it raised."""
        results: list[T] = []
        errors: list[BaseException] = []
        done = threading.Lock()
        done.acquire()

        def task() -> None:
            try:
                results.append(function())
            except BaseException as error:  # whoever called raises it
                errors.append(error)
            finally:
                done.release()

        self._tasks.put(task)
        done.acquire()
        if errors:
            try:
                raise errors[0]
            finally:
                errors.clear()  # a traceback that refers to this frame must not keep it alive
        return results[0]

    def close(self) -> None:
        """Ends the thread, after the tasks that it has."""
        self._tasks.put(None)
        self._thread.join()


class Namespace:
    """An open network namespace, identified by (device, inode) of its descriptor.

    fd: a descriptor of the namespace; duplicated, so the caller keeps its own.
    Raises NetweatherError(code="cannot-enter-namespace") at the first `run` when the kernel refuses.
    """

    def __init__(self, fd: int) -> None:
        self.fd = os.dup(fd)
        status = os.fstat(self.fd)
        self.identity = (status.st_dev, status.st_ino)
        self._worker: _Worker | None = None
        self._lock = threading.Lock()
        self._sysfs = False

    @functools.cached_property
    def cookie(self) -> int:
        """A number that no other namespace has or will have until this machine restarts; 0 from kernels that have none (before 5.14).

        The inode is a namespace's number only while it exists: the next one that is made may get it.
        """
        try:
            return quick_cookie(self.fd) or int.from_bytes(self.run(_socket_cookie), sys.byteorder)
        except OSError:
            return 0

    def is_at(self, path: Path) -> bool:
        """Whether this is the namespace that is mounted at a path now. Raises FileNotFoundError."""
        status = path.stat()
        return (status.st_dev, status.st_ino) == self.identity

    def run(self, function: Callable[[], T]) -> T:
        """Runs the function inside the namespace, in this namespace's own thread, and returns its result."""
        worker = self._worker
        if worker is not None and worker.is_caller():
            return function()
        with self._lock:
            if self._worker is None:
                worker = _Worker(f"netns-{self.identity[1]}")
                try:
                    worker.run(lambda: _setns(self.fd))
                except OSError as error:
                    worker.close()
                    raise _cannot_enter(self.identity[1], error) from error
                self._worker = worker
            worker = self._worker
        return worker.run(function)

    def mount_sysfs(self) -> Path:
        """Mounts this namespace's own sysfs over /sys, seen by this namespace's thread alone. Call inside `run`.

        The thread then has a mount namespace of its own, and doesn't see what is mounted elsewhere afterwards.
        """
        if not self._sysfs:
            unshare_mounts()
            _mount("sysfs", "/sys", "sysfs", 0)
            self._sysfs = True
        return Path("/sys")

    def close(self) -> None:
        """Ends the thread and closes the descriptor; the namespace itself is left as it is."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _cannot_enter(ino: int, error: OSError) -> NetweatherError:
    remedy = "name a network namespace; `netweather targets` lists them"
    if error.errno in (errno.EPERM, errno.EACCES):
        remedy = "run it as root, or through an agent"
        if os.geteuid() == 0:
            remedy = "give this process CAP_SYS_ADMIN over that namespace: a container needs --privileged"
    return NetweatherError("cannot-enter-namespace", f"network namespace {ino} cannot be entered", str(error), remedy)


def quick_cookie(fd: int) -> int:
    """The same where a descriptor is enough to know it (Linux 6.18 and later), else 0."""
    told = bytearray(8)
    try:
        fcntl.ioctl(fd, _NS_GET_ID, told)
    except OSError:
        return 0
    return int.from_bytes(told, sys.byteorder)


def _socket_cookie() -> bytes:
    import socket  # later: whoever only looks at targets needs none

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as found:
        return found.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)


def nameless() -> Namespace:
    """A new namespace that nothing but its descriptor holds: nothing is left of it whatever becomes of this process. Raises OSError."""

    def work() -> Namespace:
        unshare_network()
        fd = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return Namespace(fd)
        finally:
            os.close(fd)

    return in_new_thread(work)


def make(path: Path) -> None:
    """Makes a new namespace, kept by a bind mount at `path` (an empty file is made there).

    Raises OSError; nothing is left then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(exist_ok=True)

    def work() -> None:
        unshare_network()
        source = f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net"
        _mount(source, str(path), None, MS_BIND)

    try:
        in_new_thread(work)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def remove(path: Path) -> None:
    """Undoes `make`. A namespace or file that isn't there is no error, nor is a file that can't be removed. Raises OSError."""
    while is_mounted(path):
        _checked(_libc.umount2(str(path).encode(), MNT_DETACH), f"umount {path}")
    with contextlib.suppress(OSError):
        path.unlink()


def is_mounted(path: Path) -> bool:
    """Whether a namespace is kept at `path`: all of them are of one device. A plain file's need not be its folder's (overlayfs)."""
    try:
        return path.stat().st_dev == os.stat("/proc/self/ns/net").st_dev
    except OSError:
        return False


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Namespace]:
    """The namespace at `path`, closed afterwards. Raises FileNotFoundError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        namespace = Namespace(fd)
    finally:
        os.close(fd)
    with namespace:
        yield namespace


def boot_ns() -> int:
    """The clock of leases and heartbeats: the host's CLOCK_BOOTTIME, in ns. It goes on in suspend and never jumps.

    BPF programs read the host's clock. A process in a time namespace reads another one, so that offset is subtracted.
    """
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - boot_offset_ns()


@functools.cache
def boot_offset_ns() -> int:
    """What the time namespace of this process adds to CLOCK_BOOTTIME, in ns; 0 on the host. Raises OSError."""
    try:
        if os.readlink("/proc/self/ns/time") != os.readlink("/proc/self/ns/time_for_children"):
            return 0  # it has made one that only its children will be in
        with open("/proc/self/timens_offsets", encoding="ascii") as file:
            return boot_offset_in(file.read())
    except FileNotFoundError:  # Linux without CONFIG_TIME_NS
        return 0


def boot_offset_in(offsets: str) -> int:
    """The same from the text of a timens_offsets file, whose lines are: clock, seconds, nanoseconds."""
    for line in offsets.splitlines():
        clock, seconds, ns = line.split()
        if clock in ("boottime", "7"):  # Linux 5.6 writes the number
            return int(seconds) * 10**9 + int(ns)
    return 0

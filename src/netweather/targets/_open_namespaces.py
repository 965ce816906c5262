"""Opening network namespaces and telling them apart. Nothing here enters one, and nothing knows about containers.

Processes are pinned by a descriptor of their /proc directory: the number may be reused, the descriptor then only fails.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from netweather.errors import NetweatherError
from netweather.targets._failures import needs_root
from netweather.targets.model import Address, Target
from netweather.targets.references import Reference

if TYPE_CHECKING:
    from types import TracebackType

Identity = tuple[int, int]

HOST_PATH: Final = "/proc/1/ns/net"
_KERNEL_PATH: Final = "/proc/2/ns/net"
OWN_PATH: Final = "/proc/self/ns/net"
_NS_GET_NSTYPE: Final = 0xB703
_CLONE_NEWNET: Final = 0x40000000
_PF_KTHREAD: Final = 0x00200000
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class ProcessEntry:
    """A process held by its /proc directory; a context manager. Raises NetweatherError unknown-target when there is none."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._directory = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._gone() from error

    def __enter__(self) -> ProcessEntry:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._directory)

    def open_network(self) -> int:
        """A descriptor of its network namespace; the caller closes it. Raises unknown-target (has exited), needs-root."""
        try:
            return os.open("ns/net", _FLAGS, dir_fd=self._directory)
        except PermissionError as error:
            raise needs_root(f"the network of process {self.pid} could not be opened", str(error.strerror)) from error
        except OSError as error:
            raise self._gone() from error

    @contextmanager
    def root(self) -> Iterator[int]:
        """A descriptor of its root directory, closed afterwards: paths are to be taken below it step by step. Raises OSError."""
        fd = os.open("root", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._directory)
        try:
            yield fd
        finally:
            os.close(fd)

    def command(self) -> str:
        """Its short name, 15 characters at most, fit for a terminal; "?" when it has exited."""
        name = self._read("comm").rstrip("\n") or "?"
        return "".join(letter if letter.isprintable() else "?" for letter in name)

    def control_groups(self) -> str:
        """The text of /proc/PID/cgroup; "" when it has exited."""
        return self._read("cgroup")

    def _read(self, name: str) -> str:
        try:
            with open(os.open(name, _FLAGS, dir_fd=self._directory), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def _gone(self) -> NetweatherError:
        return NetweatherError(
            "unknown-target",
            f"process {self.pid} does not exist",
            "it has exited, or is in a pid namespace that is not visible",
            "find the right number with: ps -e",
        )


def open_path(path: str) -> int:
    """A descriptor of the network namespace that a file stands for; the caller closes it.

    Raises NetweatherError: unknown-target (no such file), needs-root, not-a-namespace (anything else than a network namespace).
    """
    try:
        fd = os.open(path, _FLAGS)
    except PermissionError as error:
        raise needs_root(f"{path} could not be opened", str(error.strerror)) from error
    except FileNotFoundError as error:
        raise NetweatherError(
            "unknown-target", f"{path} does not exist", str(error.strerror), "list them with: ip netns"
        ) from error
    except OSError as error:
        raise _not_a_namespace(path, str(error.strerror)) from error
    if not _is_network(fd):
        os.close(fd)
        raise _not_a_namespace(path, "the kernel knows it as no network namespace; a name that outlived its namespace?")
    return fd


def identity_of(path: str | int) -> Identity | None:
    """(st_dev, st_ino) of a namespace file or descriptor; None when it is not there or may not be looked at."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def process_identity(pid: int) -> Identity | None:
    """The identity of the network namespace that a process lives in; None when it has exited or may not be looked at."""
    return identity_of(f"/proc/{pid}/ns/net")


def host_path() -> str:
    """A file that stands for the host's network: process 1's, or a kernel thread's.

    The latter where process 1 has more capabilities than this one (some sandboxes' has), which hides its files even from root.
    """
    return _KERNEL_PATH if identity_of(HOST_PATH) is None and _is_kernel_thread(2) else HOST_PATH


def host_identities() -> dict[Identity, tuple[str, str]]:
    """The namespaces that are refused as targets, with the reason and the remedy: the caller's own, and the host's."""
    hosts = {}
    own, host = identity_of(OWN_PATH), identity_of(host_path())
    if own is not None:
        hosts[own] = ("it is the network that netweather itself runs in", "run netweather from the host's network")
    if host is not None:
        remedy = "name one with a network of its own (a container without --network host), or write host if you mean the host"
        hosts[host] = ("it is the host's own network", remedy)
    return hosts


def held_target(
    fd: int,
    reference: str,
    name: str,
    runtime: str,
    *,
    pid: int | None = None,
    path: str | None = None,
    addresses: tuple[Address, ...] = (),
) -> Target:
    """A Target that owns `fd` and has its identity."""
    found = os.fstat(fd)
    return Target(reference, name, fd, found.st_dev, found.st_ino, pid, path, runtime, addresses)


def _is_network(fd: int) -> bool:
    with suppress(OSError):
        return fcntl.ioctl(fd, _NS_GET_NSTYPE) == _CLONE_NEWNET
    return False


def _is_kernel_thread(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return False
    return bool(int(fields[6]) & _PF_KTHREAD)


def _not_a_namespace(path: str, why: str) -> NetweatherError:
    return NetweatherError(
        "not-a-namespace", f"{path} is not a network namespace", why, "name one of: ip netns; or /proc/PID/ns/net"
    )


def open_of_process(
    reference: Reference, name: str, *, pid: int, ids: Collection[str], path: str = "", addresses: tuple[Address, ...] = ()
) -> Target | None:
    """The namespace of a container's first process; None when there is no such process, or it is not the container's.

    ids: what a control group of the container's has in its name; path: the runtime's own file of the namespace, "" when it tells
    none; it becomes the target's when it is visible from here. Raises NetweatherError needs-root.
    """
    try:
        with ProcessEntry(pid) as process:
            groups = process.control_groups()
            fd = process.open_network()
    except NetweatherError as error:
        if error.code != "unknown-target":
            raise
        return None
    target = held_target(fd, reference.text, name, reference.scheme, pid=pid, addresses=addresses)
    visible = bool(path) and identity_of(path) == (target.dev, target.ino)
    # Its pid may be of another pid namespace or machine (Docker Desktop, a forwarded socket): then it names somebody else here.
    if not visible and not any(id in groups for id in ids):  # noqa: A001 - what runtimes call it
        target.close()
        return None
    return replace(target, path=path) if visible else target


def open_of_path(reference: Reference, name: str, path: str, addresses: tuple[Address, ...] = ()) -> Target | None:
    """The namespace that a runtime keeps at a path, without any process of its own; None when it is not visible from here.

    Raises NetweatherError needs-root.
    """
    try:
        fd = open_path(path)
    except NetweatherError as error:
        if error.code == "needs-root":
            raise
        return None
    return held_target(fd, reference.text, name, reference.scheme, path=path, addresses=addresses)

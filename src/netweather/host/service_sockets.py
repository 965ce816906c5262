"""Sockets that a service listens on, and telling the service manager that it does. Not here: what is spoken there."""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import grp
import os
import pwd
import resource
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netweather.errors import NetweatherError

BACKLOG = 4096


@contextlib.contextmanager
def unix(path: Path, group: int | None) -> Iterator[socket.socket]:
    """A listening Unix socket that root may connect to, and the members of a group; removed at the end.

    Raises NetweatherError(code="agent-running") when another process listens there, OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    running = NetweatherError(
        "agent-running", "an agent runs already", f"it listens on {path}", "stop it first, or name another --socket"
    )
    with only_one(path.with_name(f"{path.name}.lock"), running), _bound(path, group) as listener:
        yield listener


@contextlib.contextmanager
def unix_in_own_folder(path: Path) -> Iterator[socket.socket]:
    """A listening Unix socket in a folder for root alone, which is made for it; both are removed at the end, and what a killed one left
    is replaced. Raises NetweatherError(code="cannot-listen"), also when something else is in that folder.
    """
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(each != path or not each.is_socket() for each in path.parent.iterdir()):
                raise OSError(errno.ENOTEMPTY, "there is something else in its folder")
            path.parent.chmod(0o700)
            stack.callback(_remove_empty, path.parent)
            listener = stack.enter_context(_bound(path, None))
        except OSError as error:
            what = f"{path} cannot be used for listening"
            why = error.strerror or str(error)  # a path that is too long has no number
            raise NetweatherError("cannot-listen", what, why, "name another folder: --root") from error
        yield listener


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


@contextlib.contextmanager
def _bound(path: Path, group: int | None) -> Iterator[socket.socket]:
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        if group is not None:
            os.chown(path, -1, group)
            path.chmod(0o660)
        listener.listen(BACKLOG)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def only_one(lock: Path, otherwise: NetweatherError) -> Iterator[None]:
    """Holds a lock file for as long as it lasts. Raises `otherwise` when another process does."""
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise otherwise from error
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def tcp(host: str, port: int) -> Iterator[socket.socket]:
    """A listening TCP socket. Raises NetweatherError(code="cannot-listen")."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot(host, port, error) from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as error:
            raise _cannot(host, port, error) from error
        yield listener


def _cannot(host: str, port: int, error: OSError) -> NetweatherError:
    return NetweatherError(
        "cannot-listen", f"{host}:{port} cannot be used for listening", str(error.strerror), "name another --listen"
    )


def as_many_files_as_possible() -> int:
    """Raises the limit of open descriptors to what is allowed; returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def tell_manager(state: str) -> None:
    """Tells systemd, where it started us, such as READY=1 (sd_notify). Nothing otherwise."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, contextlib.suppress(OSError):
        channel.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)


SO_PEERGROUPS = 59
MOST_GROUPS = 65536


@dataclass(frozen=True)
class Credentials:
    """A process as it was when it connected. groups: all of its groups."""

    pid: int
    uid: int
    groups: frozenset[int]


def of_peer(connection: Any) -> Credentials | None:
    """The credentials of a connected socket's peer; None of a socket that isn't a Unix one."""
    if connection is None or connection.family != socket.AF_UNIX:
        return None
    pid, uid, gid = array.array("i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        groups = array.array("I", connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 4 * MOST_GROUPS))
    except OSError:  # before Linux 4.13
        groups = array.array("I")
    return Credentials(pid, uid, frozenset([gid, *groups]))


def of_user(uid: int) -> Credentials | None:
    """A user's credentials as they would be now, of no process; None when there is no such user any more."""
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return None
    return Credentials(0, uid, frozenset(os.getgrouplist(user.pw_name, user.pw_gid)))


def user_name(uid: int) -> str:
    """The user's name; its number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def user_number(name: str) -> int | None:
    """The number of a user; None when there is none of that name."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def group_number(name: str) -> int | None:
    """The number of a group; None when there is none of that name."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None

"""Sockets that a service listens on, and telling the service manager that it does. Not here: what is spoken there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

from netweather.errors import NetweatherError

BACKLOG = 4096


@contextlib.contextmanager
def unix(path: Path, group: int | None) -> Iterator[socket.socket]:
    """A listening Unix socket that root may connect to, and the members of a group; removed at the end.

    Raises NetweatherError(code="agent-running") when another process listens there, OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(path.with_name(f"{path.name}.lock"), path):
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
def _only_one(lock: Path, path: Path) -> Iterator[None]:
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        what = "an agent runs already"
        raise NetweatherError(
            "agent-running", what, f"it listens on {path}", "stop it first, or name another --socket"
        ) from error
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
    return NetweatherError("cannot-listen", f"{host}:{port} can't be listened on", str(error.strerror), "name another --listen")


def answers(path: Path) -> bool:
    """Whether somebody listens on a Unix socket. Raises PermissionError when that may not be known."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except PermissionError:
            raise
        except OSError:
            return False
    return True


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

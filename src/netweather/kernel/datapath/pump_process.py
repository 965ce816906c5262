"""The pump as a process: starting it, giving it lines, watching it. What it does with packets is its own (pump/*.c).

It listens on `pump.sock` in the target's state directory, so whoever is root can give it lines: it needs no parent.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import socket
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from netweather.errors import NetweatherError
from netweather.kernel.datapath.pump_file import ParamsFile
from netweather.kernel.namespaces import boot_offset_ns
from netweather.kernel.waiting import until

MAGIC = 0x3143574E
ADD, REMOVE, PING = 1, 2, 3
ADD_VNET_HDR = 1
REMOVE_DROP = 2
REQUEST = struct.Struct("=IHHIIQ")
REPLY = struct.Struct("=IHHiIQ")
STARTUP_S = 5.0
TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ProcessHandle:
    """A process that stays the same one: a pid is reused, a pid with its start time isn't.

    start: in ticks of the host's clock. The kernel shows it in the clock of the reader's time namespace.
    """

    pid: int
    start: int

    @classmethod
    def of(cls, pid: int) -> ProcessHandle | None:
        """The process with this pid, or None when there is none (or only its zombie)."""
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        fields = text.rpartition(")")[2].split()
        if fields[0] in "ZX":
            return None
        return cls(pid, int(fields[19]) - round(boot_offset_ns() / TICK_NS))

    @property
    def alive(self) -> bool:
        found = ProcessHandle.of(self.pid)  # an offset that is no multiple of a tick rounds either way
        return found is not None and abs(found.start - self.start) <= 1

    def signal(self, number: int) -> None:
        """Sends a signal to this very process; one that is gone is no error."""
        with contextlib.suppress(ProcessLookupError):
            fd = os.pidfd_open(self.pid)
            try:
                if self.alive:
                    signal.pidfd_send_signal(fd, number)
            finally:
                os.close(fd)


def binary() -> Path:
    """The pump for this machine. Raises NetweatherError(code="not-built")."""
    path = Path(__file__).parent.parent.parent / "_built" / platform.machine() / "netweather-pump"
    if not path.exists():
        raise NetweatherError("not-built", f"no pump is built for {platform.machine()}", str(path), "reinstall netweather")
    return path


def renew(parameters: Path) -> None:
    """A new file for a new pump, in its clock. A pump whose starter was killed before it wrote down whom has the old one: it ends
    when that has no name any more.
    """
    parameters.unlink(missing_ok=True)
    with ParamsFile(parameters) as file:
        file.set_boot_offset(boot_offset_ns())


def start(directory: Path, parameters: Path, beat_fd: int, cpu: int) -> ProcessHandle:
    """Starts a pump for one target, and writes pump.pid. Returns when it listens; raises NetweatherError(code="pump-failed")."""
    (directory / "pump.sock").unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with listener, parameters.open("r+b") as file, (directory / "pump.log").open("wb") as log:
        with _short(directory) as path:
            listener.bind(path)
            os.chmod(path, 0o600)
        listener.listen(8)
        for fd in (listener.fileno(), file.fileno(), beat_fd):
            os.set_inheritable(fd, True)
        command = [str(binary()), "--control", str(listener.fileno()), "--params", str(file.fileno())]
        command += ["--beat", str(beat_fd), "--cpu", str(cpu)]
        child = subprocess.Popen(
            command,
            pass_fds=(listener.fileno(), file.fileno(), beat_fd),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    process = ProcessHandle.of(child.pid)
    try:
        with PumpControl(directory) as control:
            control.ping()
    except OSError as error:
        child.kill()
        child.wait()
        raise NetweatherError(
            "pump-failed",
            "the pump did not start",
            (directory / "pump.log").read_text(errors="replace")[-300:] or str(error),
            "`netweather doctor` says what is missing",
        ) from error
    _reap_later(child)
    if process is None:
        raise NetweatherError("pump-failed", "the pump ended immediately", "", "see pump.log in the state directory")
    (directory / "pump.pid").write_text(f"{process.pid} {process.start}")
    return process


def forget(directory: Path) -> None:
    """No pump runs for this directory any more. What can't be removed, on a read-only disk, stays: its pid is nobody's."""
    for name in ("pump.pid", "pump.sock"):
        with contextlib.suppress(OSError):
            (directory / name).unlink()


@contextlib.contextmanager
def _short(directory: Path) -> Iterator[str]:
    """A path of the socket that fits a socket's address (107 bytes), however deep the state directory is."""
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/pump.sock"
    finally:
        os.close(fd)


def _reap_later(child: subprocess.Popen[bytes]) -> None:
    """The child outlives us on purpose; without this, Popen warns, and a keeper would collect zombies."""
    import threading

    threading.Thread(target=child.wait, name="reap-pump", daemon=True).start()


class PumpControl:
    """A connection to a running pump. Raises OSError when there is none."""

    def __init__(self, directory: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(STARTUP_S)
        try:
            with _short(directory) as path:
                self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise

    def add(self, line: int, fd: int) -> None:
        """Gives the pump a line's TAP; it starts the line's random streams anew."""
        self._ask(ADD, line, ADD_VNET_HDR, fd)

    def remove(self, line: int, *, drop: bool = False) -> None:
        """The pump reads no more of this line and delivers what it holds when it is due. drop: it drops it now instead."""
        self._ask(REMOVE, line, REMOVE_DROP if drop else 0)

    def ping(self) -> None:
        """Returns when every parameter written before is in force."""
        self._ask(PING, 0, 0)

    def _ask(self, operation: int, line: int, flags: int, fd: int | None = None) -> None:
        request = REQUEST.pack(MAGIC, operation, line, flags, 1, 0)
        if fd is None:
            self._socket.send(request)
        else:
            socket.send_fds(self._socket, [request], [fd])
        answer = self._socket.recv(64)
        if len(answer) < REPLY.size:
            raise ConnectionResetError("the pump disconnected")
        status = REPLY.unpack(answer[: REPLY.size])[3]
        if status < 0:
            raise OSError(-status, f"the pump refused: {os.strerror(-status)}")

    def __enter__(self) -> PumpControl:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def stop(process: ProcessHandle, patience_s: float = 2.0) -> None:
    """Ends a pump: it lets out what it holds, for a second at most; then it is killed."""
    process.signal(signal.SIGTERM)
    if not wait_gone(process, patience_s):
        process.signal(signal.SIGKILL)
        wait_gone(process, 1.0)


def wait_gone(process: ProcessHandle, patience_s: float) -> bool:
    """Waits for a process, ours or not, to be gone."""
    return until(lambda: not process.alive, patience_s)

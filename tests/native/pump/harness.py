"""The pump under test: built once per content, driven through socket pairs instead of TAPs."""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from netweather.kernel.datapath.pump_file import PUMP_PID, PUMP_STATE, ParamsFile
from netweather.lines.params import LineParams, LineStats
from tests.support.machine import SLOW

ROOT = Path(__file__).resolve().parents[3]
PUMP = ROOT / "pump"
WARNINGS = ("-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror")
ZIG = (sys.executable, "-m", "ziglang", "cc")
MUSL = (*ZIG, "-target", f"{os.uname().machine}-linux-musl", "-static")
SANITIZE = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DNW_SANITIZE")
REQUEST = struct.Struct("<IHHIIQ")
REPLY = struct.Struct("<IHHiIQ")
MAGIC = 0x3143574E
ADD, REMOVE, PING = 1, 2, 3
GONE = 3
LONGEST_NS = 300 * 10**9
VNET = struct.Struct("<BBHHHH")
ETHER = bytes(12)


def build(name: str, command: Sequence[str], sources: Sequence[Path], *last: str, headers: Iterable[Path] | None = None) -> Path:
    """Compiles the sources unless that was done before. Raises AssertionError with the compiler's words.

    last: options that have the last word. headers: what the sources may include, the pump's unless told otherwise.
    """
    digest = hashlib.sha256(repr((name, *command, *last)).encode())
    for file in sorted({*sources, *(PUMP.glob("*.h") if headers is None else headers)}):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "netweather", "tests", digest.hexdigest())
    target = folder / name
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{name}.{os.getpid()}"
    done = subprocess.run(
        [*command, *WARNINGS, "-std=gnu17", f"-I{PUMP}", *last, *map(str, sources), "-o", str(partial)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    partial.replace(target)
    return target


def sources() -> list[Path]:
    return sorted(PUMP.glob("*.c"))


def core_sources() -> list[Path]:
    """The pump without its process: no main, loop or file descriptors."""
    apart = {"main.c", "loop.c", "port.c", "control.c", "sandbox.c"}
    return [path for path in sources() if path.name not in apart]


def pump_binary() -> Path:
    return build("netweather-pump", [*MUSL, "-O2"], sources())


def sanitized_pump() -> Path:
    return build("netweather-pump-san", ["gcc", *SANITIZE], sources())


class Beat:
    """What the classifier reads: a mapped page."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("beat")
        os.ftruncate(self.fd, 4096)
        self._map = mmap.mmap(self.fd, 4096)

    @property
    def boot_ns(self) -> int:
        return int(struct.unpack_from("<Q", self._map)[0])

    @property
    def age_ms(self) -> float:
        return (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - self.boot_ns) / 1e6

    def close(self) -> None:
        self._map.close()
        os.close(self.fd)


class RefusedError(OSError):
    """The pump answered with an error."""


class Client:
    """A connection to the pump's control socket."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)
        self.socket.connect(path)
        self._id = 0

    def ask(self, op: int, line: int = 0, flags: int = 0, fd: int | None = None) -> int:
        self._id += 1
        request = REQUEST.pack(MAGIC, op, line, flags, self._id, 0)
        if fd is None:
            self.socket.send(request)
        else:
            socket.send_fds(self.socket, [request], [fd])
        magic, got_op, got_line, status, number, value = REPLY.unpack(self.socket.recv(64))
        assert (magic, got_op, got_line, number) == (MAGIC, op, line, self._id)
        if status:
            raise RefusedError(-status, os.strerror(-status))
        return int(value)

    def close(self) -> None:
        self.socket.close()


class Pump:
    """A running pump with its file, beat and one control connection."""

    def __init__(
        self,
        binary: Path,
        *,
        cpu: int | None = None,
        memory: int = 0,
        drain_ns: int = 0,
        wrapper: Sequence[str] = (),
        inherited: Sequence[int] = (),
        file: ParamsFile | None = None,
    ) -> None:
        self.file = file or ParamsFile.anonymous()
        self.file.set_memory_limit(memory)
        self.file.set_drain(drain_ns)
        # A killed test session leaves no pump behind for long.
        self.file.set_deadline(time.clock_gettime_ns(time.CLOCK_BOOTTIME) + LONGEST_NS)
        self.beat = Beat()
        self._address = f"\0nwp-test-{os.getpid()}-{id(self)}"
        self._peers: dict[int, socket.socket] = {}
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(self._address)
            listener.listen(16)
            fds = (listener.fileno(), self.file.fileno(), self.beat.fd)
            command = [*wrapper, str(binary), "--control", str(fds[0]), "--params", str(fds[1]), "--beat", str(fds[2])]
            self.process = subprocess.Popen(
                command + (["--cpu", str(cpu)] if cpu is not None else []),
                pass_fds=(*fds, *inherited),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        # A pipe, and read all the time: the pump may not write into files, and must not wait for us.
        self._errors: list[bytes] = []
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()
        self.client = self.connect()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self._errors.extend(self.process.stderr)

    def connect(self) -> Client:
        return Client(self._address)

    def ping(self) -> int:
        return self.client.ask(PING)

    def set(self, params: LineParams, line: int = 0) -> None:
        """New parameters, in force when this returns."""
        self.file.write_line(line, params.pack(), params.tables())
        self.ping()

    def add(
        self, params: LineParams | None = None, line: int = 0, *, vnet: bool = False, kind: int = socket.SOCK_SEQPACKET
    ) -> socket.socket:
        """A new line; the answer is our end of it."""
        if params is not None:
            self.file.write_line(line, params.pack(), params.tables())
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        with theirs:
            self.client.ask(ADD, line, 1 if vnet else 0, theirs.fileno())
        if line in self._peers:
            self._peers[line].close()
        self._peers[line] = ours
        return ours

    def stats(self, line: int = 0) -> LineStats:
        return LineStats.unpack(self.file.statistics(line))

    def close(self) -> None:
        self.client.close()
        for peer in self._peers.values():
            peer.close()
        with contextlib.suppress(ProcessLookupError):  # itself, and not what it may be wrapped in
            if self.file.word(PUMP_PID) and self.file.word(PUMP_STATE) != GONE:
                os.kill(self.file.word(PUMP_PID), signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)
        self.errors = b"".join(self._errors).decode(errors="replace")
        assert self.process.stderr is not None
        self.process.stderr.close()
        self.file.close()
        self.beat.close()


@contextlib.contextmanager
def running(binary: Path, **options: Any) -> Iterator[Pump]:
    pump = Pump(binary, **options)
    try:
        yield pump
    finally:
        pump.close()


def frame(number: int, size: int = 100) -> bytes:
    """An Ethernet frame that is not IP, with its number inside."""
    return (ETHER + b"\x88\xb5" + struct.pack("<Q", number)).ljust(size, b"\0")


def number_of(data: bytes) -> int:
    return int(struct.unpack_from("<Q", data, 14)[0])


def receive(peer: socket.socket, count: int, seconds: float = 5.0) -> list[tuple[int, bytes]]:
    """Up to count frames with the time each came (CLOCK_MONOTONIC ns)."""
    found: list[tuple[int, bytes]] = []
    end = time.monotonic() + seconds * SLOW
    while len(found) < count and (left := end - time.monotonic()) > 0:
        if select.select([peer], [], [], left)[0]:
            data = peer.recv(70000)
            if not data:
                break
            found.append((time.monotonic_ns(), data))
    return found

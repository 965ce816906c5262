"""What is seen on the wire: numbered UDP packets and their echoes, and a TCP download. Plain sockets, in threads of their own.

Both ends are here: `Echo` and `serve_bytes` on the shop's side, `exchange` and `download` on the client's.
"""

from __future__ import annotations

import contextlib
import select
import selectors
import socket  # noqa: TID251 - the demo's measurements, in its own processes; nothing of a target's is touched
import struct
import threading
import time

ECHO_PORT = 9001
BYTES_PORT = 9002
_PROBE = struct.Struct("=IIQ")
"""Run, number, when it was sent (ns)."""
_BLOCK = bytes(256 * 1024)
_ROOM = 4 << 20


class Echo:
    """Sends every probe back, and remembers which arrived."""

    def __init__(self, host: str, port: int = ECHO_PORT) -> None:
        self._arrived: dict[int, set[int]] = {}
        self._socket = _udp()
        self._socket.bind((host, port))
        self.address = self._socket.getsockname()
        threading.Thread(target=self._serve, name="echo", daemon=True).start()

    def _serve(self) -> None:
        while True:
            probe, sender = self._socket.recvfrom(2048)
            if len(probe) < _PROBE.size:
                continue
            run, number, _ = _PROBE.unpack_from(probe)
            self._arrived.setdefault(run, set()).add(number)
            with contextlib.suppress(OSError):
                self._socket.sendto(probe, sender)

    def arrived(self, run: int, count: int) -> str:
        """A 1 for each probe of a run that arrived, a 0 for the others."""
        numbers = self._arrived.get(run, set())
        return "".join("01"[number in numbers] for number in range(count))


def exchange(address: tuple[str, int], run: int, count: int, spacing_s: float, grace_s: float) -> list[float | None]:
    """Sends `count` probes and waits for their echoes. Returns each one's round trip in ms, or None.

    grace_s: how long after the last one an echo is waited for.
    """
    trips: list[float | None] = [None] * count
    with _udp() as probe:
        probe.connect(address)
        probe.setblocking(False)
        begin = time.monotonic()
        sent, back, end = 0, 0, begin + count * spacing_s + grace_s
        while back < count and (now := time.monotonic()) < end:
            while sent < count and begin + sent * spacing_s <= now:
                with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                    probe.send(_PROBE.pack(run, sent, time.monotonic_ns()))
                sent += 1
            wake = begin + sent * spacing_s if sent < count else end
            if select.select([probe], [], [], max(0.0, wake - time.monotonic()))[0]:
                back += _receive(probe, run, trips)
    return trips


def _receive(probe: socket.socket, run: int, trips: list[float | None]) -> int:
    """Takes what has come back; returns how many were new."""
    new = 0
    with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
        while True:
            answer = probe.recv(2048)
            now = time.monotonic_ns()
            of, number, sent = _PROBE.unpack_from(answer)
            if of == run and trips[number] is None:
                trips[number] = (now - sent) / 1e6
                new += 1
    return new


def _udp() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in (socket.SO_RCVBUF, getattr(socket, "SO_RCVBUFFORCE", 33)):  # ours must not be what loses packets
        with contextlib.suppress(PermissionError):
            made.setsockopt(socket.SOL_SOCKET, option, _ROOM)
    return made


def serve_bytes(host: str, port: int = BYTES_PORT) -> tuple[str, int]:
    """Sends bytes without end to everybody who connects. Returns its address."""
    listener = socket.create_server((host, port), backlog=64)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_pour, args=(connection,), name="bytes", daemon=True).start()

    threading.Thread(target=accept, name="accept", daemon=True).start()
    address: tuple[str, int] = listener.getsockname()
    return address


def _pour(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        while True:
            connection.sendall(_BLOCK)


def download(address: tuple[str, int], streams: int, seconds: float) -> list[tuple[float, int]]:
    """Downloads over several connections at once, as speed tests do. Returns (seconds since the beginning, bytes) of each piece.

    Raises OSError when a connection is refused or breaks.
    """
    pieces: list[tuple[float, int]] = []
    buffer = bytearray(1 << 20)
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as opened:
        for _ in range(streams):
            connection = opened.enter_context(socket.socket())
            connection.setblocking(False)
            connection.connect_ex(address)
            selector.register(connection, selectors.EVENT_READ)
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < seconds:
            for key, _ in selector.select(seconds - passed):
                with contextlib.suppress(BlockingIOError):
                    size = key.fileobj.recv_into(buffer)  # type: ignore[union-attr]  # sockets are all that was registered
                    pieces.append((time.monotonic() - begin, size))
    return pieces

"""Round trips from a namespace: ICMP echoes and TCP connects, timed. Not here: what they mean (measure/)."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import struct
import time
from collections.abc import Sequence

from netweather.kernel.namespaces import Namespace
from netweather.kernel.traffic.probe_packets import ICMP, ICMP6, checksum, prepare, received


def source(namespace: Namespace, remote: str) -> str | None:
    """The address from which packets to `remote` leave; None without a way there."""

    def inside() -> str | None:
        with socket.socket(socket.AF_INET6 if ":" in remote else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((remote, 9))
            except OSError:
                return None
            return str(probe.getsockname()[0])

    return namespace.run(inside)


def echo_times(namespace: Namespace, remote: str, count: int, spacing: float, patience: float) -> list[float]:
    """Round trips of ICMP echoes, s, of those answered; the kernel stamps the answers. Raises OSError without the right to it."""
    six = ":" in remote
    ident = time.clock_gettime_ns(time.CLOCK_MONOTONIC) >> 10 & 0xFFFF

    def inside() -> socket.socket:
        made = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, ICMP6 if six else ICMP)
        prepare(made)
        made.connect((remote, 0))
        return made

    with namespace.run(inside) as probe:
        time.sleep(0.02)
        sent: dict[int, int] = {}
        for number in range(count):
            head = struct.pack("!BBHHH", 128 if six else 8, 0, 0, ident, number)
            check = checksum(head + bytes(32))
            sent[number] = time.clock_gettime_ns(time.CLOCK_REALTIME)
            with contextlib.suppress(OSError):
                probe.send(head[:2] + struct.pack("!H", check) + head[4:] + bytes(32))
            time.sleep(spacing)
        return _echoes(probe, sent, (129 if six else 0, ident), patience)


def _echoes(probe: socket.socket, sent: dict[int, int], wanted: tuple[int, int], patience: float) -> list[float]:
    found: dict[int, float] = {}
    deadline = time.monotonic() + patience
    while len(found) < len(sent) and (left := deadline - time.monotonic()) > 0:
        if not select.select([probe], [], [], left)[0]:
            break
        for data, arrived, _ in received(probe):
            body = data[(data[0] & 15) * 4 :] if data and data[0] >> 4 == 4 and wanted[0] == 0 else data
            if len(body) < 8:
                continue
            kind, _, _, ident, number = struct.unpack_from("!BBHHH", body)
            if (kind, ident) == wanted and number in sent:
                found.setdefault(number, (arrived - sent[number]) / 1e9)
    return list(found.values())


def connect_times(namespace: Namespace, remote: str, port: int, count: int, spacing: float, patience: float) -> list[float]:
    """How long TCP connects took, s; a refusal is an answer too. Each connection is closed at once."""
    family = socket.AF_INET6 if ":" in remote else socket.AF_INET
    found: list[float] = []
    with contextlib.ExitStack() as stack:
        waiting: dict[socket.socket, int] = {}
        for _ in range(count):
            made = stack.enter_context(namespace.run(lambda: socket.socket(family, socket.SOCK_STREAM)))
            made.setblocking(False)
            waiting[made] = time.monotonic_ns()
            made.connect_ex((remote, port))
            _answered(waiting, found, spacing)
        deadline = time.monotonic() + patience
        while waiting and (left := deadline - time.monotonic()) > 0:
            _answered(waiting, found, min(left, 0.5))
    return found


def refusals(namespace: Namespace, remote: str, port: int, count: int, patience: float, *, udp: bool) -> int:
    """How many of so many TCP connects, or UDP packets, were refused: by a RST, or by an ICMP port unreachable."""
    family, kind = socket.AF_INET6 if ":" in remote else socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
    found, deadline = 0, time.monotonic() + patience
    with contextlib.ExitStack() as stack:
        waiting = []
        for _ in range(count):
            made = stack.enter_context(namespace.run(lambda: socket.socket(family, kind)))
            made.setblocking(False)
            outcome = made.connect_ex((remote, port))
            if udp and not outcome:
                with contextlib.suppress(OSError):
                    made.send(b"netweather")
            waiting.append(made)
        while waiting and (left := deadline - time.monotonic()) > 0:
            for one in select.select(waiting, [] if udp else waiting, [], left)[0 if udp else 1]:
                waiting.remove(one)
                found += one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
    return found


def _answered(waiting: dict[socket.socket, int], found: list[float], seconds: float) -> None:
    """Takes what was answered within so long off the list."""
    deadline = time.monotonic() + seconds
    while waiting and (left := deadline - time.monotonic()) > 0:
        ready: Sequence[socket.socket] = select.select([], list(waiting), [], left)[1]
        now = time.monotonic_ns()
        for one in ready:
            begun = waiting.pop(one)
            if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (0, errno.ECONNREFUSED):
                found.append((now - begun) / 1e9)
            one.close()

"""Probe packets between two namespaces of this machine: sent, stamped by the kernel, collected.

Both ends read one clock (CLOCK_REALTIME, the kernel's for arrivals; a step of it is noticed). UDP goes through ordinary
sockets; every other protocol through raw ones, with packets that no kernel answers: TCP with RST set, ICMP echo replies.
Not here: round trips (roundtrips), what is to be sent, and what the figures mean (measure/).
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from netweather.kernel.namespaces import Namespace

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
RST: Final = 4
STAMPS, _BUFFER, _NO_CHECK, _NO_CHECK6_TX, _NO_CHECK6_RX = 35, 33, 11, 101, 102
_PATH_MTU, _PATH_MTU6 = 14, 24
_RECEIVE_TOS, _RECEIVE_CLASS, _DISCOVER, _DISCOVER6, _PROBE = 13, 66, 10, 23, 3
_CAPABLE, _MARKED = 2, 3  # ECT(0) and CE, of the two bits of ECN
_CLASSES: Final = ((0, socket.IP_TOS), (socket.IPPROTO_IPV6, socket.IPV6_TCLASS))
_MAGIC: Final = 0x4E57
_HEAD: Final = struct.Struct("!HIQI")  # magic, number, sent, checksum of the rest
SMALLEST: Final = _HEAD.size
STEP_NS: Final = 1_000_000
_COPIES_S: Final = 0.15
"""How long to wait for copies of packets that have all arrived."""


@dataclass(frozen=True)
class Flow:
    """One flow of the target: ports 0 until they are bound, or where the protocol has none. tcp_flags: RST among them."""

    protocol: int
    local: str
    remote: str
    local_port: int = 0
    remote_port: int = 0
    tcp_flags: int = RST

    @property
    def family(self) -> int:
        return socket.AF_INET6 if ":" in self.local else socket.AF_INET

    @property
    def headers(self) -> int:
        """Bytes of IP's header and its own in front of a payload."""
        return (40 if ":" in self.local else 20) + (20 if self.protocol == TCP else 8)


@dataclass(frozen=True)
class ProbeResult:
    """What became of packets sent at these times (ns): (number, sent, arrived) in order of arrival; corrupted ones are counted.

    stepped: the clock was set meanwhile, so that the times are worth nothing. refused: packets that our own kernel didn't take.
    marked: whole ones with ECN's mark of congestion. spacing: what was to be between two of them, s; 0: nothing was planned.
    """

    sent: tuple[int, ...]
    seen: tuple[tuple[int, int, int], ...]
    corrupted: int = 0
    stepped: bool = False
    refused: int = 0
    marked: int = 0
    spacing: float = 0.0

    @property
    def tardy(self) -> float:
        """How late this busy machine let packets go: 99 of 100 were not later than that behind their plan, s."""
        if not self.spacing or len(self.sent) < 2:
            return 0.0
        behind = [at - number * self.spacing * 1e9 for number, at in enumerate(self.sent)]
        first = min(behind)
        return (sorted(behind)[int(0.99 * len(behind))] - first) / 1e9


@dataclass
class ProbePath:
    """One direction of a flow: where its packets are sent, and where they arrive."""

    outlet: Any  # a socket, or what sends past the hooks (beside)
    inlet: socket.socket
    wrap: Callable[[bytes], bytes]
    sent: list[int] = field(default_factory=list)
    refused: int = 0
    marked: int = 0


@dataclass(frozen=True)
class ProbeStream:
    """What to send in one direction: so many packets of `size` bytes, so many a second."""

    count: int
    pps: float
    size: int


class Ends:
    """Both ends of a flow, open: the target's and the peer's namespace. Close it, or use it as a context manager.

    Raises OSError, such as EADDRINUSE when one of the ports is taken.
    """

    def __init__(self, target: Namespace, peer: Namespace, flow: Flow) -> None:
        self._stack = contextlib.ExitStack()
        try:
            kind = _udp if flow.protocol == UDP else _raw
            here, there = kind(self._stack, target, peer, flow)
            self.flow = Flow(flow.protocol, flow.local, flow.remote, *_ports(flow, here, there), flow.tcp_flags)
            self.ways = {
                "egress": ProbePath(here.outlet, there.inlet, wrapper(self.flow, self.flow.local_port, self.flow.remote_port)),
                "ingress": ProbePath(
                    there.outlet, here.inlet, wrapper(turned(self.flow), self.flow.remote_port, self.flow.local_port)
                ),
            }
        except BaseException:
            self._stack.close()
            raise
        time.sleep(0.02)  # the kernel begins to stamp a moment after the first socket asks for it

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Ends:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def capable(self) -> None:
        """From now on packets say that they may be marked (ECN) rather than lost."""
        for way in self.ways.values():
            level, option = (
                (socket.IPPROTO_IPV6, socket.IPV6_TCLASS) if self.flow.family == socket.AF_INET6 else (0, socket.IP_TOS)
            )
            way.outlet.setsockopt(level, option, _CAPABLE)

    @property
    def largest(self) -> int:
        """The most bytes of payload that both ends send in one piece."""
        six = self.flow.family == socket.AF_INET6
        level, option = (socket.IPPROTO_IPV6, _PATH_MTU6) if six else (0, _PATH_MTU)
        return min(int(way.outlet.getsockopt(level, option)) for way in self.ways.values()) - self.flow.headers

    def in_one_piece(self) -> None:
        """From now on packets are never fragmented; those too large for the interface are refused."""
        for way in self.ways.values():
            level, option = (socket.IPPROTO_IPV6, _DISCOVER6) if self.flow.family == socket.AF_INET6 else (0, _DISCOVER)
            way.outlet.setsockopt(level, option, _PROBE)

    def exchange(
        self, streams: dict[str, ProbeStream], patience: float, tick: Callable[[float], None] = lambda share: None
    ) -> dict[str, ProbeResult]:
        """Sends the streams of both directions at once, and waits until nothing has come for so long (s).

        One thread sends both, so that none waits for the other between its stamp and its packet. tick: told the share done.
        """
        for way in self.ways.values():
            _drain(way.inlet)
            way.sent, way.refused, way.marked = [], 0, 0
        offset = _offset()
        _send(self.ways, streams, tick)
        collected = _collect({name: self.ways[name] for name in streams}, streams, patience)
        stepped = abs(_offset() - offset) > STEP_NS
        found = {}
        for name, (seen, corrupted) in collected.items():
            way = self.ways[name]
            found[name] = ProbeResult(
                tuple(way.sent), tuple(seen), corrupted, stepped, way.refused, way.marked, 1 / streams[name].pps
            )
        return found


@dataclass
class _Sockets:
    outlet: socket.socket
    inlet: socket.socket
    port: int


def turned(flow: Flow) -> Flow:
    return Flow(flow.protocol, flow.remote, flow.local, flow.remote_port, flow.local_port, flow.tcp_flags)


def _ports(flow: Flow, here: _Sockets, there: _Sockets) -> tuple[int, int]:
    return (here.port, there.port) if flow.protocol in (TCP, UDP) else (0, 0)


def _udp(stack: contextlib.ExitStack, target: Namespace, peer: Namespace, flow: Flow) -> tuple[_Sockets, _Sockets]:
    def make(address: str, port: int) -> Callable[[], socket.socket]:
        def inside() -> socket.socket:
            made = socket.socket(flow.family, socket.SOCK_DGRAM)
            prepare(made)
            if flow.family == socket.AF_INET:
                made.setsockopt(socket.SOL_SOCKET, _NO_CHECK, 1)  # corrupted packets arrive too, and are known by our own
            else:
                for option in (_NO_CHECK6_TX, _NO_CHECK6_RX):
                    made.setsockopt(UDP, option, 1)
            made.bind((address, port))
            return made

        return inside

    here = stack.enter_context(target.run(make(flow.local, flow.local_port)))
    there = stack.enter_context(peer.run(make(flow.remote, flow.remote_port)))
    here.connect((flow.remote, there.getsockname()[1]))
    there.connect((flow.local, here.getsockname()[1]))
    return _Sockets(here, here, here.getsockname()[1]), _Sockets(there, there, there.getsockname()[1])


def _raw(stack: contextlib.ExitStack, target: Namespace, peer: Namespace, flow: Flow) -> tuple[_Sockets, _Sockets]:
    """A raw socket at each end; TCP's ports are held by a socket of their own, so that nobody else's connection is meant."""

    def end(namespace: Namespace, address: str, other: str, port: int) -> _Sockets:
        def inside() -> _Sockets:
            held = 0
            if flow.protocol == TCP:
                holder = stack.enter_context(socket.socket(flow.family, socket.SOCK_STREAM))
                holder.bind((address, port))
                held = holder.getsockname()[1]
            made = stack.enter_context(socket.socket(flow.family, socket.SOCK_RAW, flow.protocol))
            prepare(made)
            made.bind((address, 0))
            made.connect((other, 0))
            return _Sockets(made, made, held)

        return namespace.run(inside)

    return end(target, flow.local, flow.remote, flow.local_port), end(peer, flow.remote, flow.local, flow.remote_port)


def prepare(made: socket.socket) -> None:
    """Room for a burst, stamps of arrivals, and no waiting."""
    made.setsockopt(socket.SOL_SOCKET, _BUFFER, 1 << 28)
    made.setsockopt(socket.SOL_SOCKET, STAMPS, 1)
    six = made.family == socket.AF_INET6
    made.setsockopt(socket.IPPROTO_IPV6 if six else 0, _RECEIVE_CLASS if six else _RECEIVE_TOS, 1)
    made.setblocking(False)


def wrapper(flow: Flow, source: int, destination: int) -> Callable[[bytes], bytes]:
    """What stands in front of a payload in a packet of this protocol."""
    if flow.protocol == TCP:
        ends = socket.inet_pton(flow.family, flow.local) + socket.inet_pton(flow.family, flow.remote)

        def wrap(payload: bytes) -> bytes:
            head = struct.pack(
                "!HHIIBBHHH", source, destination, 1, 0, 5 << 4, flow.tcp_flags, 1024, 0, 0
            )  # RST: nobody answers it
            check = checksum(ends + struct.pack("!IHBB", len(head) + len(payload), 0, 0, TCP) + head + payload)
            return head[:16] + struct.pack("!H", check) + head[18:] + payload

        return wrap
    if flow.protocol in (ICMP, ICMP6):

        def wrap_echo(payload: bytes) -> bytes:
            kind = 0 if flow.protocol == ICMP else 129  # a reply that nobody asked for
            check = checksum(struct.pack("!BBHI", kind, 0, 0, 0) + payload)
            return struct.pack("!BBHI", kind, 0, check, 0) + payload

        return wrap_echo
    return bytes


def checksum(data: bytes) -> int:
    """The Internet's (RFC 1071)."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _payload(number: int, sent: int, pad: bytes) -> bytes:
    body = struct.pack("!IQ", number, sent)
    return struct.pack("!H", _MAGIC) + body + struct.pack("!I", zlib.crc32(pad, zlib.crc32(body))) + pad


def _read(data: bytes) -> tuple[int, int] | None:
    """The number and time of a whole payload; None when a bit of it is wrong."""
    if len(data) < _HEAD.size:
        return None
    magic, number, sent, check = _HEAD.unpack_from(data)
    whole = magic == _MAGIC and check == zlib.crc32(data[_HEAD.size :], zlib.crc32(data[2:14]))
    return (number, sent) if whole else None


def _offset() -> int:
    return time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def _send(ways: dict[str, ProbePath], streams: dict[str, ProbeStream], tick: Callable[[float], None]) -> None:
    """Each packet at its time, or at once when that is past."""
    plan = sorted((number / stream.pps, name, number) for name, stream in streams.items() for number in range(stream.count))
    pads = {name: bytes(max(0, stream.size - _HEAD.size)) for name, stream in streams.items()}
    begin, told = time.monotonic(), 0.0
    for index, (at, name, number) in enumerate(plan):
        ahead = begin + at - time.monotonic()
        if ahead > 0.0002:
            time.sleep(ahead)
        way = ways[name]
        now = time.clock_gettime_ns(time.CLOCK_REALTIME)
        way.sent.append(now)
        try:
            way.outlet.send(way.wrap(_payload(number, now, pads[name])))
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:  # an answer to an earlier one; and this one was not sent
                way.refused += 1
            else:
                with contextlib.suppress(OSError):
                    way.outlet.send(way.wrap(_payload(number, now, pads[name])))
        if at - told > 0.1:
            told = at
            tick((index + 1) / len(plan))


def _collect(
    ways: dict[str, ProbePath], streams: dict[str, ProbeStream], patience: float
) -> dict[str, tuple[list[tuple[int, int, int]], int]]:
    """(number, sent, arrived) of whole packets in order of arrival, and how many were damaged, of each stream."""
    deadline = time.monotonic() + patience
    seen: dict[str, list[tuple[int, int, int]]] = {name: [] for name in ways}
    missing = {name: set(range(stream.count)) for name, stream in streams.items()}
    wrong = dict.fromkeys(ways, 0)
    inlets = {way.inlet: name for name, way in ways.items()}
    while ready := select.select(list(inlets), [], [], max(0.0, deadline - time.monotonic()))[0]:
        for inlet in ready:
            name = inlets[inlet]
            for data, arrived, bits in received(inlet):
                if not data:
                    continue
                if (read := _read(_inner(data, streams[name].size))) is not None:
                    seen[name].append((*read, arrived))
                    missing[name].discard(read[0])
                    ways[name].marked += bits == _MARKED
                elif len(data) >= streams[name].size:
                    wrong[name] += 1
        deadline = time.monotonic() + (patience if any(missing.values()) else min(patience, _COPIES_S))
    return {name: (seen[name], wrong[name]) for name in ways}


def _inner(data: bytes, size: int) -> bytes:
    """The payload, whatever headers a raw socket leaves in front of it."""
    return data[len(data) - max(size, _HEAD.size) :] if len(data) > size else data


def received(inlet: socket.socket) -> Iterator[tuple[bytes, int, int]]:
    """What waits there, the time of its arrival, and its bits of ECN; nothing for an error that an earlier packet met."""
    for _ in range(512):
        try:
            data, extra, _, _ = inlet.recvmsg(65536, 128)
        except BlockingIOError:
            return
        except OSError:
            yield b"", 0, 0
            continue
        stamps = [value for level, kind, value in extra if level == socket.SOL_SOCKET and kind == STAMPS]
        seconds, nanoseconds = struct.unpack("=qq", stamps[0]) if stamps else (0, time.clock_gettime_ns(time.CLOCK_REALTIME))
        bits = next((value[0] & 3 for level, kind, value in extra if (level, kind) in _CLASSES), 0)
        yield data, seconds * 10**9 + nanoseconds, bits


def _drain(inlet: socket.socket) -> None:
    while any(True for _ in received(inlet)):
        pass

"""What a case sends, and what came of it: packets with all that can happen to them, a TCP transfer, round trips, an answer."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tests.support.machine import SLOW
from tests.support.netns import Namespace
from tests.support.probe import SO_TIMESTAMPNS, UDP_IP_ETHERNET, address, udp_socket
from tests.support.traffic import Echo, Transfer, round_trip, tcp_client, tcp_transfer, udp_client

PORT = 9000
STAMP = struct.Struct("=IQ")
HEADERS = {4: UDP_IP_ETHERNET - 14, 6: UDP_IP_ETHERNET - 14 + 20}
"""Bytes of IP and UDP in front of the payload."""
SO_NO_CHECK, UDP_NO_CHECK6_TX, UDP_NO_CHECK6_RX = 11, 101, 102
IP_RECVTOS, IPV6_RECVTCLASS = 13, 66
ECT0, CE = 2, 3
GARBLED = 2**32 - 1
GRACE = 0.05
MANY, FEWER = 5_000, 5
"""A slow machine sends a fifth of what is many, a fifth as fast: the intervals follow from the number."""
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Traffic:
    """kind: packets (UDP, one way), tcp (a bulk transfer), echo (round trips by UDP and TCP), knock (a TCP connect and a UDP send).

    packets, pps, size: of the stream; pps 0 is as fast as may be. sizes: payloads in turn. burst: so many at once, at the same
    mean rate. ect: marked as able to carry ECN. checked: with UDP checksums. way: the rule's own unless given.
    patience: seconds of silence after which the rest counts as lost. megabytes, seconds: how much TCP sends.
    """

    kind: Literal["packets", "tcp", "echo", "knock"] = "packets"
    packets: int = 400
    pps: int = 2000
    size: int = 64
    sizes: tuple[int, ...] = ()
    burst: int = 1
    ect: bool = False
    checked: bool = True
    way: Literal["egress", "ingress"] | None = None
    patience: float = 0.2
    megabytes: int = 8
    seconds: float = 0.0

    @property
    def protocol(self) -> str | None:
        """The one that a rule must match; a knock and an echo use both."""
        return {"packets": "udp", "tcp": "tcp"}.get(self.kind)


@dataclass(frozen=True)
class Packets:
    """A stream, as it was sent and as it arrived. Arrivals are in their order; times are ns.

    sent, sizes: by packet number. number: GARBLED when the packet says it wrongly. flipped: bits that are wrong.
    """

    family: int
    begun: int
    sent: Ints = field(repr=False)
    sizes: Ints = field(repr=False)
    number: Ints = field(repr=False)
    arrived: Ints = field(repr=False)
    tos: Ints = field(repr=False)
    flipped: Ints = field(repr=False)

    @property
    def count(self) -> int:
        return len(self.sent)

    @cached_property
    def right(self) -> npt.NDArray[np.bool_]:
        """Which arrivals are as they were sent, but for their ECN mark."""
        return np.asarray((self.flipped == 0) & (self.number != GARBLED))

    @cached_property
    def delays(self) -> Ints:
        """Of each right arrival."""
        return self.arrived[self.right] - self.sent[self.number[self.right]]

    @cached_property
    def copies(self) -> Ints:
        """How often each packet arrived."""
        return np.bincount(self.number[self.number != GARBLED], minlength=self.count)

    @cached_property
    def lost(self) -> list[int]:
        return [int(number) for number in np.flatnonzero(self.copies == 0)]

    @property
    def rate(self) -> float:
        """Payload, IP and UDP bits a second from the first arrival to the last; see rate_with."""
        return self.rate_with(0)

    def rate_with(self, extra: int) -> float:
        """Bits a second, with so many bytes more in each packet than IP's."""
        bits = 8 * (self.sizes[self.number[1:]] + HEADERS[self.family] + extra)
        return float(bits.sum() * 1e9 / (self.arrived[-1] - self.arrived[0]))


@dataclass(frozen=True)
class RoundTrips:
    """Seconds, by UDP and by TCP."""

    udp: list[float]
    tcp: list[float]


@dataclass(frozen=True)
class Answers:
    """What a TCP connect and a UDP socket were told: open, refused or silence."""

    tcp: str
    udp: str


Seen = Packets | Transfer | RoundTrips | Answers


def send(traffic: Traffic, sender: Namespace, receiver: Namespace, family: int, slow: float = 1.0) -> Seen:
    """Sends it and waits for the end. slow: how much slower than usual the machine is."""
    match traffic.kind:
        case "packets":
            return _packets(traffic, sender, receiver, family, slow)
        case "tcp":
            size = 0 if traffic.seconds else round(traffic.megabytes * 1e6 / slow)
            return tcp_transfer(sender, receiver, family=family, size=size, seconds=traffic.seconds)
        case "echo":
            return _round_trips(sender, receiver, family)
        case "knock":
            return _knock(sender, receiver, family)


def _packets(traffic: Traffic, sender: Namespace, receiver: Namespace, family: int, slow: float) -> Packets:
    with udp_socket(receiver, family, port=PORT) as inlet, udp_socket(sender, family) as outlet:
        inlet.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        inlet.setsockopt(*((0, IP_RECVTOS) if family == 4 else (41, IPV6_RECVTCLASS)), 1)
        if traffic.ect:
            outlet.setsockopt(*((0, socket.IP_TOS) if family == 4 else (41, socket.IPV6_TCLASS)), ECT0)
        if not traffic.checked:
            _without_checksums(outlet, inlet, family)
        time.sleep(0.02)  # the kernel begins to stamp a moment after the first socket asks for it
        outlet.connect((address(receiver, family), PORT))
        part = FEWER if slow > 1 and traffic.packets >= MANY else 1
        sizes = np.resize(np.array(traffic.sizes or (traffic.size,)), traffic.packets // part).astype(np.int64)
        begun = time.clock_gettime_ns(time.CLOCK_REALTIME)
        sent = _send(outlet, sizes, traffic.pps / part, traffic.burst)
        arrivals = _receive(inlet, sent, sizes, outlet.getsockname()[:2], traffic.patience + GRACE * (slow - 1))
        columns = np.array(arrivals, dtype=np.int64).reshape(-1, 4).T
        return Packets(family, begun, np.array(sent, dtype=np.int64), sizes, *columns)


def _without_checksums(outlet: socket.socket, inlet: socket.socket, family: int) -> None:
    if family == 4:
        outlet.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    else:
        outlet.setsockopt(socket.SOL_UDP, UDP_NO_CHECK6_TX, 1)
        inlet.setsockopt(socket.SOL_UDP, UDP_NO_CHECK6_RX, 1)


def _send(outlet: socket.socket, sizes: Ints, pps: float, burst: int) -> list[int]:
    clock, realtime, pad, sent = time.clock_gettime_ns, time.CLOCK_REALTIME, bytes(int(sizes.max())), []
    pace = max(burst, int(pps // 1000), 1)  # shorter sleeps than a millisecond are not worth it
    begin = time.monotonic()
    for number, size in enumerate(sizes.tolist()):
        if pps and number % pace == 0:
            ahead = begin + number / pps - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
        now = clock(realtime)
        sent.append(now)
        data = STAMP.pack(number, now) + pad[STAMP.size : size]
        try:
            outlet.send(data)
        except ConnectionRefusedError:  # what an earlier one was told
            with suppress(ConnectionRefusedError):
                outlet.send(data)
    return sent


def _receive(
    inlet: socket.socket, sent: list[int], sizes: Ints, sender: tuple[str, int], patience: float
) -> list[tuple[int, int, int, int]]:
    """(number, time, tos, flipped bits) until nothing has come for a while."""
    arrivals: list[tuple[int, int, int, int]] = []
    buffer, all_sizes = bytearray(2048), sizes.tolist()
    pad = bytes(max(all_sizes))
    inlet.settimeout(patience)
    while True:
        if len(arrivals) == len(sent):  # all are there; a copy would come soon
            inlet.settimeout(min(patience, GRACE))
        try:
            length, extra, _, whom = inlet.recvmsg_into([buffer], 128)
        except TimeoutError:
            return arrivals
        arrived = tos = 0
        for level, _, data in extra:
            if level == socket.SOL_SOCKET:
                seconds, ns = struct.unpack("=qq", data)
                arrived = seconds * 10**9 + ns
            else:
                tos = data[0]
        number, stamp = STAMP.unpack_from(buffer)
        known = number < len(sent) and length == all_sizes[number]
        if known and stamp == sent[number] and whom[:2] == sender and buffer[STAMP.size : length] == pad[STAMP.size : length]:
            arrivals.append((number, arrived, tos, 0))
        else:
            flips = _flipped(bytes(buffer[:length]), sent, all_sizes) + _difference(_end(whom), _end(sender))
            arrivals.append((GARBLED, arrived, tos, flips))


def _end(sender: tuple[str, int]) -> bytes:
    return ip_address(sender[0]).packed + sender[1].to_bytes(2, "big")


def _flipped(data: bytes, sent: list[int], sizes: list[int]) -> int:
    """How many bits are wrong: against the packet that it is most like."""
    if len(data) < STAMP.size:
        return 1  # the length in its UDP header is wrong
    number, stamp = STAMP.unpack_from(data)
    likely = {number} if number < len(sent) else set()
    likely |= {index for index, each in enumerate(sent) if each == stamp}
    found = [_difference(data, STAMP.pack(one, sent[one]) + bytes(sizes[one] - STAMP.size)) for one in likely]
    return min(found, default=len(data) * 8)


def _difference(one: bytes, other: bytes) -> int:
    if len(one) != len(other):
        return 1  # a length in a header is wrong
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def _round_trips(sender: Namespace, receiver: Namespace, family: int) -> RoundTrips:
    there = address(receiver, family)
    with (
        Echo(receiver, [PORT]),
        udp_client(sender, there, PORT) as udp,
        tcp_client(sender, there, PORT, timeout=20 * SLOW) as tcp,
    ):
        return RoundTrips([round_trip(udp) for _ in range(4)], [round_trip(tcp) for _ in range(4)])


def _knock(sender: Namespace, receiver: Namespace, family: int) -> Answers:
    there = address(receiver, family)
    with Echo(receiver, [PORT]):
        return Answers(_told(_connect, sender, there), _told(_ask, sender, there))


def _connect(sender: Namespace, there: str) -> None:
    tcp_client(sender, there, PORT, timeout=0.5).close()


def _ask(sender: Namespace, there: str) -> None:
    with udp_client(sender, there, PORT, errors=True) as udp:
        round_trip(udp, 0.5)


def _told(function: Any, sender: Namespace, there: str) -> str:
    try:
        function(sender, there)
    except TimeoutError:
        return "silence"
    except ConnectionRefusedError:
        return "refused"
    return "open"

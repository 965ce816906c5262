"""A UDP probe between two namespaces of this machine: which packets of a stream arrived, in which order, and how late.

Both ends read the same clock. The sender stamps a packet before it sends it and the kernel stamps it when it arrives, so that
neither end's scheduling makes a packet look early.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from tests.support.machine import SLOW
from tests.support.netns import Namespace

SO_TIMESTAMPNS, SO_RCVBUFFORCE = 35, 33
PORT = 9000
STAMP = struct.Struct("=IQ")
UDP_IP_ETHERNET = 8 + 20 + 14


@dataclass(frozen=True)
class Stream:
    """What became of `sent` packets. arrivals: (sequence number, sent ns, arrived ns), in order of arrival."""

    sent: int
    arrivals: list[tuple[int, int, int]] = field(repr=False)

    @cached_property
    def delays(self) -> list[int]:
        """One-way delays, ns."""
        return [arrived - sent for _, sent, arrived in self.arrivals]

    @cached_property
    def lost(self) -> list[int]:
        """Sequence numbers of packets that never arrived."""
        there = {number for number, _, _ in self.arrivals}
        return [number for number in range(self.sent) if number not in there]

    def arrived_in_order(self) -> bool:
        numbers = [number for number, _, _ in self.arrivals]
        return numbers == sorted(numbers)


def address(namespace: Namespace, family: int) -> str:
    """The namespace's address of a family, 4 or 6."""
    return str(namespace.v4 if family == 4 else namespace.v6)


def udp_socket(namespace: Namespace, family: int, bind: str | None = None, port: int = 0) -> socket.socket:
    """A UDP socket in a namespace, bound when an address or port is given, with room for all that a test sends."""

    def make() -> socket.socket:
        made = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 29)
        if family == 6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if bind is not None or port:
            made.bind((bind or ("0.0.0.0" if family == 4 else "::"), port))
        return made

    return namespace.call(make)


def stream(
    sender: Namespace,
    receiver: Namespace,
    count: int,
    *,
    pps: int = 0,
    family: int = 4,
    port: int = PORT,
    size: int = 64,
    patience: float = 0.3 * SLOW,
    meanwhile: Callable[[int], None] | None = None,
) -> Stream:
    """Sends `count` packets of `size` bytes of payload, `pps` a second (0: as fast as may be), and waits for them.

    patience: how long nothing may come before the rest counts as lost. meanwhile: called with each number before it is sent.
    """
    with udp_socket(receiver, family, port=port) as inlet, udp_socket(sender, family) as outlet:
        inlet.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        time.sleep(0.02)  # the kernel begins to stamp a moment after the first socket asks for it
        outlet.connect((address(receiver, family), port))
        _send(outlet, count, pps, size, meanwhile)
        return Stream(count, _receive(inlet, count, patience))


def _send(outlet: socket.socket, count: int, pps: int, size: int, meanwhile: Callable[[int], None] | None) -> None:
    clock, realtime, pad = time.clock_gettime_ns, time.CLOCK_REALTIME, bytes(size - STAMP.size)
    begin = time.monotonic()
    for number in range(count):
        if pps and number % max(1, pps // 1000) == 0:
            ahead = begin + number / pps - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
        if meanwhile:
            meanwhile(number)
        outlet.send(STAMP.pack(number, clock(realtime)) + pad)


def _receive(inlet: socket.socket, count: int, patience: float) -> list[tuple[int, int, int]]:
    arrivals: list[tuple[int, int, int]] = []
    inlet.setblocking(False)
    while len(arrivals) < count and select.select([inlet], [], [], patience)[0]:
        data, extra, _, _ = inlet.recvmsg(STAMP.size, 64)
        seconds, nanoseconds = struct.unpack("=qq", extra[0][2])
        number, sent = STAMP.unpack(data)
        arrivals.append((number, sent, seconds * 10**9 + nanoseconds))
    return arrivals


def arrival_rate(arrivals: list[tuple[int, int, int]], size: int, overhead: int = UDP_IP_ETHERNET) -> float:
    """Bits a second on the wire between the first arrival and the last."""
    first, last = arrivals[0][2], arrivals[-1][2]
    return (len(arrivals) - 1) * (size + overhead) * 8 * 1e9 / (last - first)

"""The same path without the condition: packets that leave behind the egress hook and are seen in front of the ingress hook.

A packet socket with PACKET_QDISC_BYPASS hands a packet to the device past its traffic control, and a packet socket sees what
arrives before traffic control does (packet(7)). So nothing is changed for anybody while the path itself is measured. A queue of
the target's own (its root qdisc) is passed by, too. Not here: what the times mean (measure.null_measurement).
"""

from __future__ import annotations

import contextlib
import copy
import errno
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from netweather.kernel.namespaces import Namespace
from netweather.kernel.netlink import rtnetlink
from netweather.kernel.netlink.links import way_out
from netweather.kernel.traffic.probe_packets import ICMP, ICMP6, STAMPS, UDP, Ends, ProbePath, checksum, received

_EVERY, _PACKET, _BYPASS, _IGNORE_OUTGOING = 3, 263, 20, 23
_V4, _V6 = 0x0800, 0x86DD
_GET_NEIGHBOUR, _DESTINATION, _HARDWARE = 30, 1, 2
_NEIGHBOUR = struct.Struct("=BBHiHBB")
_ETHERNET = 1


@dataclass
class Beside:
    """One interface of the target, past its hooks. Close `socket`, or use `opened`."""

    socket: socket.socket
    local: str
    remote: str
    protocol: int
    _to: tuple[str, int, int, int, bytes]

    def send(self, data: bytes) -> int:
        """A packet of the flow's protocol, without IP's header. Raises OSError."""
        return self.socket.sendto(_with_header(self.local, self.remote, self.protocol, data), self._to)


@contextlib.contextmanager
def opened(target: Namespace, local: str, remote: str, protocol: int) -> Iterator[Beside]:
    """Raises OSError: no route, a next hop whose address isn't known, no right to packet sockets."""
    made = target.run(lambda: _open(local, remote, protocol))
    with made.socket:
        time.sleep(0.02)  # the kernel begins to stamp a moment after the first socket asks for it
        yield made


def _open(local: str, remote: str, protocol: int) -> Beside:
    number, hop = way_out(remote)
    made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_EVERY))
    try:
        made.setsockopt(_PACKET, _BYPASS, 1)
        made.setsockopt(_PACKET, _IGNORE_OUTGOING, 1)
        made.setsockopt(socket.SOL_SOCKET, STAMPS, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        made.setblocking(False)
        name = socket.if_indextoname(number)
        made.bind((name, _EVERY))
        hardware = made.getsockname()[3]
        address = _neighbour(number, hop) if hardware == _ETHERNET else b""
    except BaseException:
        made.close()
        raise
    return Beside(made, local, remote, protocol, (name, _V6 if ":" in remote else _V4, 0, 0, address))


def _neighbour(number: int, hop: str) -> bytes:
    """The hardware address of the next hop."""
    family = socket.AF_INET6 if ":" in hop else socket.AF_INET
    wanted = socket.inet_pton(family, hop)
    for body in rtnetlink.ask(_GET_NEIGHBOUR, rtnetlink.DUMP, _NEIGHBOUR.pack(family, 0, 0, 0, 0, 0, 0)):
        found = rtnetlink.attributes(body[_NEIGHBOUR.size :])
        if _NEIGHBOUR.unpack_from(body)[3] == number and found.get(_DESTINATION) == wanted and _HARDWARE in found:
            return found[_HARDWARE]
    raise OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))


def _with_header(local: str, remote: str, protocol: int, data: bytes) -> bytes:
    if ":" in local:
        ends = socket.inet_pton(socket.AF_INET6, local) + socket.inet_pton(socket.AF_INET6, remote)
        return struct.pack("!IHBB", 6 << 28, len(data), protocol, 64) + ends + data
    ends = socket.inet_aton(local) + socket.inet_aton(remote)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 0, 0x4000, 64, protocol, 0) + ends
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + data


@contextlib.contextmanager
def both_ways(ends: Ends, target: Namespace) -> Iterator[Ends]:
    """The same flow past the target's hooks, while `ends` are open. Raises OSError."""
    flow = ends.flow
    with opened(target, flow.local, flow.remote, flow.protocol) as past:
        found = copy.copy(ends)
        wrap = _udp(flow.local_port, flow.remote_port) if flow.protocol == UDP else ends.ways["egress"].wrap
        found.ways = {
            "egress": ProbePath(past, ends.ways["egress"].inlet, wrap),
            "ingress": ProbePath(ends.ways["ingress"].outlet, past.socket, ends.ways["ingress"].wrap),
        }
        yield found


def _udp(source: int, destination: int) -> Callable[[bytes], bytes]:
    return lambda payload: struct.pack("!HHHH", source, destination, 8 + len(payload), 0) + payload


@dataclass(frozen=True)
class Answers:
    """Of echoes past the hooks: their round trips (s), and how many answers the target's own sockets got, behind its ingress hook."""

    times: list[float]
    received: int


def echoes(target: Namespace, local: str, remote: str, count: int, spacing: float, patience: float) -> Answers:
    """Round trips past the hooks. Raises OSError."""
    six = ":" in remote
    protocol, answer = (ICMP6, 129) if six else (ICMP, 0)
    ident = time.clock_gettime_ns(time.CLOCK_MONOTONIC) >> 10 & 0xFFFF
    pseudo = (socket.inet_pton(socket.AF_INET6, local) + socket.inet_pton(socket.AF_INET6, remote)) if six else b""
    found: dict[int, float] = {}
    inside: set[int] = set()
    family = socket.AF_INET6 if six else socket.AF_INET
    with (
        opened(target, local, remote, protocol) as past,
        target.run(lambda: socket.socket(family, socket.SOCK_RAW, protocol)) as own,
    ):
        own.setblocking(False)
        sent: dict[int, int] = {}
        for number in range(count):
            body = struct.pack("!BBHHH", 128 if six else 8, 0, 0, ident, number) + bytes(32)
            check = checksum((pseudo + struct.pack("!IHBB", len(body), 0, 0, ICMP6) if six else b"") + body)
            sent[number] = time.clock_gettime_ns(time.CLOCK_REALTIME)
            past.send(body[:2] + struct.pack("!H", check) + body[4:])
            time.sleep(spacing)
        deadline = time.monotonic() + patience
        while len(found) < count and (left := deadline - time.monotonic()) > 0:
            if not select.select([past.socket], [], [], left)[0]:
                break
            for data, arrived, _ in received(past.socket):
                head = 40 if data[:1] and data[0] >> 4 == 6 else (data[0] & 15) * 4 if data else 0
                if (number := _number(data[head:], answer, ident)) in sent:
                    found.setdefault(number, (arrived - sent[number]) / 1e9)
        time.sleep(0.02)
        for data, _, _ in received(own):
            inside.add(_number(data if six else data[(data[0] & 15) * 4 :] if data else b"", answer, ident))
    return Answers(list(found.values()), len(inside & sent.keys()))


def _number(body: bytes, kind: int, ident: int) -> int:
    """Of an answer to an echo; -1 for anything else."""
    if len(body) < 8:
        return -1
    found, _, _, whose, number = struct.unpack_from("!BBHHH", body)
    return int(number) if (found, whose) == (kind, ident) else -1

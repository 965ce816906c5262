"""Frames by hand, sent and caught at eth0: VLAN tags, IPv6 extension headers and fragments that no socket makes.

    with caught(net.server, port=9000) as seen:
        sent = send(net.client, udp(net.client, net.server, b"data", port=9000, tags=[10]))
        (one,) = seen(1)
    assert one.tags == (10,)
    assert one.at - sent[0] < 10_000_000

Times are the clock's, before a frame is sent, and the kernel's stamp of its arrival.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.netns import Namespace
from tests.support.probe import SO_TIMESTAMPNS, address, udp_socket

IP, IPV6, VLAN, QINQ = 0x0800, 0x86DD, 0x8100, 0x88A8
UDP, FRAGMENT = 17, 44
HOP_BY_HOP, ROUTING, DESTINATION = 0, 43, 60
PADDED = b"\x01\x04" + bytes(4)
"""A hop-by-hop or destination header's content: nothing but padding."""
NOWHERE = bytes([0, 0]) + bytes(4)
"""A routing header's content: no segments are left."""
_PACKET_AUXDATA, _SOL_PACKET, _TAG_VALID = 8, 263, 0x10
_EVERY_KIND, _OUTGOING = 3, 4
_STAMP = (socket.SOL_SOCKET, SO_TIMESTAMPNS)
_AUXDATA = struct.Struct("=IIIHHHH")


@dataclass(frozen=True)
class Caught:
    """A UDP packet as it came. tags: VLAN ids, the outermost first. at: when, ns."""

    tags: tuple[int, ...]
    data: bytes
    at: int


def mac(namespace: Namespace) -> bytes:
    return bytes.fromhex(namespace.run("cat", "/sys/class/net/eth0/address").stdout.strip().replace(":", ""))


def udp(
    sender: Namespace,
    receiver: Namespace,
    data: bytes,
    *,
    family: int = 4,
    port: int = 9000,
    tags: Sequence[int] = (),
    headers: Sequence[tuple[int, bytes]] = (),
) -> bytes:
    """A frame of a UDP packet. headers: IPv6 extension headers in front of it, each its number and all behind its first two bytes."""
    source, destination = (socket.inet_pton(_family(family), address(end, family)) for end in (sender, receiver))
    length = 8 + len(data)
    pseudo = source + destination + struct.pack(">II", length, UDP)
    whole = struct.pack(">HHHH", 40_000, port, length, 0) + data
    whole = whole[:6] + struct.pack(">H", _checksum(pseudo + whole) or 0xFFFF) + data
    return link(sender, receiver, family, tags) + _network(source, destination, extended(UDP, whole, headers))


def extended(protocol: int, whole: bytes, headers: Sequence[tuple[int, bytes]]) -> tuple[int, bytes]:
    """What stands behind an IP header, with extension headers in front: the first one's number, and the bytes."""
    for number, content in reversed(headers):
        length = (len(content) + 2) // 8 - 1
        whole, protocol = bytes([protocol, 0 if number == FRAGMENT else length]) + content + whole, number
    return protocol, whole


def fragments(whole: bytes, family: int, size: int, identifier: int, headers: Sequence[tuple[int, bytes]] = ()) -> list[bytes]:
    """A frame's UDP packet in fragments of `size` bytes, a multiple of 8. headers: IPv6 headers behind the fragment header."""
    start = 34 if family == 4 else 54
    first, body = extended(UDP, whole[start:], headers)
    found = []
    for at in range(0, len(body), size):
        part, more = body[at : at + size], at + size < len(body)
        source, destination = (whole[26:30], whole[30:34]) if family == 4 else (whole[22:38], whole[38:54])
        if family == 4:
            packet = _network(source, destination, (UDP, part), identifier, at // 8 | more << 13)
        else:
            content = struct.pack(">HI", at | more, identifier)
            packet = _network(source, destination, extended(first, part, [(FRAGMENT, content)]))
        found.append(whole[:14] + packet)
    return found


def link(sender: Namespace, receiver: Namespace, family: int, tags: Sequence[int]) -> bytes:
    """The Ethernet header; of several tags the outer ones are 802.1ad's."""
    kinds = [QINQ] * (len(tags) - 1) + [VLAN] * bool(tags)
    inside = b"".join(struct.pack(">HH", kind, tag) for kind, tag in zip(kinds, tags, strict=True))
    return mac(receiver) + mac(sender) + inside + struct.pack(">H", IP if family == 4 else IPV6)


def _network(source: bytes, destination: bytes, packet: tuple[int, bytes], identifier: int = 1, fragment: int = 0) -> bytes:
    protocol, body = packet
    if len(source) == 16:
        return struct.pack(">IHBB", 6 << 28, len(body), protocol, 64) + source + destination + body
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), identifier, fragment, 64, protocol, 0) + source + destination
    return head[:10] + struct.pack(">H", _checksum(head)) + head[12:] + body


def _checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _family(family: int) -> int:
    return socket.AF_INET if family == 4 else socket.AF_INET6


def now() -> int:
    """The clock of stamps, ns."""
    return time.clock_gettime_ns(time.CLOCK_REALTIME)


def send(namespace: Namespace, *frames: bytes) -> list[int]:
    """At eth0, in this order; when each was sent."""
    times = []
    with namespace.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
        raw.bind(("eth0", 0))
        for frame in frames:
            times.append(now())
            raw.send(frame)
    return times


@contextmanager
def stamping() -> Iterator[None]:
    """The kernel stamps packets from now on; it begins a moment after the first socket asks for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        time.sleep(0.05)
        yield


def inlet(namespace: Namespace, family: int, port: int, bind: str | None = None) -> socket.socket:
    """A UDP socket whose packets `take` reads."""
    made = udp_socket(namespace, family, bind=bind, port=port)
    made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    made.settimeout(5)
    return made


def take(inlet: socket.socket, count: int) -> list[Caught]:
    """So many packets. Raises TimeoutError."""
    found = []
    for _ in range(count):
        data, extra, _, _ = inlet.recvmsg(1 << 16, 256)
        found.append(Caught((), data, _stamp(extra)))
    return found


def _stamp(extra: list[tuple[int, int, bytes]]) -> int:
    data = next(data for level, kind, data in extra if (level, kind) == _STAMP)
    seconds, ns = struct.unpack("=qq", data)
    return int(seconds) * 10**9 + int(ns)


@contextmanager
def caught(namespace: Namespace, port: int) -> Iterator[Callable[[int], list[Caught]]]:
    """What comes in at eth0 for a UDP port, with its tags and before all filters there: call it with how many are expected.

    What is delayed there is seen twice: when it comes, and when it comes from its line.
    """
    with namespace.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
        raw.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        raw.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        raw.bind(("eth0", _EVERY_KIND))  # with a kind, a tag for which there is no device would be gone
        raw.setblocking(False)

        def seen(count: int, patience: float = 0.5) -> list[Caught]:
            found: list[Caught] = []
            while len(found) < count and select.select([raw], [], [], patience)[0]:
                found += _read(raw, port)
            while select.select([raw], [], [], 0.05)[0]:  # and no more than that
                found += _read(raw, port)
            return found

        yield seen


def _read(raw: socket.socket, port: int) -> list[Caught]:
    frame, extra, _, where = raw.recvmsg(1 << 16, 256)
    if where[2] == _OUTGOING:
        return []
    auxiliary = next(data for level, _, data in extra if level == _SOL_PACKET)
    status, _, _, _, _, outer, _ = _AUXDATA.unpack(auxiliary[: _AUXDATA.size])
    tags = [outer & 0xFFF] if status & _TAG_VALID else []
    at = 12
    while struct.unpack_from(">H", frame, at)[0] in (VLAN, QINQ):
        tags.append(struct.unpack_from(">H", frame, at + 2)[0] & 0xFFF)
        at += 4
    at += 2
    if struct.unpack_from(">H", frame, at - 2)[0] not in (IP, IPV6):
        return []
    if frame[at] >> 4 == 4:
        protocol, at = frame[at + 9], at + 20
    else:
        protocol, at = frame[at + 6], at + 40
    if protocol != UDP or struct.unpack_from(">H", frame, at + 2)[0] != port:
        return []
    length = struct.unpack_from(">H", frame, at + 4)[0]
    return [Caught(tuple(tags), frame[at + 8 : at + length], _stamp(extra))]

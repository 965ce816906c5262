"""Lines of the kernel's netem: a veth pair each, with netem as the root qdisc of its entry. Runs inside our own namespace.

nwl<i> is where packets go in, nwx<i> where they come out later. Where something is decided for each packet, a hop without GSO
(nws and nwt, one for all lines) stands in front: segmentation happens after a qdisc, so at the entry it would be too late.
netlink by hand, since what goes over it is our own codec's (kernel/netem.py).
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from netweather.kernel import links, namespaces
from netweather.kernel.netem import Netem, unpack

EXIT_PREFIX: Final = "nwx"
HOP, HOP_END = "nws", "nwt"
HANDLE: Final = 0x10000
_ROOT: Final = 0xFFFFFFFF
_NEWQDISC, _GETQDISC, _ERROR, _DONE = 36, 38, 2, 3
_REQUEST, _ACK, _DUMP, _EXCL, _CREATE = 0x1, 0x4, 0x300, 0x200, 0x400
_KIND, _OPTIONS, _STATS2, _STATS_QUEUE = 1, 2, 7, 3
_MESSAGE, _TC, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BxxxiIII"), struct.Struct("=HH")
_QUEUE = struct.Struct("=I4xI")  # gnet_stats_queue: qlen, backlog, drops
_ANSWER: Final = 1 << 17
_SIOCETHTOOL, _STRINGS_COUNT, _STRINGS, _SET_FEATURES, _FEATURES = 0x8946, 0x37, 0x1B, 0x3B, 4
_STRING: Final = 32
OFFLOADS: Final = ("tx-generic-segmentation", "tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-tcp-ecn-segmentation",
                   "tx-tcp-mangleid-segmentation", "tx-udp-segmentation", "tx-sctp-segmentation", "tx-gso-list")  # fmt: skip


@dataclass(frozen=True)
class Held:
    """A netem as the kernel tells it, how many packets wait in it, and how many it dropped, by choice or because it was full."""

    netem: Netem
    waiting: int
    dropped: int = 0

    @property
    def overflowed(self) -> int:
        """Packets that met a full queue; 0 where losses are asked for: netem counts them all together."""
        return self.dropped if not (self.netem.loss or self.netem.model or self.netem.ecn or self.netem.corrupt) else 0


def make_pair(entry: str, end: str, alias: str) -> tuple[int, int]:
    """Makes a quiet veth pair of ours, or finds it; returns the indexes of both ends, which are up."""
    if links.device(entry) is None:
        links.netlink().link("add", ifname=entry, kind="veth", mtu=links.MAX_MTU, peer={"ifname": end, "mtu": links.MAX_MTU})
    return links.raise_port(entry, alias), links.raise_port(end, alias)


def make_hop(alias: str) -> tuple[int, int]:
    """The hop that takes GSO packets apart, as `make_pair`."""
    pair = make_pair(HOP, HOP_END, alias)
    segment(HOP)
    return pair


def put(ifindex: int, options: bytes, *, new: bool) -> None:
    """Gives a device netem as its root qdisc, or changes the one it has: what waits in it stays. Raises OSError."""
    kind = _attribute(_KIND, b"netem\0")
    _ask(_NEWQDISC, _ACK | (_CREATE | _EXCL if new else 0), ifindex, kind + _attribute(_OPTIONS, options))


def read() -> dict[int, Held]:
    """Every netem in this namespace, by its device's index."""
    found = {}
    for ifindex, body in _ask(_GETQDISC, _DUMP, 0, b""):
        attributes = dict(_attributes(body))
        if attributes.get(_KIND) == b"netem\0":
            queue = dict(_attributes(attributes.get(_STATS2, b""))).get(_STATS_QUEUE, bytes(_QUEUE.size))
            waiting, dropped = _QUEUE.unpack_from(queue)
            found[ifindex] = Held(unpack(attributes[_OPTIONS]), waiting, dropped)
    return found


def exits(present: list[links.Device], entries: dict[int, int]) -> dict[int, int]:
    """The lines of ours whose way in leads to a netem, each with the index of its exit."""
    by_name = {device.name: device for device in present}
    found, held = {}, None
    for line, entry in entries.items():
        device, end = by_name.get(f"{links.LINE_PREFIX}{line}"), by_name.get(f"{EXIT_PREFIX}{line}")
        if device is None or end is None or not end.up:
            continue
        held = read() if held is None else held
        hop = by_name.get(HOP)
        if device.ifindex in held and (entry == device.ifindex or (hop is not None and entry == hop.ifindex)):
            found[line] = end.ifindex
    return found


def segment(name: str) -> None:
    """A device takes no GSO packets any more: each is taken apart before it. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        count = bytearray(struct.pack("=IIQI", _STRINGS_COUNT, 0, 1 << _FEATURES, 0))
        _ethtool(control, name, count)
        length = struct.unpack_from("=I", count, 16)[0]
        strings = bytearray(struct.pack("=III", _STRINGS, _FEATURES, length)) + bytearray(_STRING * length)
        _ethtool(control, name, strings)
        words = [0] * ((length + 31) // 32)
        for number in range(length):
            text = bytes(strings[12 + _STRING * number : 12 + _STRING * (number + 1)]).split(b"\0")[0].decode()
            if text in OFFLOADS:
                words[number // 32] |= 1 << (number % 32)
        pairs = b"".join(struct.pack("=II", word, 0) for word in words)  # (which are meant, which of these are on)
        _ethtool(control, name, bytearray(struct.pack("=II", _SET_FEATURES, len(words)) + pairs))


def _ethtool(control: socket.socket, name: str, buffer: bytearray) -> None:
    import ctypes

    pointed = (ctypes.c_char * len(buffer)).from_buffer(buffer)
    request = struct.pack("=16sQ16x", name.encode(), ctypes.addressof(pointed))
    fcntl.ioctl(control, _SIOCETHTOOL, request)
    del pointed


def _socket() -> socket.socket:
    return namespaces.kept_here("netem", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE))


def _ask(kind: int, flags: int, ifindex: int, attributes: bytes) -> list[tuple[int, bytes]]:
    """One request and all of its answers: (device's index, attributes) of each."""
    body = _TC.pack(0, ifindex, HANDLE if ifindex else 0, _ROOT if ifindex else 0, 0) + attributes
    channel = _socket()
    channel.send(_MESSAGE.pack(_MESSAGE.size + len(body), kind, flags | _REQUEST, 1, 0) + body)
    found: list[tuple[int, bytes]] = []
    while True:
        answer = channel.recv(_ANSWER)
        for answered, content in _messages(answer):
            if answered == _ERROR:
                number = -struct.unpack_from("=i", content)[0]
                if number:
                    raise OSError(number, f"netem: {os.strerror(number)}")
                return found
            if answered == _DONE:
                return found
            found.append((_TC.unpack_from(content)[1], content[_TC.size :]))


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + _MESSAGE.size <= len(data):
        length, kind, *_ = _MESSAGE.unpack_from(data, place)
        yield kind, data[place + _MESSAGE.size : place + length]
        place += (length + 3) & ~3


def _attribute(kind: int, data: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(data), kind) + data + bytes(-len(data) % 4)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, place)
        yield kind & 0x3FFF, data[place + _ATTRIBUTE.size : place + length]
        place += max(_ATTRIBUTE.size, (length + 3) & ~3)

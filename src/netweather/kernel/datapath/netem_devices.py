"""Lines of the kernel's netem: a veth pair each, with netem as the root qdisc of its entry. Runs inside our own namespace.

nwl<i> is where packets go in, nwx<i> where they come out later. Where something is decided for each packet, a hop without GSO
(nws and nwt, one for all lines) stands in front: segmentation happens after a qdisc, so at the entry it would be too late.
netem's attributes: kernel/netlink/netem_attributes.py.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from dataclasses import dataclass
from typing import Final

from netweather.kernel.datapath.spec import LineCounts
from netweather.kernel.netlink import links, rtnetlink
from netweather.kernel.netlink.netem_attributes import Netem, unpack

EXIT_PREFIX: Final = "nwx"
HOP, HOP_END = "nws", "nwt"
HANDLE: Final = 0x10000
_ROOT: Final = 0xFFFFFFFF
_NEWQDISC, _DELQDISC, _GETQDISC = 36, 37, 38
_KIND, _OPTIONS, _STATS2, _STATS_QUEUE = 1, 2, 7, 3
_TC = struct.Struct("=BxxxiIII")  # struct tcmsg: family, device, handle, parent, info
_QUEUE = struct.Struct("=I4xI")  # gnet_stats_queue: qlen, backlog, drops
_SIOCETHTOOL, _STRINGS_COUNT, _STRINGS, _SET_FEATURES, _FEATURES = 0x8946, 0x37, 0x1B, 0x3B, 4
_STRING: Final = 32
OFFLOADS: Final = ("tx-generic-segmentation", "tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-tcp-ecn-segmentation",
                   "tx-tcp-mangleid-segmentation", "tx-udp-segmentation", "tx-sctp-segmentation", "tx-gso-list")  # fmt: skip


@dataclass(frozen=True)
class NetemState:
    """A netem as the kernel tells it, how many packets wait in it, and how many it dropped, by choice or because it was full."""

    netem: Netem
    waiting: int
    dropped: int = 0

    @property
    def counts(self) -> LineCounts:
        """netem counts what it drops, whatever for, and nothing of what else it does to packets."""
        asked = self.netem
        loses = bool(asked.loss or asked.model or asked.ecn or asked.corrupt)
        return LineCounts(
            dropped=self.dropped,
            loss=None if loses else 0,
            queue=None if loses else self.dropped,
            marked=None if asked.ecn else 0,
            duplicated=None if asked.duplicate else 0,
            corrupted=None if asked.corrupt else 0,
            reordered=None if asked.reorder else 0,
        )


def make_pair(entry: str, end: str, alias: str) -> tuple[int, int]:
    """Makes a quiet veth pair of ours, or finds it; returns the indexes of both ends, which are up."""
    if links.device(entry) is None:
        links.make_pair(entry, end)
    return links.raise_port(entry, alias), links.raise_port(end, alias)


def make_hop(alias: str) -> tuple[int, int]:
    """The hop that takes GSO packets apart, as `make_pair`."""
    pair = make_pair(HOP, HOP_END, alias)
    segment(HOP)
    return pair


def put(ifindex: int, options: bytes, *, new: bool) -> None:
    """Gives a device netem as its root qdisc, or changes the one it has: what waits in it stays. Raises OSError."""
    flags = rtnetlink.ACK | (rtnetlink.CREATE | rtnetlink.EXCL if new else 0)
    body = _TC.pack(0, ifindex, HANDLE, _ROOT, 0) + rtnetlink.text(_KIND, "netem") + rtnetlink.attribute(_OPTIONS, options)
    rtnetlink.ask(_NEWQDISC, flags, body)


def remove(ifindex: int) -> None:
    """Takes the netem that `put` gave away, with what waits in it. Raises OSError."""
    rtnetlink.ask(_DELQDISC, rtnetlink.ACK, _TC.pack(0, ifindex, HANDLE, _ROOT, 0))


def read() -> dict[int, NetemState]:
    """Every netem in this namespace, by its device's index."""
    found = {}
    for body in rtnetlink.ask(_GETQDISC, rtnetlink.DUMP, _TC.pack(0, 0, 0, 0, 0)):
        attributes = rtnetlink.attributes(body[_TC.size :])
        if attributes.get(_KIND) == b"netem\0":
            queue = rtnetlink.attributes(attributes.get(_STATS2, b"")).get(_STATS_QUEUE, bytes(_QUEUE.size))
            waiting, dropped = _QUEUE.unpack_from(queue)
            found[_TC.unpack_from(body)[1]] = NetemState(unpack(attributes[_OPTIONS]), waiting, dropped)
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

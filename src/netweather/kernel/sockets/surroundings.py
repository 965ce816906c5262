"""What surrounds a condition in its target: addresses, listeners, sockets that read packets directly.

Runs inside the namespace, and reads only: a dump of netlink and a file of /proc each. For notes about what no condition can reach.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from netweather.kernel.netlink import links
from netweather.kernel.sockets import sockdiag

_EVERY_PROTOCOL: Final = 3
_PACKET_SOCKETS: Final = "/proc/thread-self/net/packet"


@dataclass(frozen=True)
class PacketReader:
    """A socket that gets every packet of an interface, of all when ifindex is 0, before any program of tc."""

    inode: int
    ifindex: int


@dataclass(frozen=True)
class Surroundings:
    """addresses: without loopback's. listening: for each port, whether any listener takes connections from elsewhere."""

    addresses: frozenset[str] = frozenset()
    listening: tuple[tuple[int, bool], ...] = ()
    readers: tuple[PacketReader, ...] = ()


def surroundings(*, addresses: bool, listening: Collection[int], readers: bool) -> Surroundings:
    """What is asked for, of the namespace of this thread. listening: protocols. Raises OSError."""
    return Surroundings(
        frozenset(str(one) for _, one in links.addresses() if not one.is_loopback) if addresses else frozenset(),
        _listening(listening),
        packet_readers() if readers else (),
    )


def _listening(protocols: Iterable[int]) -> tuple[tuple[int, bool], ...]:
    found: dict[int, bool] = {}
    for one in (each for protocol in protocols for each in sockdiag.listeners(protocol)):
        reachable = not ipaddress.ip_address(one.local.partition("%")[0]).is_loopback
        found[one.local_port] = found.get(one.local_port, False) or reachable
    return tuple(found.items())


def packet_readers(path: str = _PACKET_SOCKETS) -> tuple[PacketReader, ...]:
    """The sockets of AF_PACKET that read all protocols. Those of one protocol get packets behind tc."""
    with open(path, encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]  # sk RefCnt Type Proto Iface R Rmem User Inode
    return tuple(PacketReader(int(row[8]), int(row[4])) for row in rows if int(row[3], 16) == _EVERY_PROTOCOL and row[5] == "1")

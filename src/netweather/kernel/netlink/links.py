"""Devices and their addresses: those of a target as they are, and those of ours. Everything here runs inside the namespace.

TAPs are made by ioctl. Devices of ours are recognised by a mark, so nothing else has to be remembered to delete them; a name that
begins with nw may be a user's. The mark is GROUP, which a veth has from the message that creates it, or an alias that begins with ALIAS.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface
from pathlib import Path
from typing import Final

from netweather.errors import NetweatherError
from netweather.kernel.netlink import rtnetlink

ALIAS = "netweather:"
GROUP = 0x6E776561  # "nwea"; the kernel ignores an alias in the message that creates a device, and keeps a group
PORT = "nw0"
HELPER_PORT = "nwh"
LINE_PREFIX = "nwl"
QUEUE = 20_000  # packets; the default of 1,000 dropped 11,164 packets of one TCP flow in 2 s, 10,000 none
MAX_MTU = 65521  # what a TAP takes at most
ARPHRD_ETHER, ARPHRD_LOOPBACK = 1, 772

_TUN: Final = "/dev/net/tun"
TUNSETIFF, TUNSETPERSIST, TUNSETOFFLOAD = 0x400454CA, 0x400454CB, 0x400454D0
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
OFFLOAD_CSUM, OFFLOAD_TSO4, OFFLOAD_TSO6 = 1, 2, 4

_NEWLINK, _GETLINK, _SETLINK = 16, 18, 19
_LINK: Final = struct.Struct("=BxHiII")  # struct ifinfomsg: family, hardware, index, flags, which of them change
_IFNAME, _MTU, _LOWER, _MASTER, _TXQLEN, _LINKINFO, _IFALIAS = 3, 4, 5, 10, 13, 18, 20
_STATS64, _GROUP, _NETNS_FD, _LOWER_NETNS = 23, 27, 28, 37
_INFO_KIND, _INFO_DATA, _VETH_PEER, _BRIDGE_SNOOPING = 1, 2, 1, 23
_DROPPED: Final = struct.Struct("=48xQQ")  # struct rtnl_link_stats64: rx_dropped, tx_dropped
_PAIRS: Final = frozenset({"veth", "netkit"})
_UP, _NOARP = 0x1, 0x80
_NEW_ADDRESS, _GET_ADDRESS, _ADDRESS, _LOCAL = 20, 22, 1, 2
_ADDRESS_HEAD: Final = struct.Struct("=BBBBI")  # struct ifaddrmsg: family, length of the prefix, flags, scope, index


@dataclass(frozen=True)
class Device:
    """A network device as netlink tells it. inner: it is one end of a pair, and the other end is in the same namespace."""

    name: str
    ifindex: int
    hardware: int
    kind: str
    up: bool
    master: int | None
    lower: int | None
    alias: str
    mtu: int
    txqueuelen: int
    rx_dropped: int
    tx_dropped: int
    group: int = 0
    inner: bool = False

    @property
    def ours(self) -> bool:
        return self.group == GROUP or self.alias.startswith(ALIAS)


def _device(body: bytes) -> Device:
    _, hardware, ifindex, flags, _ = _LINK.unpack_from(body)
    found = rtnetlink.attributes(body[_LINK.size :])
    kind = rtnetlink.as_text(rtnetlink.attributes(found.get(_LINKINFO, b"")).get(_INFO_KIND, b""))
    lower = _number(found, _LOWER)
    # The peer of a pair is also told as IFLA_LINK, and what lies in another namespace with that one's number.
    if kind in _PAIRS or _LOWER_NETNS in found or lower == ifindex:
        lower = None
    rx_dropped, tx_dropped = _DROPPED.unpack_from(found.get(_STATS64, bytes(_DROPPED.size)))
    return Device(
        name=rtnetlink.as_text(found[_IFNAME]),
        ifindex=ifindex,
        hardware=hardware,
        kind=kind,
        up=bool(flags & _UP),
        master=_number(found, _MASTER),
        lower=lower,
        alias=rtnetlink.as_text(found.get(_IFALIAS, b"")),
        mtu=_number(found, _MTU) or 0,
        txqueuelen=_number(found, _TXQLEN) or 0,
        rx_dropped=rx_dropped,
        tx_dropped=tx_dropped,
        group=_number(found, _GROUP) or 0,
        inner=kind in _PAIRS and _LOWER in found and _LOWER_NETNS not in found,
    )


def _number(found: dict[int, bytes], kind: int) -> int | None:
    return int(struct.unpack("=I", found[kind])[0]) if kind in found else None


def devices() -> list[Device]:
    """All devices of this namespace, by index."""
    return sorted(map(_device, rtnetlink.ask(_GETLINK, rtnetlink.DUMP, _link())), key=lambda d: d.ifindex)


def names() -> set[str]:
    """The names of this namespace's devices: the quickest look there is."""
    return {name for _, name in socket.if_nameindex()}


def device(name: str) -> Device | None:
    """The device of this name, or None."""
    try:
        return _device(rtnetlink.ask(_GETLINK, 0, _link() + rtnetlink.text(_IFNAME, name))[0])
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        return None


def addresses() -> list[tuple[int, IPv4Address | IPv6Address]]:
    """The index of an interface with an address of its own (not its peer's), for each there is. Raises OSError."""
    found = []
    for body in rtnetlink.ask(_GET_ADDRESS, rtnetlink.DUMP, _ADDRESS_HEAD.pack(0, 0, 0, 0, 0)):
        attributes = rtnetlink.attributes(body[_ADDRESS_HEAD.size :])
        packed = attributes.get(_LOCAL) or attributes.get(_ADDRESS) or b""
        if len(packed) in (4, 16):
            found.append((_ADDRESS_HEAD.unpack_from(body)[-1], ip_address(packed)))
    return found


def names_by_address() -> dict[str, str]:
    """The name of the interface that has each address. Raises OSError."""
    names = dict(socket.if_nameindex())
    return {str(address): names.get(index, "") for index, address in addresses()}


def add_address(ifindex: int, address: str) -> None:
    """Gives an interface an address with its prefix, such as 192.0.2.1/28. Raises OSError."""
    own = ip_interface(address)
    family = socket.AF_INET if own.version == 4 else socket.AF_INET6
    body = _ADDRESS_HEAD.pack(family, own.network.prefixlen, 0, 0, ifindex)
    body += rtnetlink.attribute(_LOCAL, own.packed) + rtnetlink.attribute(_ADDRESS, own.packed)
    rtnetlink.ask(_NEW_ADDRESS, rtnetlink.ACK | rtnetlink.CREATE | rtnetlink.EXCL, body)


def delete(ifindex: int) -> None:
    """Deletes a device; one that is gone is no error."""
    try:
        rtnetlink.ask(rtnetlink.DELLINK, rtnetlink.ACK, _link(ifindex))
    except OSError as error:
        if error.errno not in (errno.ENODEV, errno.EINVAL):
            raise


def _link(ifindex: int = 0, flags: int = 0) -> bytes:
    """The head of a message; the flags are to be set, and no other changes."""
    return _LINK.pack(socket.AF_UNSPEC, 0, ifindex, flags, flags)


def _quiet(name: str) -> None:
    """Before up: otherwise the device sends a few IPv6 frames of its own."""
    path = Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
    # No IPv6 in this kernel, or /proc/sys is read-only: the line shoots strays anyway.
    with rtnetlink.DEVICES, contextlib.suppress(OSError):
        path.write_text("1")


def make_pair(name: str, peer: str, peer_fd: int | None = None) -> None:
    """Makes a veth pair of ours: as `make_veth`, marked and with room for every packet. Raises OSError."""
    make_veth(name, peer, peer_fd, rtnetlink.number(_MTU, MAX_MTU) + rtnetlink.number(_GROUP, GROUP))


def make_veth(name: str, peer: str, peer_fd: int | None = None, both: bytes = b"") -> None:
    """Makes a veth pair, both down: the one end here, the other in the namespace of this descriptor, or here too.

    both: further attributes of each end. Raises OSError (EEXIST: somebody's device has that name).
    """
    where = b"" if peer_fd is None else rtnetlink.number(_NETNS_FD, peer_fd)
    _make("veth", name, rtnetlink.attribute(_VETH_PEER, _link(), rtnetlink.text(_IFNAME, peer), both, where), both)


def make_bridge(name: str) -> None:
    """Makes a bridge, which is down, and passes multicast on unseen. Raises OSError."""
    _make("bridge", name, rtnetlink.attribute(_BRIDGE_SNOOPING, b"\0"))


def _make(kind: str, name: str, data: bytes, more: bytes = b"") -> None:
    info = rtnetlink.attribute(_LINKINFO, rtnetlink.text(_INFO_KIND, kind), rtnetlink.attribute(_INFO_DATA, data))
    flags = rtnetlink.ACK | rtnetlink.CREATE | rtnetlink.EXCL
    rtnetlink.ask(_NEWLINK, flags, _link() + rtnetlink.text(_IFNAME, name) + more + info)


def bring_up(name: str, bridge: str = "") -> int:
    """Brings any device up, as a port of a bridge if one is named. Returns its index; raises OSError."""
    index = socket.if_nametoindex(name)
    port = rtnetlink.number(_MASTER, socket.if_nametoindex(bridge)) if bridge else b""
    rtnetlink.ask(_SETLINK, rtnetlink.ACK, _link(index, _UP) + port)
    return index


def make_port(target_fd: int) -> None:
    """Makes the veth pair nwh (here, in our own namespace) and nw0 (in the target's), both down. Raises as `make_pair`."""
    make_pair(HELPER_PORT, PORT, target_fd)


def raise_port(name: str, alias: str, *more: bytes) -> int:
    """Brings a device of ours up, quietly. Returns its index."""
    _quiet(name)
    index = socket.if_nametoindex(name)
    rtnetlink.ask(_SETLINK, rtnetlink.ACK, _link(index, _UP | _NOARP) + rtnetlink.text(_IFALIAS, alias) + b"".join(more))
    return index


def pin_receive(sysfs: Path, name: str, cpu: int) -> None:
    """All of a device's received packets on one CPU: otherwise those of one flow overtake each other on a veth."""
    mask = f"{1 << (cpu % 32):x}" + ",00000000" * (cpu // 32)
    for queue in (sysfs / "class/net" / name / "queues").glob("rx-*"):
        (queue / "rps_cpus").write_text(mask)


def open_tap(name: str) -> int:
    """Opens (and makes, when it isn't there) the TAP of a line. Returns a non-blocking descriptor.

    Raises NetweatherError(code="no-tun") when no TAP can be made here, OSError.
    """
    try:
        fd = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        what, why = "the pump cannot make the device that delays packets", f"{_TUN}: {error.strerror}"
        remedy = f"run `modprobe tun`; in a container, add --device {_TUN}"
        raise NetweatherError("no-tun", what, why, remedy) from error
    try:
        request = struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
        fcntl.ioctl(fd, TUNSETIFF, request)
        # Persistent: a pump that dies leaves its device, so that the next one finds all that hangs on it.
        fcntl.ioctl(fd, TUNSETPERSIST, 1)
        fcntl.ioctl(fd, TUNSETOFFLOAD, OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_TSO6)
    except OSError:
        os.close(fd)
        raise
    return fd


def raise_tap(name: str, alias: str) -> int:
    """Brings a line's TAP up with room enough, quietly. Returns its index."""
    return raise_port(name, alias, rtnetlink.number(_MTU, MAX_MTU), rtnetlink.number(_TXQLEN, QUEUE))


_LINK_EVENTS: Final = 1  # RTMGRP_LINK
_ROOM: Final = 1 << 16
_NAME_KIND, _LINK_SIZE = 3, 16


class LinkEvents:
    """The changes since the last look. Made inside the namespace; `changed` may be called anywhere. Raises OSError."""

    def __init__(self) -> None:
        self._socket = rtnetlink.opened()
        self._socket.bind((0, _LINK_EVENTS))
        self._socket.setblocking(False)
        self._names = {index: name for index, name in socket.if_nameindex() if name != PORT}

    def changed(self) -> bool:
        """Whether an interface, but for our own, came, left or has another name. What is up or down doesn't matter."""
        found = False
        while True:
            try:
                data = self._socket.recv(_ROOM)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # more came than the kernel kept for us
                    raise
                found = True
                continue
            for kind, _, body in rtnetlink.messages(data):
                found |= self._take(kind, body)

    def _take(self, kind: int, body: bytes) -> bool:
        index = struct.unpack_from("=4xi", body)[0]
        name = rtnetlink.as_text(rtnetlink.attributes(body[_LINK_SIZE:]).get(_NAME_KIND, b""))
        if kind == rtnetlink.DELLINK:
            return self._names.pop(index, None) is not None
        before = self._names.get(index)
        if name in (PORT, before):
            return False
        self._names[index] = name
        return True

    def close(self) -> None:
        self._socket.close()


_NEWROUTE, _GETROUTE, _NEWRULE, _DELRULE = 24, 26, 32, 33
_DESTINATION, _OUT, _GATEWAY, _SOURCE, _TABLE = 1, 4, 5, 7, 15
_PRIORITY, _PROTOCOL, _PORTS = 6, 22, 24  # of a rule, beside _DESTINATION and _TABLE
_HEAD = struct.Struct("=BBBBBBBBI")  # struct rtmsg, and fib_rule_hdr: family, lengths of the prefixes, tos, table, …, flags
_STATIC, _UNICAST, _TO_TABLE = 4, 1, 1
MAIN, LOCAL = 254, 255
"""The kernel's tables: the one that routes are in unless another is named, and that of the addresses of this namespace."""


def way_out(address: str) -> tuple[int, str]:
    """The interface's index and the next hop of packets to an address, which may be itself. Raises OSError without a route."""
    found = _route(address)
    if _OUT not in found:
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
    (number,) = struct.unpack("=I", found[_OUT])
    gateway = found.get(_GATEWAY)
    return number, str(ipaddress.ip_address(gateway)) if gateway else address


def _route(address: str) -> dict[int, bytes]:
    parsed = ipaddress.ip_address(address)
    family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
    head = _HEAD.pack(family, parsed.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
    (answer,) = rtnetlink.ask(_GETROUTE, 0, head + rtnetlink.attribute(_DESTINATION, parsed.packed))
    return rtnetlink.attributes(answer[_HEAD.size :])


def ways_out(addresses: Iterable[str]) -> dict[str, int]:
    """The index of the interface by which packets to each address leave; those without a route are left out."""
    found = {}
    for address in addresses:
        with contextlib.suppress(OSError):
            out = _route(address).get(_OUT)
            if out is not None:
                found[address] = int(struct.unpack("=I", out)[0])
    return found


def add_route(address: str, gateway: str, *, source: str = "", table: int = MAIN) -> None:
    """Packets to one IPv4 address go to a gateway. source: the address they leave with. Raises OSError."""
    body = _HEAD.pack(socket.AF_INET, 32, 0, 0, table, _STATIC, 0, _UNICAST, 0)
    given = {_DESTINATION: address, _GATEWAY: gateway, _SOURCE: source}
    body += b"".join(rtnetlink.attribute(kind, socket.inet_aton(each)) for kind, each in given.items() if each)
    rtnetlink.ask(_NEWROUTE, rtnetlink.ACK | rtnetlink.CREATE | rtnetlink.EXCL, body)


def add_rule(priority: int, table: int, address: str = "", protocol: int = 0, port: int = 0) -> None:
    """Packets (to an IPv4 address, a protocol's port there) look their route up in this table. Raises OSError."""
    body = _rule(priority, table, address, protocol, port)
    rtnetlink.ask(_NEWRULE, rtnetlink.ACK | rtnetlink.CREATE | rtnetlink.EXCL, body)


def delete_rule(priority: int, table: int, address: str = "", protocol: int = 0, port: int = 0) -> None:
    """Deletes the rule that was added with these. Raises OSError."""
    rtnetlink.ask(_DELRULE, rtnetlink.ACK, _rule(priority, table, address, protocol, port))


def _rule(priority: int, table: int, address: str, protocol: int, port: int) -> bytes:
    body = _HEAD.pack(socket.AF_INET, 32 if address else 0, 0, 0, table, 0, 0, _TO_TABLE, 0)
    body += rtnetlink.number(_PRIORITY, priority)
    if address:
        body += rtnetlink.attribute(_DESTINATION, socket.inet_aton(address))
    if port:
        body += rtnetlink.attribute(_PROTOCOL, bytes([protocol])) + rtnetlink.attribute(_PORTS, struct.pack("=HH", port, port))
    return body

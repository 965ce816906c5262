"""By which interface a namespace's packets leave, and how to send some of them elsewhere. Runs inside the namespace."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable

from netweather.kernel import rtnetlink

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

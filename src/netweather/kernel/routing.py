"""By which interface a namespace's packets leave. Runs inside it."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable

from netweather.kernel import rtnetlink

_GETROUTE, _DESTINATION, _OUT, _GATEWAY = 26, 1, 4, 5
_HEAD = struct.Struct("=BBBBBBBBI")


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

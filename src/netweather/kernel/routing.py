"""By which interface a namespace's packets leave. Runs inside it."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
from collections.abc import Iterable

from netweather.kernel import rtnetlink

_GETROUTE, _DESTINATION, _OUT = 26, 1, 4
_HEAD = struct.Struct("=BBBBBBBBI")


def ways_out(addresses: Iterable[str]) -> dict[str, int]:
    """The index of the interface by which packets to each address leave; those without a route are left out."""
    found = {}
    for address in addresses:
        parsed = ipaddress.ip_address(address)
        family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
        head = _HEAD.pack(family, parsed.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
        with contextlib.suppress(OSError):
            (answer,) = rtnetlink.ask(_GETROUTE, 0, head + rtnetlink.attribute(_DESTINATION, parsed.packed))
            out = rtnetlink.attributes(answer[_HEAD.size :]).get(_OUT)
            if out is not None:
                found[address] = int(struct.unpack("=I", out)[0])
    return found

"""The sockets of targets/, all of them: Docker's and the resolver's. They only read; nothing here knows why.

The one module of targets/ that may import `socket` (the seam's rule is about changing the kernel, and none of these does).
"""

from __future__ import annotations

import socket  # noqa: TID251  (see above)
from contextlib import suppress
from ipaddress import IPv6Address, ip_address

from netweather.targets.model import Address

UnixStream = socket.socket


def unix_stream(path: str, timeout: float) -> socket.socket:
    """A connection to the unix socket at `path`; timeout in seconds, for connecting and every read. Raises OSError."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(timeout)
    try:
        made.connect(path)
    except OSError:
        made.close()
        raise
    return made


def hang_up(connection: socket.socket) -> None:
    """End a connection under whoever reads from it, in any thread; it still wants closing."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def look_up(host: str) -> list[Address]:
    """All A and AAAA addresses of a host name, as this machine's resolver knows them, v4-mapped ones as v4.

    Raises OSError (its strerror says why) and UnicodeError (no possible host name).
    """
    found: list[Address] = []
    for _, _, _, _, place in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
        address = ip_address(str(place[0]).partition("%")[0])
        found.append(address.ipv4_mapped or address if isinstance(address, IPv6Address) else address)
    return list(dict.fromkeys(found))

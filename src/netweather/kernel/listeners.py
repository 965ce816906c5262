"""Which ports this namespace's programs listen on, as /proc tells. Only looks."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from pathlib import Path

_LISTEN, _UNCONNECTED = "0A", "07"
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@dataclass(frozen=True, order=True)
class Service:
    """A port somebody listens on. kind: "tcp" or "udp"; address: where it is reached from the same machine."""

    kind: str
    port: int
    address: str


def services(pid: int | str = "self") -> dict[tuple[str, int], Service]:
    """The services in the network of a process, one for each kind and port: those on IPv4 before those on IPv6 alone.

    UDP has no listening: what is bound, has no peer, and is below the range that clients are given ports of, is a service.
    """
    found: dict[tuple[str, int], Service] = {}
    clients = int(_RANGE.read_text().split()[0])
    for name in ("tcp", "udp", "tcp6", "udp6"):
        kind = name[:3]
        for address, port, state in _sockets(Path(f"/proc/{pid}/net/{name}")):
            wanted = state == _LISTEN if kind == "tcp" else state == _UNCONNECTED and port < clients
            if wanted:
                found.setdefault((kind, port), Service(kind, port, _reached(address)))
    return found


def _sockets(path: Path) -> list[tuple[str, int, str]]:
    """Local address, port and state of each socket."""
    try:
        lines = path.read_text().splitlines()[1:]
    except OSError:  # no IPv6 in this kernel
        return []
    found = []
    for line in lines:
        _, local, _, state, *_ = line.split(maxsplit=4)
        address, _, port = local.partition(":")
        found.append((_plain(address), int(port, 16), state))
    return found


def _plain(words: str) -> str:
    """`0100007F` is 127.0.0.1: 32-bit numbers in the machine's own order."""
    packed = b"".join(struct.pack("=I", int(words[i : i + 8], 16)) for i in range(0, len(words), 8))
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def _reached(address: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address.removeprefix("::ffff:"))

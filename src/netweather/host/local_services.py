"""Which ports the programs of a namespace listen on, as /proc shows. No packet is sent, and no connection shows in anybody's log."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from pathlib import Path

_WAITING = {"tcp": "0A", "udp": "07"}
"""The state of a socket that waits for others, in the kernel's tables: listening, or bound and not connected."""
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@dataclass(frozen=True, order=True)
class HostService:
    """A port somebody listens on. kind: "tcp" or "udp"; address: where it is reached from the same machine."""

    kind: str
    port: int
    address: str


def services(pid: int | str = "self") -> dict[tuple[str, int], HostService]:
    """The services in the network of a process, one for each kind and port: those on IPv4 before those on IPv6 alone.

    UDP has no listening: what is bound, has no peer, and is below the range that clients are given ports of, is a service.
    """
    found: dict[tuple[str, int], HostService] = {}
    clients = int(_RANGE.read_text().split()[0])
    for name in ("tcp", "udp", "tcp6", "udp6"):
        kind = name[:3]
        for address, port in _waiting(pid, name):
            if kind == "tcp" or port < clients:
                found.setdefault((kind, port), HostService(kind, port, _reached(address)))
    return found


def listens(pid: int | str, kind: str, port: int) -> bool:
    """Whether anybody in the network of a process listens on (tcp) or is bound to (udp) a port."""
    return any(port == each for name in (kind, f"{kind}6") for _, each in _waiting(pid, name))


def _waiting(pid: int | str, name: str) -> list[tuple[str, int]]:
    """Local address and port of each socket in a table that waits for others."""
    try:
        lines = Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    except OSError:  # no IPv6 in this kernel
        return []
    found = []
    for line in lines:
        _, local, _, state, *_ = line.split(maxsplit=4)
        if state == _WAITING[name[:3]]:
            address, _, port = local.partition(":")
            found.append((_plain(address), int(port, 16)))
    return found


def _plain(words: str) -> str:
    """`0100007F` is 127.0.0.1: 32-bit numbers in the machine's own order."""
    packed = b"".join(struct.pack("=I", int(words[i : i + 8], 16)) for i in range(0, len(words), 8))
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def _reached(address: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address.removeprefix("::ffff:"))

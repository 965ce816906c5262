"""The keys and the peer of a WireGuard device, by generic netlink (linux/wireguard.h): this machine need not have `wg`."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from ipaddress import ip_network

from netweather.kernel.netlink import rtnetlink

PORT = 51820
_GENERIC, _CONTROL, _GET_FAMILY, _SET_DEVICE = 16, 16, 3, 1
_IFNAME, _PRIVATE_KEY, _LISTEN_PORT, _PEERS = 2, 3, 6, 8
_PUBLIC_KEY, _ENDPOINT, _ALLOWED = 1, 4, 9
_FAMILY, _ADDRESS, _LENGTH = 1, 2, 3
_FAMILY_ID, _FAMILY_NAME = 1, 2


def set_peer(device: str, private_key: bytes, peer: bytes, address: str, allowed: Sequence[str]) -> None:
    """Gives a device its key and its one peer, at an IPv4 address. Runs inside the namespace; raises OSError."""
    request = struct.pack("=BBH", _GET_FAMILY, 1, 0) + rtnetlink.text(_FAMILY_NAME, "wireguard")
    (answer,) = rtnetlink.ask(_CONTROL, 0, request, _GENERIC)
    (family,) = struct.unpack("=H", rtnetlink.attributes(answer[4:])[_FAMILY_ID])
    endpoint = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", PORT, socket.inet_aton(address))
    known = rtnetlink.attribute(
        _nested(0),
        rtnetlink.attribute(_PUBLIC_KEY, peer),
        rtnetlink.attribute(_ENDPOINT, endpoint),
        rtnetlink.attribute(_nested(_ALLOWED), *map(_network, allowed)),
    )
    body = struct.pack("=BBH", _SET_DEVICE, 1, 0) + rtnetlink.text(_IFNAME, device)
    body += rtnetlink.attribute(_PRIVATE_KEY, private_key) + rtnetlink.attribute(_LISTEN_PORT, struct.pack("=H", PORT))
    rtnetlink.ask(family, rtnetlink.ACK, body + rtnetlink.attribute(_nested(_PEERS), known), _GENERIC)


def _network(text: str) -> bytes:
    network = ip_network(text)
    family = socket.AF_INET if network.version == 4 else socket.AF_INET6
    return rtnetlink.attribute(
        _nested(0),
        rtnetlink.attribute(_FAMILY, struct.pack("=H", family)),
        rtnetlink.attribute(_ADDRESS, network.network_address.packed),
        rtnetlink.attribute(_LENGTH, bytes([network.prefixlen])),
    )


def _nested(kind: int) -> int:
    return kind | rtnetlink.NESTED

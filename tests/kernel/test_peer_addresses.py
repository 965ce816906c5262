"""A peer named by reference means every address that it can be reached by, on the wire: link-local, secondary, a service's on lo."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from netweather.conditions import Condition
from tests.support.netns import Namespace, ip
from tests.support.rig import Rig, rule, until

PORT = 7
SERVICE4, SERVICE6 = "203.0.113.9", "2001:db8:ffff::9"
LINK_LOCAL4 = "169.254.7.7"
SECOND = "192.0.2.77"


def link_local(namespace: Namespace, device: str = "eth0") -> str:
    found = namespace.run("ip", "-6", "-o", "addr", "show", "dev", device, "scope", "link").stdout
    return found.split("inet6 ")[1].split("/")[0]


@pytest.fixture
def addresses(rig: Rig) -> list[str]:
    """The server's, as the client writes them: two interfaces, a secondary address, and those of a service on lo."""
    client, server = rig.net.client, rig.net.server
    ip("link", "add", "eth1", "netns", client.name, "type", "veth", "peer", "name", "eth1", "netns", server.name)
    for one in (client, server):
        ip("-n", one.name, "link", "set", "eth1", "up")
    here = f"addr add {SECOND}/24 dev eth0\naddr add {LINK_LOCAL4}/16 dev eth0\n"
    ip("-n", server.name, "-batch", "-", stdin=f"{here}addr add {SERVICE4}/32 dev lo\naddr add {SERVICE6}/128 dev lo\n")
    routes = f"route add {LINK_LOCAL4} dev eth0 src {client.v4}\nroute add {SERVICE4} via {server.v4}\n"
    ip("-n", client.name, "-batch", "-", stdin=f"{routes}route add {SERVICE6} via {server.v6}\n")
    local = [f"{link_local(server, device)}%{device}" for device in ("eth0", "eth1")]
    return [str(server.v4), str(server.v6), SECOND, LINK_LOCAL4, SERVICE4, SERVICE6, *local]


@pytest.fixture
def listener(rig: Rig, addresses: list[str]) -> Iterator[None]:
    def listen() -> socket.socket:
        return socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)

    with rig.net.server.call(listen):
        yield


def connects(client: Namespace, there: str, patience: float) -> bool:
    def connect() -> bool:
        with suppress(OSError), socket.create_connection((there, PORT), patience):
            return True
        return False

    return client.call(connect)


def pings(client: Namespace, there: str, *options: str) -> bool:
    return client.run("ping", *options, there, check=False).returncode == 0


@pytest.mark.usefixtures("listener")
def test_a_blocked_peer_is_reached_by_none_of_its_addresses(rig: Rig, addresses: list[str]) -> None:
    client = rig.net.client
    for there in addresses:
        until(lambda there=there: connects(client, there, 5), 30, f"{there} is reached")
    rig.set(rule(Condition(block="drop"), to=(f"netns:{rig.net.server.name}",)))
    for there in addresses:
        assert not connects(client, there, 0.15), there
        assert not pings(client, there, "-c1", "-W0.15"), there
    # What the peer sends of its own accord does not arrive either, whatever its source address is.
    assert not pings(rig.net.server, f"{link_local(client)}%eth0", "-c1", "-W0.15")
    rig.clear()
    for there in addresses:
        assert connects(client, there, 20), there


def test_the_links_own_and_other_hosts_on_it_are_not_meant(rig: Rig) -> None:
    """Another link-local address on the same interface is another host's, and neighbours are still found."""
    client, server = rig.net.client, rig.net.server
    rig.set(rule(Condition(block="drop"), to=(f"netns:{server.name}",)))
    ip("-n", server.name, "addr", "add", "fe80::77/64", "dev", "eth0", "nodad")  # later than it was resolved
    assert pings(client, "fe80::77%eth0", "-c1", "-W20")

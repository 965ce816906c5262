"""Many flows at once: each packet goes where it should, and ports are held and given back."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest

from netweather.kernel.namespaces import Namespace
from netweather.kernel.traffic.many_flows import Fan
from netweather.kernel.traffic.probe_packets import TCP, UDP, Flow
from tests.support.netns import Lab, lab


@pytest.fixture(scope="module")
def net() -> Iterator[Lab]:
    with lab() as made:
        yield made


@contextlib.contextmanager
def opened(net: Lab, flow: Flow, count: int) -> Iterator[Fan]:
    with contextlib.ExitStack() as stack:
        ends = []
        for one in (net.client, net.server):
            fd = os.open(one.path, os.O_RDONLY)
            ends.append(stack.enter_context(contextlib.closing(Namespace(fd))))
            os.close(fd)
        yield stack.enter_context(Fan(*ends, flow, count))


def sniffer(net: Lab) -> socket.socket:
    """Everything that passes the client's interface."""

    def inside() -> socket.socket:
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        made.bind(("eth0", 0))
        made.settimeout(2)
        return made

    return net.client.call(inside)


def ports_seen(heard: socket.socket, protocol: int, count: int) -> list[tuple[str, int, int]]:
    """(source, its port, the other) of so many IPv4 packets of a protocol."""
    found: list[tuple[str, int, int]] = []
    while len(found) < count:
        frame = heard.recv(2048)
        if frame[12:14] == b"\x08\x00" and frame[23] == protocol:
            ports = int.from_bytes(frame[34:36], "big"), int.from_bytes(frame[36:38], "big")
            found.append((socket.inet_ntoa(frame[26:30]), *ports))
    return found


@pytest.mark.parametrize("protocol", [UDP, TCP])
@pytest.mark.parametrize("way", ["egress", "ingress"])
def test_a_packet_of_each_flow(net: Lab, protocol: int, way: str) -> None:
    with sniffer(net) as heard, opened(net, Flow(protocol, "192.0.2.1", "192.0.2.2"), 20) as fan:
        assert len(set(fan.ports)) == 20
        fan.send(fan.ports, way)
        seen = ports_seen(heard, protocol, 20)
        here, there = ("192.0.2.1", "192.0.2.2") if way == "egress" else ("192.0.2.2", "192.0.2.1")
        far = fan.flow.remote_port
        wanted = [(here, port, far) if way == "egress" else (here, far, port) for port in fan.ports]
        assert sorted(seen) == sorted(wanted), there


def test_ports_are_held_until_it_is_closed(net: Lab) -> None:
    def bind(port: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            made.bind(("192.0.2.1", port))

    with opened(net, Flow(UDP, "192.0.2.1", "192.0.2.2", 0, 7777), 3) as fan:
        port = fan.ports[0]
        assert fan.flow.remote_port == 7777
        with pytest.raises(OSError, match="in use"):
            net.client.call(bind, port)
    net.client.call(bind, port)


def test_what_cannot_be_had_leaves_nothing_open(net: Lab) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="assign"), opened(net, Flow(UDP, "192.0.2.77", "192.0.2.2"), 3):
        pass
    assert len(os.listdir("/proc/self/fd")) == before

"""What a target's surroundings are, on real sockets; and what sockets of AF_PACKET see of a condition."""

from __future__ import annotations

import os
import select
import socket
import struct
from contextlib import ExitStack

import pytest

from netweather.conditions import Condition
from netweather.kernel.sockets.surroundings import packet_readers, surroundings
from tests.support.netns import Namespace
from tests.support.rig import Rig, delay, ports, rule
from tests.support.traffic import datagrams

ALL, IP = 0x0003, 0x0800
DELAY_MS = 40
COUNT = 5


def reader(place: Namespace, protocol: int, device: str = "eth0") -> socket.socket:
    made = place.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0)
    made.bind((device, protocol))
    return made


def seen(one: socket.socket) -> list[bytes]:
    """The last eight bytes of each packet that waits, or comes soon."""
    found = []
    while select.select([one], [], [], 0.2)[0]:
        found.append(one.recv(1 << 16)[-8:])
    return found


def test_addresses_listeners_and_readers(rig: Rig) -> None:
    client = rig.net.client
    with ExitStack() as stack:
        for address in ("127.0.0.1", "::1", "192.0.2.1", "127.0.0.2"):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            stack.enter_context(client.call(socket.create_server, (address, 80 if address == "192.0.2.1" else 90), family=family))
        every, one = stack.enter_context(reader(client, ALL)), stack.enter_context(reader(client, IP))
        found = client.call(surroundings, addresses=True, listening=(6, 17), readers=True)
        assert {"192.0.2.1", "2001:db8::1"} < found.addresses
        assert not {"127.0.0.1", "::1"} & found.addresses
        assert dict(found.listening) == {80: True, 90: False}
        assert [each.inode for each in found.readers] == [os.fstat(every.fileno()).st_ino]
        assert os.fstat(one.fileno()).st_ino not in [each.inode for each in found.readers]
    assert client.call(packet_readers) == ()


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_sockets_of_one_protocol_get_packets_once_and_those_of_all_in_front_of_the_condition(rig: Rig, direction: str) -> None:
    """Incoming packets at least: what goes out comes to a tap behind the condition."""
    client, server = rig.net.client, rig.net.server
    ends = (server, client) if direction == "ingress" else (client, server)
    with reader(client, ALL) as every, reader(client, IP) as one:
        result = rig.set(rule(delay(DELAY_MS), direction=direction))
        assert ("AF_PACKET" in "; ".join(result.notes)) == (direction == "ingress")
        sent = [b"nwt-" + struct.pack(">I", number) for number in range(COUNT)]
        assert datagrams(*ends, sent) == sent
        of_all, of_one = [seen(each) for each in (every, one)]
        assert [of_all.count(each) for each in sent] == [2 if direction == "ingress" else 1] * COUNT
        assert [of_one.count(each) for each in sent] == [1 if direction == "ingress" else 0] * COUNT
        rig.set(rule(Condition(block="drop"), direction=direction))
        assert datagrams(*ends, sent) == []
        of_all, of_one = [seen(each) for each in (every, one)]
        assert [of_all.count(each) for each in sent] == [1 if direction == "ingress" else 0] * COUNT
        assert not set(of_one) & set(sent)


def test_what_a_condition_does_not_reach_is_said_at_set(rig: Rig) -> None:
    client = rig.net.client
    with client.call(socket.create_server, ("127.0.0.1", 5432)):
        notes = "; ".join(rig.set(rule(delay(5), ports=ports(5432), to=(str(client.v4),))).notes)
    assert "listens on port 5432 on loopback only" in notes
    assert "192.0.2.1 is the target itself" in notes
    client.run("ip", "link", "set", "eth0", "down")
    assert "eth0 is down" in "; ".join(rig.set(rule(delay(6))).notes)

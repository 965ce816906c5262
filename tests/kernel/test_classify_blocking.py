"""Blocking: silent as a network's loss, or with the answer a host would give; and the link below stays alive."""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from netweather.conditions import Condition
from tests.support.netns import Namespace, ip
from tests.support.probe import address
from tests.support.rig import Rig, rule
from tests.support.traffic import Echo, round_trip, snmp, tcp_client, udp_client

FAMILIES = pytest.mark.parametrize("family", [4, 6])
DIRECTIONS = pytest.mark.parametrize("direction", ["egress", "ingress"])
DROP, REJECT = Condition(block="drop"), Condition(block="reject")


@pytest.fixture(scope="module", autouse=True)
def echo(shared_rig: Rig) -> Iterator[Echo]:
    with Echo(shared_rig.net.server, [80]) as running, Echo(shared_rig.net.client, [81]):
        yield running


@pytest.fixture(autouse=True)
def unblocked(shared_rig: Rig) -> Iterator[None]:
    yield
    shared_rig.clear()


def sends(rig: Rig, direction: str, family: int) -> tuple[Namespace, str, int]:
    """Who sends what goes that way at the target, and to which address and port."""
    if direction == "egress":
        return rig.net.client, address(rig.net.server, family), 80
    return rig.net.server, address(rig.net.client, family), 81


def ask(connection: socket.socket, message: bytes) -> None:
    """Sends something and waits for an answer. Raises what the network answers instead."""
    connection.settimeout(2)
    connection.sendall(message)
    connection.recv(1)


@FAMILIES
@DIRECTIONS
def test_a_drop_is_silent(shared_rig: Rig, direction: str, family: int) -> None:
    """No error at a socket that asks for all of them, and nothing in the sender's counters of discarded packets."""
    sender, there, port = sends(shared_rig, direction, family)
    counters = ("IpOutDiscards", "Ip6OutDiscards", "UdpSndbufErrors", "Udp6SndbufErrors", "IpOutNoRoutes", "Ip6OutNoRoutes")
    with udp_client(sender, there, port, errors=True) as connection:
        round_trip(connection)
        shared_rig.set(rule(DROP, direction=direction, protocol="udp"))
        before = snmp(sender, *counters)
        for _ in range(200):
            assert connection.send(b"x" * 100) == 100
        assert select.select([connection], [], [], 0.2)[0] == []
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(100, socket.MSG_ERRQUEUE)
        assert snmp(sender, *counters) == before
        (counted,) = shared_rig.shown().rules
        assert (counted.packets, counted.dropped) == (200, 200)


@FAMILIES
@DIRECTIONS
def test_a_drop_stalls_an_open_connection_and_no_more(shared_rig: Rig, direction: str, family: int) -> None:
    sender, there, port = sends(shared_rig, direction, family)
    with tcp_client(sender, there, port) as connection:
        round_trip(connection)
        shared_rig.set(rule(DROP, direction=direction))
        with pytest.raises(TimeoutError):
            round_trip(connection, 0.3)
        with pytest.raises(TimeoutError):
            tcp_client(sender, there, port, timeout=0.3)
        shared_rig.clear()
        round_trip(connection)


@FAMILIES
@DIRECTIONS
def test_a_rejected_connection_is_refused(shared_rig: Rig, direction: str, family: int) -> None:
    sender, there, port = sends(shared_rig, direction, family)
    shared_rig.set(rule(REJECT, direction=direction))
    before = snmp(sender, "TcpRetransSegs")
    with pytest.raises(ConnectionRefusedError):
        tcp_client(sender, there, port)
    assert snmp(sender, "TcpRetransSegs") == before, "the answer is to the first SYN, not to its repetition after a second"


@FAMILIES
@DIRECTIONS
@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_an_open_connection_is_reset(shared_rig: Rig, direction: str, family: int, size: int) -> None:
    sender, there, port = sends(shared_rig, direction, family)
    with tcp_client(sender, there, port) as connection:
        round_trip(connection)
        shared_rig.set(rule(REJECT, direction=direction))
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            ask(connection, bytes(size))


@FAMILIES
@DIRECTIONS
@pytest.mark.parametrize("size", [1, 8, 1400, 5000])
def test_rejected_udp_hears_that_nobody_is_there(shared_rig: Rig, direction: str, family: int, size: int) -> None:
    sender, there, port = sends(shared_rig, direction, family)
    shared_rig.set(rule(REJECT, direction=direction))
    with udp_client(sender, there, port) as connection:
        for _ in range(2):  # every one of them; a host's own answers are limited to so many a second
            with pytest.raises(ConnectionRefusedError):
                ask(connection, bytes(size))


@FAMILIES
@DIRECTIONS
def test_a_rejected_ping_is_answered(shared_rig: Rig, direction: str, family: int) -> None:
    sender, there, _ = sends(shared_rig, direction, family)
    shared_rig.set(rule(REJECT, direction=direction))
    answer = sender.run("ping", "-c2", "-i0.2", "-W1", there, check=False)
    assert answer.returncode == 1
    assert f"From {there}" in answer.stdout
    assert "unreachable" in answer.stdout.lower()


@FAMILIES
@DIRECTIONS
def test_answers_carry_right_checksums(shared_rig: Rig, direction: str, family: int) -> None:
    """In the bytes themselves: a receiver on the same machine believes anything."""
    sender, there, port = sends(shared_rig, direction, family)
    shared_rig.set(rule(REJECT, direction=direction))
    with sender.call(socket.socket, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003)) as capture:
        with pytest.raises(ConnectionRefusedError):
            tcp_client(sender, there, port)
        with udp_client(sender, there, port) as connection, pytest.raises(ConnectionRefusedError):
            ask(connection, b"x" * 33)
        answers = [packet for packet in captured(capture) if packet[source_at(packet)] == socket.inet_pton(FAMILY[family], there)]
    assert {protocol_of(packet) for packet in answers} == {6, 1 if family == 4 else 58}
    for packet in answers:
        assert broken_checksums(packet) == [], packet.hex()


FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}


def captured(capture: socket.socket) -> list[bytes]:
    """The IP packets that came in."""
    found = []
    capture.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            data, (_, protocol, kind, *_) = capture.recvfrom(1 << 16)
            if kind == socket.PACKET_HOST and protocol in (0x0800, 0x86DD):
                found.append(data)
    return found


def source_at(packet: bytes) -> slice:
    return slice(12, 16) if packet[0] >> 4 == 4 else slice(8, 24)


def protocol_of(packet: bytes) -> int:
    return packet[9] if packet[0] >> 4 == 4 else packet[6]


def ones_sum(data: bytes) -> int:
    """0xffff when a checksum within is right."""
    total = sum(word for (word,) in struct.iter_unpack(">H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def broken_checksums(packet: bytes) -> list[str]:
    if packet[0] >> 4 == 4:
        header, rest = packet[:20], packet[20 : struct.unpack(">H", packet[2:4])[0]]
        pseudo = b"" if packet[9] == 1 else packet[12:20] + struct.pack(">HH", packet[9], len(rest))
    else:
        header, rest = b"\xff\xff", packet[40 : 40 + struct.unpack(">H", packet[4:6])[0]]
        pseudo = packet[8:40] + struct.pack(">II", len(rest), packet[6])
    sums = {"IP header": ones_sum(header), "transport": ones_sum(pseudo + rest)}
    return [name for name, total in sums.items() if total != 0xFFFF]


@FAMILIES
@pytest.mark.parametrize("condition", [DROP, REJECT], ids=["drop", "reject"])
@pytest.mark.parametrize("direction", ["egress", "ingress", "both"])
def test_neighbours_are_still_found(shared_rig: Rig, condition: Condition, direction: str, family: int) -> None:
    """ARP and ND are the link's: a blocked peer is silent, or refuses, but is not 'no route to host'."""
    client, there = shared_rig.net.client, address(shared_rig.net.server, family)
    shared_rig.set(rule(condition, direction=direction))
    for namespace in shared_rig.net.namespaces:
        ip("-n", namespace.name, "neigh", "flush", "dev", "eth0")
    expected: Any = {"drop": TimeoutError, "reject": (ConnectionRefusedError, TimeoutError)}[condition.block or ""]
    with pytest.raises(expected) as caught, closing(tcp_client(client, there, 80, timeout=1.5)):
        pass
    assert caught.value.errno != errno.EHOSTUNREACH
    states = ip("-n", client.name, "neigh", "show", "dev", "eth0", "to", there)
    assert any(state in states for state in ("REACHABLE", "DELAY", "STALE", "PROBE")), states


def test_rejected_packets_are_counted(shared_rig: Rig) -> None:
    sender, there, port = sends(shared_rig, "egress", 4)
    shared_rig.set(rule(REJECT, direction="egress", protocol="udp"))
    with udp_client(sender, there, port) as connection:
        for _ in range(20):
            with pytest.raises(ConnectionRefusedError):
                ask(connection, b"x")
    (counted,) = shared_rig.shown().rules
    assert (counted.packets, counted.dropped) == (20, 20)

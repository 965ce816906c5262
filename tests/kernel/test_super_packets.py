"""What `--tcp-flags` means for a sender's super-packet (GSO): it is decided as a whole, and how a sender is kept from making any."""

from __future__ import annotations

import socket

import pytest

from netweather.conditions import Condition, TcpFlags
from netweather.results import RuleCounters
from tests.native.pump import wire
from tests.support.netns import Namespace
from tests.support.rig import Rig, rule, until
from tests.support.traffic import TcpInfo, tcp_pair

SOL_PACKET, PACKET_VNET_HDR, SO_SNDBUFFORCE = 263, 15, 32
SEGMENTS, SIZE = 10, 1000
DROP = Condition(block="drop")


def send(namespace: Namespace, frame: bytes, vnet: bytes) -> None:
    with namespace.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
        raw.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        raw.bind(("eth0", 0))
        raw.send(vnet + frame)


def counted(rig: Rig, asked: str, flags: int) -> RuleCounters:
    """What a rule for these flags counts of a super-packet."""
    rig.clear()
    rig.set(rule(DROP, direction="egress", tcp_flags=TcpFlags.parse(asked)))
    send(rig.net.client, *wire.make(bytes(SEGMENTS * SIZE), flags=flags, gso=SIZE))
    return rig.shown().rules[0]


@pytest.mark.parametrize(("asked", "flag"), [("fin", wire.FIN), ("psh", wire.PSH), ("cwr", wire.CWR)])
def test_all_segments_of_a_super_packet_go_with_the_one_that_has_the_flag(shared_rig: Rig, asked: str, flag: int) -> None:
    """On the wire FIN and PSH are the last one's, CWR the first one's."""
    assert counted(shared_rig, asked, flag | wire.ACK).dropped == SEGMENTS
    assert counted(shared_rig, asked, wire.ACK).dropped == 0
    assert counted(shared_rig, f"!{asked}", flag | wire.ACK).dropped == 0
    assert counted(shared_rig, f"!{asked}", wire.ACK).dropped == SEGMENTS


def test_a_sender_of_single_segments_loses_only_the_one_with_the_flag(rig: Rig) -> None:
    """The data waits for the receiver, so that the FIN comes into the last of it: 26 segments were lost with it, in one super-packet."""
    client, server = rig.net.client, rig.net.server
    client.run("ip", "link", "set", "eth0", "gso_max_segs", "1")
    rig.set(rule(DROP, direction="egress", tcp_flags=TcpFlags.parse("fin")))
    near, far = tcp_pair(client, server)
    with near, far:
        near.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 1 << 22)
        near.setblocking(False)
        sent = 0
        while (part := _put(near)) and sent < 1 << 21:
            sent += part
        near.shutdown(socket.SHUT_WR)
        received = 0
        while received < sent - TcpInfo.of(near).mss:
            received += len(far.recv(1 << 20))
        until(lambda: rig.shown().rules[0].dropped, 20, "the FIN is lost")
        dropped = rig.shown().rules[0].dropped
        assert dropped <= 1 + TcpInfo.of(near).retransmits


def _put(one: socket.socket) -> int:
    try:
        return one.send(bytes(1 << 16))
    except BlockingIOError:
        return 0

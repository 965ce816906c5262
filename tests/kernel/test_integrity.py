"""Every byte arrives as it was sent, whatever the packets look like; and a plain delay costs TCP nothing."""

from __future__ import annotations

import hashlib

import pytest

from netweather.conditions import Condition, LossRandom
from netweather.units import Percent
from tests.support.netns import Namespace
from tests.support.rig import Rig, delay, ports, rule, until
from tests.support.traffic import datagrams, payload, tcp_transfer

FAMILIES = pytest.mark.parametrize("family", [4, 6])
DIRECTIONS = pytest.mark.parametrize("direction", ["egress", "ingress"])
CONDITIONS = {
    "whole": Condition(delay=delay(2)),  # nothing is decided per packet: super-packets stay whole
    "segmented": Condition(delay=delay(2), loss=LossRandom(Percent(0), Percent(0)), mtu=1500),  # each segment alone
}


def ends(rig: Rig, direction: str) -> tuple[Namespace, Namespace]:
    """Sender and receiver of traffic that goes that way at the target."""
    return (rig.net.client, rig.net.server) if direction == "egress" else (rig.net.server, rig.net.client)


@FAMILIES
@DIRECTIONS
@pytest.mark.parametrize("kind", CONDITIONS)
def test_tcp_arrives_intact(shared_rig: Rig, kind: str, direction: str, family: int) -> None:
    shared_rig.set(rule(CONDITIONS[kind], direction="both"))
    done = tcp_transfer(*ends(shared_rig, direction), family=family, size=20_000_000)
    assert done.intact
    assert shared_rig.shown().unwanted_drops == 0


@FAMILIES
@DIRECTIONS
def test_tcp_arrives_intact_under_loss(shared_rig: Rig, direction: str, family: int) -> None:
    shared_rig.set(rule(Condition(loss=LossRandom(Percent.parse("2%")), seed=1), direction="both"))
    assert tcp_transfer(*ends(shared_rig, direction), family=family, size=10_000_000).intact


@FAMILIES
@DIRECTIONS
@pytest.mark.parametrize("kind", CONDITIONS)
def test_udp_of_every_size_arrives_intact(shared_rig: Rig, kind: str, direction: str, family: int) -> None:
    shared_rig.set(rule(CONDITIONS[kind], direction="both"))
    messages = [payload(size, seed=size) for size in range(1, 1453)]
    assert datagrams(*ends(shared_rig, direction), messages, family=family) == messages


@FAMILIES
@DIRECTIONS
@pytest.mark.parametrize("kind", CONDITIONS)
def test_udp_super_packets_arrive_intact(shared_rig: Rig, kind: str, direction: str, family: int) -> None:
    """UDP_SEGMENT; the last datagram of each is a short one."""
    shared_rig.set(rule(CONDITIONS[kind], direction="both"))
    segment = 1200
    messages = [payload(segment * count + 7, seed=count) for count in range(1, 45)]
    expected = [m[at : at + segment] for m in messages for at in range(0, len(m), segment)]
    arrived = datagrams(*ends(shared_rig, direction), messages, family=family, segment=segment)
    assert [hashlib.blake2b(one).digest() for one in arrived] == [hashlib.blake2b(one).digest() for one in expected]


@FAMILIES
@DIRECTIONS
@pytest.mark.parametrize("kind", CONDITIONS)
def test_fragments_arrive_intact(shared_rig: Rig, kind: str, direction: str, family: int) -> None:
    shared_rig.set(rule(CONDITIONS[kind], direction="both"))
    messages = [payload(size, seed=size) for size in range(1500, 60_000, 1777)]
    assert datagrams(*ends(shared_rig, direction), messages, family=family) == messages


@FAMILIES
def test_fragments_follow_their_first_one(shared_rig: Rig, family: int) -> None:
    """A rule with ports hits all fragments of a datagram, though only the first has the ports."""
    shared_rig.set(rule(Condition(block="drop"), direction="egress", protocol="udp", ports=ports(9100)))
    messages = [payload(8000, seed=n) for n in range(20)]
    client, server = shared_rig.net.client, shared_rig.net.server
    assert datagrams(client, server, messages, family=family) == []
    (counters,) = shared_rig.shown().rules
    assert counters.dropped == 20 * 6
    assert datagrams(client, server, messages, family=family, port=9101) == messages
    shared_rig.clear()


@pytest.mark.serial
@FAMILIES
@DIRECTIONS
def test_a_plain_delay_causes_no_retransmit_and_no_drop(shared_rig: Rig, direction: str, family: int) -> None:
    for namespace in shared_rig.net.namespaces:  # or the bare veth itself lets packets overtake, when a sender changes its CPU
        receive_on_one_cpu(namespace)
    shared_rig.set(rule(delay(25), direction="both"))
    done = tcp_transfer(*ends(shared_rig, direction), family=family, seconds=2, buffer=16 << 20)
    assert done.intact
    assert done.size > 50_000_000
    assert done.sender.retransmits == 0
    assert shared_rig.shown().unwanted_drops == 0
    shared_rig.clear()


def receive_on_one_cpu(namespace: Namespace) -> None:
    namespace.run("sh", "-c", "echo 1 > /sys/class/net/eth0/queues/rx-0/rps_cpus")


@pytest.mark.serial
def test_our_own_drops_are_counted_and_shown(shared_rig: Rig) -> None:
    """A stopped pump lets its TAP's queue of 20,000 packets overflow; that must not go unnoticed."""
    shared_rig.set(rule(delay(1), direction="egress", protocol="udp"))
    pump = shared_rig.process("pump")
    assert pump
    pump.signal(19)
    try:
        # The heart still counts as beating for 450 ms.
        datagrams(shared_rig.net.client, shared_rig.net.server, [b"x"] * 40_000)
    finally:
        pump.signal(18)
    until(lambda: shared_rig.shown().unwanted_drops > 0, 20, "drops are shown")
    shared_rig.clear()

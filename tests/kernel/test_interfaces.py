"""Interfaces of every kind: a macvlan, an ipvlan or a VLAN device as containers get them, members of a bridge or a bond, VLANs on top.

The same condition does the same on each: on exactly its traffic, once, every byte intact, and nothing of it is left.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest

from netweather.conditions import Condition, LossRandom
from netweather.errors import NetweatherError
from netweather.units import Percent
from tests.kernel.conftest import MakeRig
from tests.support import dumps, probe
from tests.support.machine import SLOW
from tests.support.netns import LINKS, Lab, Namespace, ip, lab
from tests.support.rig import MS, Rig, delay, ports, rule
from tests.support.statistics import EARLY_NS
from tests.support.traffic import datagrams, payload, tcp_transfer

FAMILIES = pytest.mark.parametrize("family", [4, 6])
DIRECTIONS = pytest.mark.parametrize("direction", ["egress", "ingress"])
DELAY_MS = round(30 * SLOW)
COUNT = 40
MEANT, OTHER = 9001, 9002
MASTERS = {  # by `ip link add … type`: the kernel's option
    "bridge mcast_snooping 0": "BRIDGE",
    "bond mode active-backup miimon 100": "BONDING",
}
CONDITIONS = {
    "whole": Condition(delay=delay(2)),  # nothing is decided per packet: super-packets stay whole
    "segmented": Condition(delay=delay(2), loss=LossRandom(Percent(0)), mtu=1500),  # each segment alone
}


def need(link: str, option: str) -> None:
    """Skips where the kernel can't make such a device."""
    on = "" if link in MASTERS else "link nwt0"
    script = f"ip link add nwt0 type veth peer name nwt1 && ip link add nwt2 {on} type {link}"
    made = subprocess.run(["unshare", "--net", "sh", "-c", script], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"this kernel has no {link.split()[0]} devices (CONFIG_{option})")


@contextmanager
def joined(link: str) -> Iterator[Lab]:
    """A lab whose ends are joined by such devices, or whose client's eth0 is a member of one, which has its addresses."""
    with lab(link="veth" if link in MASTERS else link) as net:
        if link in MASTERS:
            _enslave(net.client, "eth0", link)
        yield net


def _enslave(namespace: Namespace, member: str, link: str) -> None:
    addresses = f"addr add {namespace.v4}/24 dev up0\naddr add {namespace.v6}/64 dev up0 nodad\n"
    members = f"addr flush dev {member}\nlink set {member} down\nlink set {member} master up0\nlink set {member} up\n"
    ip("-n", namespace.name, "-batch", "-", stdin=f"link add up0 type {link}\n{members}link set up0 up\n{addresses}")


@pytest.fixture(scope="module", params=[*LINKS, *MASTERS], ids=lambda link: link.split()[0])
def carried(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A rig on a kind of interface; at the end nothing is left."""
    need(request.param, {**LINKS, **MASTERS}[request.param])
    with joined(request.param) as net:
        made = Rig(net, tmp_path_factory.mktemp("state"))
        probe.stream(net.client, net.server, 1, patience=5)  # a bond's link comes up late
        before = {one: dumps.settled(one) for one in net.namespaces}
        yield made
        made.close()
        for one, dump in before.items():
            dumps.assert_same(dump, one)


def ends(rig: Rig, direction: str) -> tuple[Namespace, Namespace]:
    """Sender and receiver of traffic that goes that way at the target."""
    return (rig.net.client, rig.net.server) if direction == "egress" else (rig.net.server, rig.net.client)


def expect_exactly(rig: Rig, sender: Namespace, receiver: Namespace, family: int) -> None:
    """What is meant is delayed once and counted, nothing else is."""
    earlier = rig.shown().rules[0].packets
    meant = probe.stream(sender, receiver, COUNT, pps=2000, family=family, port=MEANT)
    other = probe.stream(sender, receiver, COUNT, pps=2000, family=family, port=OTHER)
    assert meant.lost == other.lost == []
    assert DELAY_MS * MS - EARLY_NS <= min(meant.delays) < 2 * DELAY_MS * MS
    assert min(other.delays) < DELAY_MS * MS
    assert rig.shown().rules[0].packets == earlier + COUNT
    assert rig.shown().unwanted_drops == 0


@FAMILIES
@DIRECTIONS
def test_a_condition_acts_on_exactly_its_traffic(carried: Rig, direction: str, family: int) -> None:
    result = carried.set(rule(delay(DELAY_MS), direction=direction, protocol="udp", ports=ports(MEANT)))
    assert result.interfaces == ("eth0",)
    expect_exactly(carried, *ends(carried, direction), family)


@FAMILIES
@pytest.mark.parametrize("kind", CONDITIONS)
def test_every_byte_arrives(carried: Rig, kind: str, family: int) -> None:
    carried.set(rule(CONDITIONS[kind], direction="both"))
    expect_intact(carried, (carried.net.client, carried.net.server), family)


def expect_intact(rig: Rig, pair: tuple[Namespace, Namespace], family: int) -> None:
    """Streams and datagrams, most of them in fragments, in both directions."""
    messages = [payload(size, seed=size) for size in range(1, 20_000, 1777)]
    for sender, receiver in (pair, pair[::-1]):
        assert tcp_transfer(sender, receiver, family=family, size=5_000_000).intact
        assert datagrams(sender, receiver, messages, family=family) == messages
    assert rig.shown().unwanted_drops == 0


@FAMILIES
def test_a_block_is_a_block(carried: Rig, family: int) -> None:
    carried.set(rule(Condition(block="drop"), direction="ingress", protocol="udp", ports=ports(MEANT)))
    for port, lost in ((MEANT, COUNT), (OTHER, 0)):
        seen = probe.stream(carried.net.server, carried.net.client, COUNT, family=family, port=port)
        assert len(seen.lost) == lost


# VLANs of the target's own


def with_vlans(rig: Rig, *numbers: int) -> dict[int, tuple[Namespace, Namespace]]:
    """eth0.N at both ends; the ends as they are seen there."""
    found = {}
    for number in numbers:
        pair = []
        for host, one in enumerate(rig.net.namespaces, 1):
            view = replace(one, v4=IPv4Address(f"198.51.100.{number + host}"), v6=IPv6Address(f"2001:db8:{number}::{host}"))
            lines = f"link add link eth0 name eth0.{number} type vlan id {number}\nlink set eth0.{number} up\n"
            lines += f"addr add {view.v4}/29 dev eth0.{number}\naddr add {view.v6}/64 dev eth0.{number} nodad\n"
            ip("-n", one.name, "-batch", "-", stdin=lines)
            pair.append(view)
        found[number] = (pair[0], pair[1])
    return found


@pytest.fixture
def vlans(make_rig: MakeRig) -> Iterator[tuple[Rig, dict[int, tuple[Namespace, Namespace]]]]:
    need("vlan id 10", "VLAN_8021Q")
    with make_rig() as rig:
        pairs = with_vlans(rig, 16, 32)
        before = {one: dumps.settled(one) for one in rig.net.namespaces}
        yield rig, pairs
        rig.clear()
        for one, dump in before.items():
            dumps.assert_same(dump, one)


@FAMILIES
@DIRECTIONS
def test_vlans_on_top_are_met_once_and_told_apart(
    vlans: tuple[Rig, dict[int, tuple[Namespace, Namespace]]], direction: str, family: int
) -> None:
    rig, pairs = vlans
    pairs = {0: (rig.net.client, rig.net.server), **pairs}
    for asked in (None, 0, 16, 32):
        result = rig.set(rule(delay(DELAY_MS), direction=direction, protocol="udp", ports=ports(MEANT), vlan=asked))
        assert result.interfaces == ("eth0",)
        for number, pair in pairs.items():
            sender, receiver = pair if direction == "egress" else pair[::-1]
            if asked in (None, number):
                expect_exactly(rig, sender, receiver, family)
            else:
                assert min(probe.stream(sender, receiver, COUNT, family=family, port=MEANT).delays) < DELAY_MS * MS


@FAMILIES
@pytest.mark.parametrize("kind", CONDITIONS)
def test_every_byte_arrives_on_a_vlan(vlans: tuple[Rig, dict[int, tuple[Namespace, Namespace]]], kind: str, family: int) -> None:
    rig, pairs = vlans
    rig.set(rule(CONDITIONS[kind], direction="both", vlan=16))
    expect_intact(rig, pairs[16], family)


def test_a_vlan_device_is_named_by_what_it_lies_on(vlans: tuple[Rig, dict[int, tuple[Namespace, Namespace]]]) -> None:
    rig, _ = vlans
    with pytest.raises(NetweatherError, match=r"eth0\.16") as caught:
        rig.set(rule(delay(1), interfaces=("eth0.16",)))
    assert "eth0" in caught.value.why
    assert "--vlan" in caught.value.remedy


# a target that forwards


@FAMILIES
def test_what_a_bridge_forwards_meets_a_rule_of_one_member_once(make_rig: MakeRig, family: int) -> None:
    """The target is the bridge between client and server, as a host is between its containers."""
    with make_rig(bystander=True) as plain:
        middle = f"netns:{plain.net.client.name.removesuffix('client')}bridge"
        rig = Rig(plain.net, plain.state, reference=middle)
        rig.set(rule(delay(DELAY_MS), ports=ports(MEANT), protocol="udp", interfaces=("port1",), direction="both"))
        for direction in ("egress", "ingress"):
            expect_exactly(rig, *ends(rig, direction), family)
        rig.set(rule(delay(DELAY_MS), ports=ports(MEANT), protocol="udp", direction="ingress"))
        expect_exactly(rig, rig.net.client, rig.net.server, family)
        assert rig.shown().interfaces == ("port1", "port2", "port3")
        rig.close()

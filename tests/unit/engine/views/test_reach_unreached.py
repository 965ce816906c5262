from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from netweather.conditions import Condition, Match, PortRange, RateLimit, Rule
from netweather.engine.views import reach as module
from netweather.engine.views.reach import unreached
from netweather.kernel.datapath.fake import FakeKernel, FakeTarget
from netweather.kernel.sockets.socket_owners import Holder
from netweather.kernel.sockets.surroundings import PacketReader, Surroundings
from netweather.planning.rules import PlainRule
from netweather.targets import Target
from netweather.units import Rate

OURS = frozenset({"192.0.2.1", "fe80::1"})
SLOW = Condition(rate=RateLimit(Rate(10**7)))


@pytest.fixture
def target() -> Iterator[Target]:
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    with Target("netns:a", "a", fd, 1, 2, None, None, "netns") as opened:
        yield opened


def told(target: Target, near: Surroundings = Surroundings(OURS), down: str = "", **match: Any) -> str:  # noqa: B008 - frozen
    names = ("eth0", "eth1")
    kernel = FakeKernel({name: number for number, name in enumerate(names, 2)}, surroundings=near, down=frozenset(down.split()))
    peers = {word: (ip_network(word),) for word in match.get("to", ())}
    what = match.pop("condition", Condition())
    rules = (PlainRule(Rule(Match(**match), what), 0),)
    with FakeTarget(kernel) as opened:
        return "; ".join(unreached(rules, target, opened, opened.observe(), peers, names))


def ports(*numbers: int) -> tuple[PortRange, ...]:
    return tuple(PortRange(number, number) for number in numbers)


def test_nothing_to_say(target: Target) -> None:
    assert told(target) == told(target, family="ipv6", to=("198.51.100.7",), interfaces=("eth0",)) == ""
    assert told(target, Surroundings(OURS, ((80, True), (22, False))), ports=ports(80)) == ""


def test_a_port_of_loopback_only(target: Target) -> None:
    near = Surroundings(OURS, ((80, True), (5432, False)))
    assert told(target, near, ports=ports(80, 5432)).startswith("the target listens on port 5432 on loopback only: ")
    assert told(target, near, ports=(PortRange(5000, 6000),)) == ""


def test_a_family_without_an_address(target: Target) -> None:
    near = Surroundings(frozenset({"192.0.2.1"}))
    assert "no IPv6 address: only packets that it forwards can match the family ipv6" in told(target, near, family="ipv6")
    assert "no IPv6 address: only packets that it forwards can match 2001:db8::/32" in told(target, near, to=("2001:db8::/32",))


def test_the_target_as_its_own_peer(target: Target) -> None:
    assert "192.0.2.1 is the target itself" in told(target, to=("192.0.2.1",))
    assert told(target, to=("192.0.2.0/24",)) == ""


def test_interfaces_that_are_down(target: Target) -> None:
    assert told(target, down="eth1") == ""
    assert told(target, down="eth1", interfaces=("eth1",)) == "eth1 is down: no packet matches there until it is up"
    assert told(target, down="eth0 eth1").count("is down") == 2


def test_readers_of_all_packets_are_named(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "holders", lambda inodes, first: {inode: Holder(inode, "runsc") for inode in inodes})
    near = Surroundings(OURS, readers=(PacketReader(7, 2),))
    assert told(target, near).startswith("runsc (process 7) reads all packets of eth0 directly (AF_PACKET)")
    assert told(target, Surroundings(OURS, readers=(PacketReader(7, 99),))) == ""
    many = Surroundings(OURS, readers=tuple(PacketReader(n, 0) for n in range(5)))
    assert "runsc (process 2) and 2 more reads all packets of every interface" in told(target, many)
    monkeypatch.setattr(module, "holders", lambda inodes, first: {})
    assert told(target, near).startswith("a process reads")


def test_a_resolver_on_loopback(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    servers = ["127.0.0.11"]
    monkeypatch.setattr(module, "resolvers", lambda target: tuple(servers))
    assert "the target's resolver is 127.0.0.11, on loopback" in told(target, ports=ports(53))
    assert told(target, ports=ports(54)) == ""
    servers.append("192.0.2.53")
    assert told(target, ports=ports(53)) == ""


def test_a_rate_of_several_interfaces(target: Target) -> None:
    text = "a rate is per interface and direction: eth0, eth1 have the whole rate each, not a share of it"
    assert told(target, condition=SLOW) == text
    assert told(target, condition=SLOW, interfaces=("eth0",)) == ""


def test_what_can_t_be_looked_up_is_left_out(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Surroundings:
        raise OSError

    monkeypatch.setattr(FakeTarget, "surroundings", fail)
    assert told(target, to=("192.0.2.1",)) == ""

from __future__ import annotations

import pytest

from netweather.kernel.datapath import interfaces
from netweather.kernel.datapath.interfaces import sort_out
from netweather.kernel.netlink.links import Device


@pytest.fixture(autouse=True)
def no_forwarding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interfaces, "_is_on", lambda setting: False)


def device(name: str, ifindex: int, kind: str = "", hardware: int = 1, **more: object) -> Device:
    known = {
        "up": True,
        "master": None,
        "lower": None,
        "alias": "",
        "mtu": 1500,
        "txqueuelen": 0,
        "rx_dropped": 0,
        "tx_dropped": 0,
    }
    return Device(name, ifindex, hardware, kind, **{**known, **more})  # type: ignore[arg-type]


LO = device("lo", 1, hardware=772)
ETH0 = device("eth0", 2, "veth")


def names(*devices: Device) -> tuple[list[str], list[str]]:
    """(covered, left out)"""
    found = sort_out([LO, *devices])
    return [d.name for d in found.covered], [each.name for each in found.left_out]


@pytest.mark.parametrize(
    ("kind", "hardware"),
    [("vxlan", 1), ("geneve", 1), ("gretap", 1), ("wireguard", 65534), ("ipip", 768), ("sit", 776), ("ip6tnl", 769), ("tun", 65534),
     ("tun", 1)],
)  # fmt: skip
def test_what_lies_above_another_is_left_out_and_may_be_named(kind: str, hardware: int) -> None:
    assert names(ETH0, device("x", 3, kind, hardware)) == (["eth0"], ["x"])
    (found,) = sort_out([LO, ETH0, device("x", 3, kind, hardware)]).left_out
    assert found.fit
    assert found.hides


def test_a_pair_with_both_ends_in_the_target_is_left_out_and_hides_nothing() -> None:
    pair = [device("own0", 3, "veth", inner=True), device("own1", 4, "veth", inner=True)]
    assert names(ETH0, *pair) == (["eth0"], ["own0", "own1"])
    assert all(each.fit and not each.hides for each in sort_out([LO, ETH0, *pair]).left_out)
    assert names(*pair) == (["own0", "own1"], [])


def test_a_shaper_is_left_out_and_can_not_be_named() -> None:
    (found,) = sort_out([LO, ETH0, device("x", 3, "ifb")]).left_out
    assert not found.fit
    assert not found.hides


@pytest.mark.parametrize(("kind", "hardware"), [("wireguard", 65534), ("tun", 65534), ("tun", 1), ("ipip", 768), ("vxlan", 1)])
def test_a_target_s_only_way_is_covered(kind: str, hardware: int) -> None:
    found = sort_out([LO, device("x", 3, kind, hardware), device("dummy0", 4, "dummy")])
    assert [d.name for d in found.covered] == ["x", "dummy0"]
    assert found.layer3 == ({"x"} if hardware != 1 else set())


@pytest.mark.parametrize(("kind", "hardware"), [("gre", 778), ("ip6gre", 823), ("ppp", 512), ("can", 280)])
def test_what_can_not_carry_a_condition_can_not_be_named(kind: str, hardware: int) -> None:
    (found,) = sort_out([LO, device("x", 3, kind, hardware)]).left_out
    assert not found.fit
    assert found.hides == (kind in ("gre", "ip6gre"))


def test_what_lies_on_another_or_has_members_is_looked_at_there() -> None:
    vlan, member, bridge = device("eth0.7", 3, "vlan", lower=2), device("port1", 4, "veth", master=5), device("br0", 5, "bridge")
    assert names(ETH0, vlan, member, bridge) == (["eth0", "port1"], [])
    assert names(ETH0, device("gre0", 3, "vxlan", lower=2)) == (["eth0"], ["gre0"])


def test_ours_are_known_by_their_alias_and_not_by_their_name() -> None:
    assert names(device("nwan0", 3, "veth"), device("nw0", 4, "veth", alias="netweather: x")) == (["nwan0"], [])


def test_what_forwards(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [device(f"port{n}", 3 + n, "veth", master=9) for n in range(2)]
    bridge = device("br0", 9, "bridge")
    assert sort_out([LO, *ports, bridge]).forwards
    assert not sort_out([LO, ports[0], bridge]).forwards
    assert not sort_out([LO, ETH0, device("eth1", 3, "veth")]).forwards
    monkeypatch.setattr(interfaces, "_is_on", lambda setting: setting == "ipv4/ip_forward")
    assert sort_out([LO, ETH0, device("eth1", 3, "veth")]).forwards
    assert not sort_out([LO, ETH0]).forwards

from __future__ import annotations

import contextlib
from ipaddress import ip_network

import pytest

from netweather.conditions import Match, NetworkCondition, Rule
from netweather.engine.views.reach import is_covered, notes, refuse_hidden_peers
from netweather.errors import NetweatherError
from netweather.journal import Entry
from netweather.kernel.datapath.fake import FakeKernel, FakeTarget
from netweather.kernel.datapath.spec import NEVER, Interface, LeftOut, Observed
from netweather.planning.rules import InForce
from netweather.results import TargetRef

WHOSE = TargetRef("netns:shop", "shop", 4, 4026531833, None, None, "netns")


@pytest.mark.parametrize(
    ("present", "attached", "covered"),
    [
        ({"eth0": 2, "eth1": 3}, {"eth0", "eth1"}, True),
        ({"eth0": 2}, {"eth0"}, False),
        ({"eth0": 2, "eth1": 3}, {"eth0"}, False),
        ({"eth0": 2, "eth1": 4}, {"eth0", "eth1"}, False),
        ({"eth0": 2, "lan0": 3}, {"eth0", "lan0"}, False),
        ({"eth0": 2, "eth1": 3, "eth2": 4}, {"eth0", "eth1"}, False),
    ],
)
def test_what_is_meant_and_nothing_else(present: dict[str, int], attached: set[str], covered: bool) -> None:
    entry = Entry(WHOSE, [InForce(NetworkCondition(rules=(Rule(),)), {}, NEVER, 1, rules=())])
    entry.interfaces = (Interface("eth0", 2, 0), Interface("eth1", 3, 1))
    assert is_covered(entry, Observed(interfaces=tuple(present.items()), attached=frozenset(attached))) is covered


VXLAN = LeftOut("vxlan0", 3, "a tunnel", hides=True)
CAN = LeftOut("can0", 4, "no packets", fit=False)
SEEN = Observed(interfaces=(("eth0", 2),), left_out=(VXLAN, CAN, LeftOut("down0", 5, "a tunnel", up=False)))


def test_what_is_left_out_is_told_unless_interfaces_are_named() -> None:
    told = notes(SEEN, NetworkCondition(rules=(Rule(),)))
    assert told == ["vxlan0 is left out: a tunnel; --interface vxlan0 includes it", "can0 is left out: no packets"]
    assert notes(SEEN, NetworkCondition(rules=(Rule(Match(interfaces=("eth0",))),))) == []


def test_that_a_target_forwards_is_told() -> None:
    (told,) = notes(Observed(interfaces=(("eth0", 2), ("eth1", 3)), forwards=True), NetworkCondition(rules=(Rule(),)))
    assert "once" in told


def test_a_peer_behind_what_is_left_out_is_refused() -> None:
    condition = NetworkCondition(rules=(Rule(Match(to=("shop",))),))
    peers = {"shop": (ip_network("198.51.100.0/24"),)}
    for index, refused in ((2, False), (3, True)):
        kernel = FakeTarget(FakeKernel(interfaces={"it": index}))
        with pytest.raises(NetweatherError, match="left-out") if refused else contextlib.nullcontext():
            refuse_hidden_peers(kernel, SEEN, condition, peers)

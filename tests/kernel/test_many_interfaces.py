"""A target with as many interfaces as a large switch has ports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest

from netweather.errors import NetweatherError
from netweather.kernel.datapath.spec import MAX_INTERFACES
from tests.kernel.conftest import MakeRig
from tests.support import probe
from tests.support.netns import Namespace, ip
from tests.support.rig import MS, Rig, delay, rule

DELAY_MS = 300


def ends(rig: Rig, number: int) -> tuple[Namespace, Namespace]:
    """Both ends of the wire p<number>."""

    def view(namespace: Namespace, host: int) -> Namespace:
        return replace(namespace, v4=IPv4Address(f"198.51.100.{4 * (number % 64) + host}"), v6=IPv6Address("::"))

    return view(rig.net.client, 1), view(rig.net.server, 2)


def wires(rig: Rig, numbers: range) -> None:
    lines = dict.fromkeys((rig.net.client, rig.net.server), "")
    lines[rig.net.client] = "".join(f"link add p{n} type veth peer name p{n} netns {rig.net.server.name}\n" for n in numbers)
    for number in numbers:
        for end in ends(rig, number):
            base = next(one for one in lines if one.name == end.name)
            lines[base] += f"link set p{number} up\naddr add {end.v4}/30 dev p{number}\n"
    for one, text in lines.items():
        ip("-n", one.name, "-batch", "-", stdin=text)


def delayed(rig: Rig, number: int) -> tuple[bool, bool]:
    """Whether what leaves by a wire is delayed, and what comes in by it."""
    near, far = ends(rig, number)
    found = [min(probe.stream(*pair, 5, patience=10).delays) >= (DELAY_MS - 5) * MS for pair in ((near, far), (far, near))]
    return found[0], found[1]


@pytest.fixture
def switch(make_rig: MakeRig) -> Iterator[Rig]:
    with make_rig() as rig:
        wires(rig, range(MAX_INTERFACES - 1))
        yield rig


def test_every_interface_in_both_directions(switch: Rig) -> None:
    result = switch.set(rule(delay(DELAY_MS), direction="both"))
    assert len(result.interfaces) == MAX_INTERFACES
    assert all(delayed(switch, number) == (True, True) for number in (0, 31, MAX_INTERFACES - 2))
    assert switch.shown().in_force
    wires(switch, range(MAX_INTERFACES - 1, MAX_INTERFACES))
    with pytest.raises(NetweatherError, match="too-many-interfaces"):
        switch.set(rule(delay(1), direction="both"), name="more")
    assert delayed(switch, MAX_INTERFACES - 1) == (False, False)
    assert delayed(switch, 5) == (True, True)
    assert switch.clear() == ["default"]
    assert switch.remains() == []


def test_a_condition_moves_from_one_half_to_the_other(switch: Rig) -> None:
    half = MAX_INTERFACES // 2
    names = [f"p{number}" for number in range(MAX_INTERFACES - 1)]
    switch.set(rule(delay(DELAY_MS), direction="egress", interfaces=tuple(names[:half])))
    assert (delayed(switch, 3), delayed(switch, half + 3)) == ((True, False), (False, False))
    switch.set(rule(delay(DELAY_MS), direction="egress", interfaces=tuple(names[half - 1 :])))
    assert (delayed(switch, 3), delayed(switch, half + 3)) == ((False, False), (True, False))

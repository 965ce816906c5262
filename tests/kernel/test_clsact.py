"""The same datapath on kernels without tcx: programs as filters of clsact, and our own clsact taken away again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netweather.conditions import Condition, Connection, LossEvery
from netweather.engine import Engine
from netweather.settings import Settings
from tests.kernel.conftest import MakeRig
from tests.kernel.test_bystander import expect_none_lost, pinging
from tests.support import dumps, probe
from tests.support.foreign import tcx_names
from tests.support.netns import lab
from tests.support.rig import MS, Rig, at_last, delay, ports, rule, until
from tests.support.statistics import Planted, expect_delay, planted
from tests.support.traffic import Echo, round_trip, tcp_client, tcp_transfer, udp_client

FAMILIES = pytest.mark.parametrize("family", [4, 6])
DIRECTIONS = pytest.mark.parametrize("direction", ["egress", "ingress"])


@pytest.fixture(scope="module")
def clsact(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with lab() as net:
        made = Rig(net, tmp_path_factory.mktemp("state"), "clsact")
        before = {namespace: dumps.settled(namespace) for namespace in net.namespaces}
        with Echo(net.server, [7, 80]):
            yield made
        made.close()
        for namespace, dump in before.items():
            dumps.assert_same(dump, namespace)


def test_nothing_is_attached_to_tcx(clsact: Rig) -> None:
    result = clsact.set(rule(delay(1)))
    assert any("clsact" in note for note in result.notes)
    assert tcx_names(clsact.net.client, "egress") == tcx_names(clsact.net.client, "ingress") == []
    assert clsact.shown().in_force
    assert clsact.shown().problems == ()


@pytest.mark.serial
@planted()
@FAMILIES
@DIRECTIONS
def test_delay(clsact: Rig, direction: str, family: int, planted: Planted) -> None:
    clsact.set(rule(delay(planted.of(30)), direction=direction))
    ends = (clsact.net.client, clsact.net.server)
    seen = probe.stream(*(ends if direction == "egress" else ends[::-1]), 300, pps=2000, family=family)
    assert seen.lost == []
    with planted.verdict():
        expect_delay(seen.delays, 30 * MS)


@FAMILIES
@DIRECTIONS
def test_drop_and_reject(clsact: Rig, direction: str, family: int) -> None:
    there = probe.address(clsact.net.server, family)
    clsact.clear()
    with udp_client(clsact.net.client, there, 7, errors=True) as connection:
        round_trip(connection)
        clsact.set(rule(Condition(block="drop"), direction=direction))
        with pytest.raises(TimeoutError):
            round_trip(connection, 0.1)
    clsact.set(rule(Condition(block="reject"), direction="egress"))
    with pytest.raises(ConnectionRefusedError):
        tcp_client(clsact.net.client, there, 80)
    clsact.clear()


def test_loss(clsact: Rig) -> None:
    clsact.set(rule(Condition(loss=LossEvery(5)), direction="egress", protocol="udp"))
    seen = probe.stream(clsact.net.client, clsact.net.server, 500, pps=20_000)
    assert seen.lost == list(range(4, 500, 5))


@FAMILIES
def test_one_connection_of_two(clsact: Rig, family: int) -> None:
    me, there = (probe.address(end, family) for end in (clsact.net.client, clsact.net.server))
    clsact.clear()
    with tcp_client(clsact.net.client, there, 80) as one, tcp_client(clsact.net.client, there, 80) as two:
        clsact.set(rule(delay(25), connection=Connection(me, one.getsockname()[1], there, 80)))
        assert min(round_trip(one) for _ in range(4)) >= 0.05
        at_last(lambda: round_trip(two), 0, 0.025)


@FAMILIES
def test_tcp_arrives_intact(clsact: Rig, family: int) -> None:
    clsact.set(rule(delay(2)))
    done = tcp_transfer(clsact.net.client, clsact.net.server, family=family, size=30_000_000)
    assert done.intact
    assert clsact.shown().unwanted_drops == 0


def test_changes_lose_nothing_of_a_bystander(make_rig: MakeRig) -> None:
    """Adding and removing clsact may; what lies between may not."""
    with make_rig(bystander=True, hook="clsact") as rig:
        assert rig.net.bystander
        rig.set(rule(delay(5), to=(str(rig.net.server.v4),)))
        with pinging(rig.net.bystander, str(rig.net.client.v4)) as pings:
            for number in range(50):
                rig.set(rule(delay(1 + number % 9), to=(str(rig.net.server.v4),), ports=ports(*range(7, 7 + number // 5))))
        assert pings.sent >= 50
        expect_none_lost(pings)


def test_whoever_comes_without_that_setting_keeps_to_it(clsact: Rig) -> None:
    """A keeper, another shell: a condition stays where it is."""
    clsact.set(rule(delay(20), direction="egress"), engine="pump")
    other = Engine(Settings(state=clsact.state))
    (shown,) = other.show(clsact.target)
    assert shown.in_force
    other.set(clsact.target, shown.condition)
    assert tcx_names(clsact.net.client, "egress") == []
    clsact.kill("pump")
    until(lambda: clsact.process("pump") and clsact.shown().in_force, 20, "the keeper brings it back")
    assert tcx_names(clsact.net.client, "egress") == []
    assert other.clear(clsact.target) == ["default"]

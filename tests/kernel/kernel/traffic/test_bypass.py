"""The path past the hooks, beside conditions that would stop or delay everything."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from contextlib import closing

import pytest

from netweather.conditions import Condition, Delay
from netweather.kernel.namespaces import Namespace
from netweather.kernel.traffic.bypass import both_ways, echoes
from netweather.kernel.traffic.probe_packets import TCP, UDP, Ends, Flow, ProbeStream
from netweather.units import Duration
from tests.support.rig import Rig, rule

SECOND = 10**9


@pytest.fixture
def target(rig: Rig) -> Iterator[Namespace]:
    with closing(Namespace(os.open(rig.net.client.path, os.O_RDONLY))) as found:
        yield found


@pytest.fixture
def peer(rig: Rig) -> Iterator[Namespace]:
    with closing(Namespace(os.open(rig.net.server.path, os.O_RDONLY))) as found:
        yield found


def ends_of(rig: Rig, six: bool) -> tuple[str, str]:
    client, server = rig.net.client, rig.net.server
    return (str(client.v6), str(server.v6)) if six else (str(client.v4), str(server.v4))


@pytest.mark.parametrize("six", [False, True])
@pytest.mark.parametrize("protocol", [UDP, TCP])
def test_streams_pass_beside_a_block_and_come_through_once_it_is_gone(
    rig: Rig, target: Namespace, peer: Namespace, six: bool, protocol: int
) -> None:
    local, remote = ends_of(rig, six)
    rig.net.client.run("ping", "-c1", remote)  # the neighbours are known
    rig.set(rule(Condition(block="drop")))
    streams = {way: ProbeStream(50, 1000.0, 64) for way in ("egress", "ingress")}
    with Ends(target, peer, Flow(protocol, local, remote)) as ends:
        assert [len(each.seen) for each in ends.exchange(streams, 0.2).values()] == [0, 0]
        with both_ways(ends, target) as past:
            found = past.exchange(streams, 5.0)
        assert {way: sorted(number for number, _, _ in each.seen) for way, each in found.items()} == {
            "egress": list(range(50)), "ingress": list(range(50)),
        }  # fmt: skip
        rig.clear()
        assert [len(each.seen) for each in ends.exchange(streams, 5.0).values()] == [50, 50]


@pytest.mark.parametrize("six", [False, True])
def test_echoes_take_the_paths_own_time_beside_a_delay(rig: Rig, target: Namespace, six: bool) -> None:
    local, remote = ends_of(rig, six)
    rig.net.client.run("ping", "-c1", remote)
    rig.set(rule(Delay(Duration(2 * SECOND))))
    found = echoes(target, local, remote, 21, 0.001, 5.0)
    assert len(found.times) == 21
    assert statistics.median(found.times) < 1.0, "neither direction's 2 s"
    assert found.received == 0, "the answers wait on the ingress line"


def test_answers_that_come_through_are_counted(rig: Rig, target: Namespace) -> None:
    local, remote = ends_of(rig, False)
    rig.net.client.run("ping", "-c1", remote)
    rig.set(rule(Condition(block="drop"), direction="egress"))
    assert echoes(target, local, remote, 5, 0.001, 5.0).received == 5
    rig.set(rule(Condition(block="drop"), direction="ingress"))
    assert echoes(target, local, remote, 5, 0.001, 5.0).received == 0


def test_what_it_needs_is_told_by_the_kernel(rig: Rig, target: Namespace) -> None:
    local, _ = ends_of(rig, False)
    with pytest.raises(OSError, match=r"unreachable|No route"):
        echoes(target, local, "198.51.100.7", 1, 0.0, 0.1)
    with pytest.raises(OSError, match="No route"):
        echoes(target, local, "192.0.2.77", 1, 0.0, 0.1)  # on the link, and nobody has that address

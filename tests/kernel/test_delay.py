"""Delay, jitter and rate, as packets that cross between two namespaces see them."""

from __future__ import annotations

import numpy
import pytest
from scipy import stats

from netweather.conditions import Condition, RateLimit
from netweather.units import Rate
from tests.support import probe
from tests.support.rig import MS, Rig, delay, rule
from tests.support.statistics import Planted, expect_delay, expect_distribution, expect_near, planted
from tests.support.traffic import Echo, round_trip, tcp_client, tcp_transfer, udp_client

pytestmark = pytest.mark.serial
QUICK_NS = 5 * MS  # what a packet that no condition delays stays under, by median
KS_MOST = 0.04  # over 10,000 packets chance exceeds it once in 10^13 runs; sigma 30 % off lies at 0.063, uniform at 0.115


def both_ways(rig: Rig, family: int) -> dict[str, probe.Stream]:
    """A stream in each direction, as the target sees them."""
    client, server = rig.net.client, rig.net.server
    return {
        "egress": probe.stream(client, server, 400, pps=2000, family=family),
        "ingress": probe.stream(server, client, 400, pps=2000, family=family),
    }


@planted()
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("direction", ["egress", "ingress", "both"])
def test_delay_is_added_where_asked_and_nowhere_else(shared_rig: Rig, direction: str, family: int, planted: Planted) -> None:
    asked = 30 * MS
    shared_rig.set(rule(delay(planted.of(30)), direction=direction))
    for way, seen in both_ways(shared_rig, family).items():
        assert seen.lost == []
        assert seen.arrived_in_order()
        if direction in (way, "both"):
            with planted.verdict():
                expect_delay(seen.delays, asked)
        else:
            assert numpy.median(seen.delays) < QUICK_NS


@pytest.mark.parametrize("family", [4, 6])
def test_both_directions_add_twice_the_delay_to_a_round_trip(shared_rig: Rig, family: int) -> None:
    there = probe.address(shared_rig.net.server, family)
    shared_rig.set(rule(delay(20), direction="both"))
    with Echo(shared_rig.net.server, [7]), udp_client(shared_rig.net.client, there, 7) as udp:
        expect_delay([round(round_trip(udp) * 1e9) for _ in range(8)], 40 * MS)
        with tcp_client(shared_rig.net.client, there, 7) as tcp:
            expect_delay([round(round_trip(tcp) * 1e9) for _ in range(8)], 40 * MS)


def test_zero_is_a_value(shared_rig: Rig) -> None:
    """A line that adds nothing: packets do go through it."""
    shared_rig.set(rule(delay(0), direction="egress"))
    seen = probe.stream(shared_rig.net.client, shared_rig.net.server, 400, pps=2000)
    assert numpy.median(seen.delays) < QUICK_NS
    assert shared_rig.shown().rules[0].packets >= 400


@planted()
@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_jitter_is_distributed_as_asked(shared_rig: Rig, distribution: str, planted: Planted) -> None:
    middle, width = 60 * MS, 10 * MS
    jitter = delay(60, jitter=delay(planted.of(10)).time, distribution=distribution)
    shared_rig.set(rule(jitter_seeded(jitter), direction="egress"))
    seen = probe.stream(shared_rig.net.client, shared_rig.net.server, 10_000, pps=10_000, size=32)
    assert seen.lost == []
    asked = stats.norm(middle, width) if distribution == "normal" else stats.uniform(middle - width, 2 * width)
    with planted.verdict():
        expect_distribution(seen.delays, asked.cdf, KS_MOST)


def jitter_seeded(jitter: object) -> Condition:
    return Condition(delay=jitter, seed=11)  # type: ignore[arg-type]  # a Delay


def test_jitter_reorders_unless_order_is_kept(shared_rig: Rig) -> None:
    for keep in (False, True):
        shared_rig.set(rule(delay(20, jitter=delay(5).time, keep_order=keep), direction="egress"))
        seen = probe.stream(shared_rig.net.client, shared_rig.net.server, 1000, pps=5000)
        assert seen.lost == []
        assert seen.arrived_in_order() is keep


@planted()
@pytest.mark.parametrize("direction", ["egress", "ingress"])
def test_rate_is_kept_within_3_percent(shared_rig: Rig, direction: str, planted: Planted) -> None:
    asked, size = 20_000_000, 1472
    shared_rig.set(rule(Condition(rate=RateLimit(Rate(planted.of(asked)))), direction=direction))
    ends = (shared_rig.net.client, shared_rig.net.server)
    sender, receiver = ends if direction == "egress" else ends[::-1]
    seen = probe.stream(sender, receiver, 2500, pps=6000, size=size, patience=0.5)  # 73 Mbit/s offered
    assert len(seen.arrivals) > 1000
    with planted.verdict():
        expect_near(probe.arrival_rate(seen.arrivals, size), asked, 0.03)


@pytest.mark.parametrize("family", [4, 6])
def test_rate_shapes_tcp_too(shared_rig: Rig, family: int) -> None:
    """Super-packets of 64 KB are counted as what the wire carries."""
    asked = 50_000_000
    shared_rig.set(rule(Condition(rate=RateLimit(Rate(asked))), direction="egress"))
    done = tcp_transfer(shared_rig.net.client, shared_rig.net.server, family=family, size=8_000_000)
    assert done.intact
    headers = 14 + (20 if family == 4 else 40) + 32
    wire = done.size * 8 * (done.sender.mss + headers) / done.sender.mss
    expect_near(wire / done.seconds, asked, 0.03)

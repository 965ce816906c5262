"""Loss as asked: how many packets, in which bursts, which ones; and that packets are the wire's, not the sender's super-packets."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from netweather.conditions import Condition, LossBurst, LossEvery, LossGemodel, LossRandom
from netweather.units import MeanLength, Percent
from tests.support import probe
from tests.support.rig import Rig, delay, rule
from tests.support.statistics import Planted, expect, expect_geometric, expect_share, planted, runs
from tests.support.traffic import datagrams, tcp_transfer

PPS = 60_000  # what a loaded machine of 2 cores does without dropping anything itself


def percent(value: float) -> Percent:
    return Percent(round(value * 10**7))


def lost_of(rig: Rig, count: int, direction: str = "egress", family: int = 4) -> list[int]:
    """Which packets of a stream are lost; all others arrive in order."""
    ends = (rig.net.client, rig.net.server)
    sender, receiver = ends if direction == "egress" else ends[::-1]
    seen = probe.stream(sender, receiver, count, family=family, size=16, pps=PPS)
    assert seen.arrived_in_order()
    assert rig.shown().unwanted_drops == 0
    return seen.lost


def udp_rule(condition: Condition, direction: str = "egress") -> object:
    return rule(condition, direction=direction, protocol="udp")


@planted()
@pytest.mark.parametrize(("direction", "family"), [("egress", 4), ("egress", 6), ("ingress", 4), ("ingress", 6)])
def test_random_loss_has_the_share_asked(shared_rig: Rig, direction: str, family: int, planted: Planted) -> None:
    asked, count = 0.10, 20_000
    shared_rig.set(udp_rule(Condition(loss=LossRandom(percent(planted.of(1000) / 100)), seed=family), direction))
    lost = lost_of(shared_rig, count, direction, family)
    with planted.verdict():
        expect_share(len(lost), count, asked)
    expect_geometric(runs(lost), 1 - len(lost) / count)  # independent of each other, whatever the share


@planted()
def test_loss_of_both_directions_is_independent(shared_rig: Rig, planted: Planted) -> None:
    asked, count = 0.10, 20_000
    shared_rig.set(udp_rule(Condition(loss=LossRandom(percent(planted.of(1000) / 100)), seed=3), "both"))
    there, back = (set(lost_of(shared_rig, count, direction)) for direction in ("egress", "ingress"))
    with planted.verdict():
        expect_share(len(there), count, asked)
        expect_share(len(back), count, asked)
        expect_share(len(there & back), count, asked**2)


@planted()
@pytest.mark.parametrize("part", ["share", "length"])
def test_gilbert_elliott_loses_in_bursts_as_asked(shared_rig: Rig, part: str, planted: Planted) -> None:
    """p = 2 %, r = 20 %: 9.1 % of the packets, in bursts of 5; one of the two is planted wrong at a time."""
    p, r, count = 0.02, 0.20, 100_000
    set_p, set_r = (planted.of(200) / 100, 20) if part == "share" else (2, planted.of(2000) / 100)
    shared_rig.set(udp_rule(Condition(loss=LossGemodel(p=percent(set_p), r=percent(set_r)), seed=5)))
    lost = lost_of(shared_rig, count)
    bursts = runs(lost)
    with planted.verdict():
        expect_share(len(bursts), count - len(lost), p)  # each good packet may be followed by a burst
        expect_geometric(bursts, r)


@planted()
def test_bursts_can_be_asked_for_by_length_and_share(shared_rig: Rig, planted: Planted) -> None:
    count = 60_000
    length = MeanLength(planted.of(4000))
    shared_rig.set(udp_rule(Condition(loss=LossBurst(mean_length=length, share=percent(10)), seed=6)))
    lost = lost_of(shared_rig, count)
    bursts = runs(lost)
    with planted.verdict():
        expect_geometric(bursts, 1 / 4)
    expect(0.08 < len(lost) / count < 0.12, f"{len(lost)} of {count}")


def test_every_nth_packet_is_lost(shared_rig: Rig) -> None:
    shared_rig.set(udp_rule(Condition(loss=LossEvery(7), seed=1)))
    assert lost_of(shared_rig, 700) == list(range(6, 700, 7))


@pytest.mark.parametrize("direction", ["egress", "ingress"])
def test_the_same_seed_hits_the_same_packets(shared_rig: Rig, direction: str) -> None:
    def lost(seed: int) -> list[int]:
        shared_rig.clear()
        shared_rig.set(udp_rule(Condition(loss=LossGemodel(p=percent(3), r=percent(40)), seed=seed), direction))
        return lost_of(shared_rig, 3000, direction)

    first = lost(42)
    assert len(first) > 50
    assert lost(42) == first
    assert lost(43) != first


def test_loss_and_delay_together(shared_rig: Rig) -> None:
    shared_rig.set(udp_rule(Condition(loss=LossEvery(10), delay=delay(20))))
    seen = probe.stream(shared_rig.net.client, shared_rig.net.server, 1000, pps=10_000)
    assert seen.lost == list(range(9, 1000, 10))
    assert min(seen.delays) >= 20_000_000 - 50_000


@planted(1.3, 0.7)
@pytest.mark.parametrize("family", [4, 6])
def test_3_percent_loss_is_3_percent_of_wire_packets_of_a_tcp_sender(shared_rig: Rig, family: int, planted: Planted) -> None:
    """Counted by either end's own TCP: segments with data that left, and that came."""
    shared_rig.set(rule(Condition(loss=LossRandom(percent(planted.of(300) / 100)), seed=9), direction="egress", protocol="tcp"))
    done = tcp_transfer(shared_rig.net.client, shared_rig.net.server, family=family, size=110_000_000)
    assert done.intact
    with planted.verdict():
        expect_share(done.wire_lost, done.sender.data_segments_out, 0.03)


@pytest.mark.parametrize("family", [4, 6])
def test_loss_takes_single_datagrams_out_of_a_udp_super_packet(shared_rig: Rig, family: int) -> None:
    """45 datagrams leave the socket as one packet; what is lost is lost one by one."""
    share, sends, segment = 0.2, 200, 1000
    shared_rig.set(udp_rule(Condition(loss=LossRandom(percent(100 * share)), seed=4)))
    messages = [b"".join(struct.pack("=I", 45 * i + n).ljust(segment, b".") for n in range(45)) for i in range(sends)]
    arrived = datagrams(shared_rig.net.client, shared_rig.net.server, messages, family=family, segment=segment)
    numbers = {struct.unpack("=I", one[:4])[0] for one in arrived}
    lost = sorted(set(range(45 * sends)) - numbers)
    assert all(len(one) == segment for one in arrived)
    expect_share(len(lost), 45 * sends, share)
    expect_geometric(runs(lost), 1 - share)


def test_the_counters_tell_what_was_dropped_by_a_block(shared_rig: Rig) -> None:
    shared_rig.set(replace(udp_rule(Condition(block="drop"))))
    assert len(lost_of(shared_rig, 500)) == 500
    (counters,) = shared_rig.shown().rules
    assert (counters.packets, counters.dropped) == (500, 500)

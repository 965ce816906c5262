"""A change of parameters: what a line holds departs as the new ones say, and delays nothing that comes later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from netweather.lines.params import LineParams, QueuePolicy
from netweather.lines.traces import parse_trace
from tests.native.pump.core import MS, SECOND, Array, every, line

FRAME = 1000
PING = 100
START = SECOND
Params = LineParams


def departures(before: Params, after: Params, arrivals: Array, change: int, later: Array | None = None) -> dict[int, int]:
    """When each packet left: `arrivals` came before the change, `later` behind it."""
    with line(before) as core:
        got = [core.run(arrivals, FRAME, drain=False)]
        core.set(after, now=change)
        if later is not None:
            got.append(core.run(later, PING, drain=False))
        got.append(core.run(every(1, 0)))
    records = np.concatenate(got)
    assert len(set(records["number"].tolist())) == len(records)
    return dict(zip(records["number"].tolist(), records["time"].tolist(), strict=True))


def at_rate(packets: float, rate_bps: int, size: int = FRAME) -> int:
    return round(packets * size * 8 * SECOND / rate_bps)


def test_a_shorter_delay_is_met_by_the_first_packet_after_it() -> None:
    change = START + 100 * MS
    left = departures(Params(delay_ns=20 * SECOND), Params(delay_ns=10 * MS), every(MS, 100), change, every(MS, 10, change))
    assert [left[i] for i in range(90)] == [change] * 90
    assert [left[i] for i in range(90, 110)] == [START + i * MS + 10 * MS for i in range(90, 110)]


def test_a_longer_delay_is_met_by_what_is_held() -> None:
    change = START + 5 * MS
    left = departures(Params(delay_ns=50 * MS), Params(delay_ns=500 * MS), every(MS, 5), change)
    assert [left[i] for i in range(5)] == [START + i * MS + 500 * MS for i in range(5)]


def test_a_queue_drains_at_the_new_rate() -> None:
    """120 datagrams at 9.6 kbit/s, then 100 Mbit/s: a ping waits for them at the new rate only."""
    change = START + 2 * SECOND
    left = departures(Params(rate_bps=9600), Params(rate_bps=10**8), every(MS, 120), change, every(1, 1, change))
    assert left[120] <= change + at_rate(120, 10**8) + at_rate(1, 10**8)
    assert [left[i] for i in range(3, 120)] == sorted(left[i] for i in range(3, 120))


def test_what_the_link_is_sending_is_sent_on_not_anew() -> None:
    """The first packet takes 1 s at the old rate; half of it is left when the rate becomes ten times as high."""
    before, after = Params(rate_bps=8 * FRAME), Params(rate_bps=80 * FRAME)
    left = departures(before, after, every(1, 2), START + SECOND // 2)
    assert left[0] == START + SECOND // 2 + SECOND // 20
    assert left[1] == pytest.approx(left[0] + SECOND // 10, abs=10)


def test_a_change_that_is_repeated_holds_nothing_up() -> None:
    """Twenty changes between two rates while one packet is sent: together they take it the time that they allow."""
    rates = (8 * FRAME, 16 * FRAME)
    with line(Params(rate_bps=rates[0])) as core:
        core.run(every(1, 1), FRAME, drain=False)
        for i in range(1, 20):
            core.set(Params(rate_bps=rates[i % 2]), now=START + i * SECOND // 30)
        (record,) = core.run(every(1, 0))
    assert record["time"] == pytest.approx(START + 2 * SECOND / 3, abs=SECOND // 30)


@pytest.mark.parametrize("rate", [0, 10**5])
@pytest.mark.parametrize("seed", range(4))
def test_the_same_again_moves_nothing(seed: int, rate: int) -> None:
    params = Params(seed=seed, delay_ns=300 * MS, jitter_ns=100 * MS, delay_rho=2**30, duplicate_p=2**29, rate_bps=rate)
    with line(params) as core:
        undisturbed = core.run(every(MS, 200), FRAME)
    with line(params) as core:
        parts = []
        for i in range(20):
            parts.append(core.run(every(MS, 10, START + i * 10 * MS), FRAME, drain=False))
            core.set(params, now=START + (i * 10 + 9) * MS)
        again = np.concatenate([*parts, core.run(every(1, 0))])
    assert again.tolist() == undisturbed.tolist()


def test_each_packet_keeps_its_own_jitter() -> None:
    before = Params(seed=5, delay_ns=SECOND, jitter_ns=40 * MS)
    change = START + 100 * MS
    with line(before) as core:
        first = {r["number"]: int(r["time"]) for r in core.run(every(MS, 100), FRAME)}
    moved = departures(before, replace(before, delay_ns=3 * SECOND), every(MS, 100), change)
    assert all(moved[i] == first[i] + 2 * SECOND for i in range(100))
    halved = departures(before, replace(before, jitter_ns=20 * MS), every(MS, 100), change)
    for i in range(100):
        middle = START + i * MS + SECOND
        assert halved[i] - middle == pytest.approx((first[i] - middle) / 2, abs=2)


def test_from_jitter_to_none_restores_the_order() -> None:
    left = departures(
        Params(seed=1, delay_ns=SECOND, jitter_ns=900 * MS), Params(delay_ns=200 * MS), every(MS, 100), START + 99 * MS
    )
    assert [left[i] for i in range(100)] == [START + i * MS + 200 * MS for i in range(100) if i in left]


def test_a_queue_that_grows_too_long_for_its_limit_is_cut() -> None:
    """The newest are dropped, as if they had met the new limit; what is past the link stays."""
    before = Params(rate_bps=8_000 * FRAME, delay_ns=5 * MS)  # one packet a millisecond
    with line(before) as core:
        early = core.run(every(1, 100), FRAME, drain=False)
        early = np.concatenate([early, core.run(every(1, 1, START + 10 * MS), FRAME, drain=False)])
        core.set(replace(before, rate_bps=800 * FRAME, limit_packets=20), now=START + 10 * MS)
        held = core.stats
        late = core.run(every(1, 0))
    assert held.queued_packets == 20
    assert held.dropped_limit == 101 - len(early) - 20
    assert late["number"].tolist() == list(range(len(early), len(early) + 20))


def test_slots_that_become_shorter_open_at_once() -> None:
    change = START + 10 * MS
    left = departures(Params(slot_min_ns=20 * SECOND), Params(slot_min_ns=MS), every(MS, 5), change, every(1, 1, change))
    assert max(left.values()) <= change + 2 * MS


@pytest.mark.parametrize("after", [Params(), Params(rate_bps=10**9), Params(rate_bps=10**9, policy=QueuePolicy.CODEL)])
def test_a_queue_under_codel_drains_at_the_new_rate(after: Params) -> None:
    before = Params(rate_bps=9600, policy=QueuePolicy.CODEL, codel_target_ns=3600 * SECOND, codel_interval_ns=3600 * SECOND)
    after = replace(after, codel_target_ns=3600 * SECOND, codel_interval_ns=3600 * SECOND)
    change = START + 10 * SECOND
    left = departures(before, after, every(MS, 60), change, every(1, 1, change))
    assert len(left) == 61
    assert left[60] <= change + at_rate(62, 10**9)


def test_a_queue_behind_an_outage_of_a_trace_leaves_with_the_trace() -> None:
    outage = parse_trace("time,rate\n0s,0\n1000s,1gbit\n2000s,\n").pack()
    change = START + SECOND
    left = departures(Params(trace=outage), Params(rate_bps=10**9), every(MS, 50), change, every(1, 1, change))
    assert len(left) == 51
    assert max(left.values()) <= change + at_rate(52, 10**9)


def random_params(rng: np.random.Generator) -> Params:
    kind = rng.integers(0, 6)
    delay = int(10 ** rng.uniform(6, 11))
    params = Params(seed=int(rng.integers(1, 99)), delay_ns=delay)
    if kind in (1, 5):
        params = replace(params, jitter_ns=delay // 2, keep_order=bool(rng.integers(0, 2)))
    if kind in (2, 3, 5):
        params = replace(params, rate_bps=int(10 ** rng.uniform(4, 9)))
    if kind == 3:
        params = replace(params, policy=QueuePolicy.CODEL, codel_target_ns=10**15, codel_interval_ns=10**15)
    if kind == 4:
        params = replace(params, reorder_p=2**31, gap=2)
    return params


@pytest.mark.parametrize("seed", range(60))
def test_the_past_never_delays_the_future(seed: int) -> None:
    """After any row of changes a ping meets the last parameters and the queue at their rate, nothing more; none is lost or doubled."""
    rng = np.random.default_rng(seed)
    now, sent, got = START, 0, []
    with line(random_params(rng)) as core:
        for _ in range(int(rng.integers(1, 8))):
            count = int(rng.integers(0, 40))
            got.append(core.run(every(MS, count, now), FRAME, drain=False))
            now, sent = now + count * MS, sent + count
            last = random_params(rng)
            core.set(last, now=now)
        held = core.stats.queued_packets
        got.append(core.run(every(1, 1, now), PING, drain=False))
        got.append(core.run(every(1, 0)))
    records = np.concatenate(got)
    assert sorted(records["number"].tolist()) == list(range(sent + 1))
    ping = int(records["time"][records["number"] == sent][0])
    queue = at_rate(held + 1, last.rate_bps) if last.rate_bps else 0
    assert now <= ping <= now + last.delay_ns + last.jitter_ns + queue + 1000
    assert int(records["time"].max()) <= now + last.delay_ns + last.jitter_ns + queue + 1000


@pytest.mark.parametrize("count", [100_000])
def test_many_held_packets_change_in_one_turn(count: int) -> None:
    """Memory for it is there even where packets have taken all that they may; afterwards everything is given back."""
    with line(Params(seed=1, delay_ns=100 * SECOND, jitter_ns=50 * SECOND)) as core:
        core.run(every(400, count), 100, drain=False)
        core.set(Params(delay_ns=MS), now=START + count * 400)
        records = core.run(every(1, 0))
        assert len(records) == count
        assert (records["number"] == np.arange(count)).all()
        assert core.memory < 4 << 20

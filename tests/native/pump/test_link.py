"""The bottleneck: rate, overhead, limits, CoDel, traces."""

from __future__ import annotations

import numpy as np
import pytest

from netweather.lines.params import ConfigError, LineParams, QueuePolicy
from netweather.lines.traces import parse_trace
from tests.native.pump.core import MS, SECOND, Core, every, line

ETHERNET = 1514


def goodput(core: Core, seconds: float, offered_bps: float, size: int = ETHERNET) -> float:
    """Bits a second that come out while more is offered."""
    gap = int(size * 8 * SECOND / offered_bps)
    records = core.run(every(gap, int(seconds * SECOND / gap)), size, drain=False)
    span = int(records["time"][-1] - records["time"][0])
    return (len(records) - 1) * size * 8 * SECOND / span


@pytest.mark.parametrize("rate", [64_000, 10**6, 33_333_333, 10**9, 12_345_678_901])
def test_rate_is_kept(rate: int) -> None:
    with line(LineParams(rate_bps=rate, limit_packets=50)) as core:
        assert goodput(core, max(0.02, 4e6 / rate), 1.5 * rate) == pytest.approx(rate, rel=1e-4)
        assert core.stats.dropped_limit > 0


@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_planted_rate_is_caught(factor: float) -> None:
    with line(LineParams(rate_bps=int(10**7 * factor), limit_packets=50)) as core:
        assert goodput(core, 1, 3e7) != pytest.approx(10**7, rel=0.03)


def test_a_packet_takes_its_time_and_then_its_delay() -> None:
    with line(LineParams(rate_bps=8_000_000, delay_ns=20 * MS)) as core:
        records = core.run(every(0, 3), 1000)
    assert list(records["time"]) == [SECOND + 20 * MS + MS * n for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("size", "options", "bytes_taken"),
    [
        (100, {"overhead": 24}, 124),
        (100, {"overhead": -14}, 86),
        (100, {"overhead": -200}, 0),
        (50, {"cell_size": 48, "cell_overhead": 5}, 106),
        (96, {"cell_size": 48, "cell_overhead": 5}, 106),
        (97, {"overhead": 10, "cell_size": 48, "cell_overhead": 5}, 159),
    ],
)
def test_overhead_and_cells(size: int, options: dict[str, int], bytes_taken: int) -> None:
    with line(LineParams(rate_bps=8_000_000, **options)) as core:  # type: ignore[arg-type]
        records = core.run(every(0, 2), size)
    assert int(records["time"][1]) - SECOND == 2 * bytes_taken * 1000


def test_no_time_is_lost_to_rounding() -> None:
    with line(LineParams(rate_bps=7_777_777_777)) as core:
        records = core.run(every(0, 100_000), 64)
    exact = 100_000 * 64 * 8 * SECOND / 7_777_777_777
    assert int(records["time"][-1]) - SECOND == pytest.approx(exact, abs=2)


@pytest.mark.parametrize(
    ("options", "room"), [({"limit_packets": 10}, 10), ({"limit_bytes": 5500}, 5), ({"limit_bytes": 999}, 0)]
)
def test_limits(options: dict[str, int], room: int) -> None:
    with line(LineParams(delay_ns=100 * MS, **options)) as core:  # type: ignore[arg-type]
        records = core.run(every(1000, 30), 1000)
        assert list(records["number"]) == list(range(room))
        assert core.stats.dropped_limit == 30 - room
        assert core.stats.peak_packets == room


def test_memory_is_bounded_and_counted() -> None:
    with line(LineParams(delay_ns=SECOND), memory=8 << 20) as core:
        kept = sum(core.feed(bytes(1514)) for _ in range(20_000))
        assert core.memory <= 8 << 20
        assert 4000 < kept < 6000
        assert len(core.take_all(SECOND)) == core.stats.rx_packets - core.stats.unwanted_memory


# CoDel ------------------------------------------------------------------------------------------------------------------------


def overloaded(policy: QueuePolicy, factor: float = 1.1) -> tuple[Core, float]:
    core = Core(LineParams(rate_bps=10**7, policy=policy, codel_target_ns=5 * MS, codel_interval_ns=100 * MS, limit_packets=5000))
    gap = int(ETHERNET * 8 * SECOND / (factor * 10**7))
    records = core.run(every(gap, 20 * SECOND // gap), ETHERNET, tos=2 if policy is QueuePolicy.CODEL_ECN else 0)
    late = records["time"][-500:].astype(float) - (records["number"][-500:].astype(float) * gap + SECOND)
    return core, float(np.median(late)) / MS


def test_codel_keeps_the_queue_short() -> None:
    tail, codel = overloaded(QueuePolicy.DROPTAIL), overloaded(QueuePolicy.CODEL)
    assert tail[1] > 1000
    assert codel[1] < 150
    assert codel[0].stats.dropped_codel > 100
    assert codel[0].stats.dropped_limit == 0
    for core in (tail[0], codel[0]):
        core.close()


def test_codel_leaves_a_link_alone_that_keeps_up() -> None:
    core, late = overloaded(QueuePolicy.CODEL, 0.9)
    assert core.stats.dropped_codel == 0
    assert late < 2
    core.close()


def test_ecn_marks_instead_of_dropping() -> None:
    core, _ = overloaded(QueuePolicy.CODEL_ECN)
    assert core.stats.dropped_codel == 0
    assert core.stats.marked > 100
    core.close()


# Traces -----------------------------------------------------------------------------------------------------------------------


def mahimahi(times_ms: list[int], arrivals: list[tuple[int, int]]) -> list[int]:
    """mahimahi's link, as its documentation describes it: when each packet (ns, bytes) is delivered, in ms."""
    period, out, at, left = times_ms[-1], [], -1, 0
    slots = [t + cycle * period for cycle in range(2000) for t in times_ms]
    for now, size in arrivals:
        if not (left and slots[at] * MS >= now):
            at = max(at + 1, next(i for i, t in enumerate(slots) if t * MS >= now))
            left = 1500
        while size > left:
            size -= left
            at, left = at + 1, 1500
        left -= size
        out.append(slots[at])
    return out


@pytest.mark.parametrize("times", [[1], [5, 5, 5, 20], [0, 3, 3, 7, 50], [10, 11, 12, 13, 500]])
@pytest.mark.parametrize("seed", range(3))
def test_opportunities_are_mahimahis(times: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.integers(0, 4 * MS, 200)).astype("<u8")
    sizes = rng.integers(60, 4000, 200).astype("<u4")
    trace = parse_trace("\n".join(map(str, times))).pack()
    with line(LineParams(trace=trace), now=0) as core:
        records = core.run(arrivals, sizes)
    expected = mahimahi(times, [(int(a), int(s)) for a, s in zip(arrivals, sizes, strict=True)])
    assert [int(t) // MS for t in records["time"]] == expected


def test_mean_rate_of_opportunities() -> None:
    trace = parse_trace("\n".join(str(n) for n in range(1, 101)))  # 1500 bytes a ms
    with line(LineParams(trace=trace.pack(), limit_packets=100)) as core:
        assert goodput(core, 2, 2e7, 1500) == pytest.approx(12_000_000, rel=0.001)
    assert trace.mean_rate_bps == 12_000_000


def test_table_changes_delay_loss_and_rate() -> None:
    text = "time,delay,loss,rate\n0s,10ms,,\n1s,40ms,100%,\n2s,20ms,0%,8mbit\n3s,,,\n"
    with line(LineParams(trace=parse_trace(text).pack(), keep_order=True), now=SECOND) as core:
        records = core.run(every(10 * MS, 600), 1000)
        assert core.stats.lost_trace == 200
    late = (records["time"].astype(float) - records["number"].astype(float) * 10 * MS - SECOND) / MS
    number = records["number"]
    assert set(late[number < 100]) == {10}
    assert set(late[(number >= 200) & (number < 300)]) == {21}  # 1000 bytes take a millisecond
    assert set(late[(number >= 303) & (number < 400)]) == {10}  # again from the beginning


def test_rate_over_a_change_is_what_both_rows_send() -> None:
    text = "time,rate\n0s,8kbit\n1s,8mbit\n2s,\n"
    with line(LineParams(trace=parse_trace(text).pack()), now=SECOND) as core:
        records = core.run(every(0, 1), 2000)
    assert int(records["time"][0]) == 2 * SECOND + MS  # 1000 bytes in the first second, the rest in a millisecond


def test_an_outage_holds_packets() -> None:
    text = "time,rate\n0s,10mbit\n1s,0\n3s,10mbit\n4s,\n"
    with line(LineParams(trace=parse_trace(text).pack()), now=SECOND) as core:
        records = core.run(every(100 * MS, 40), 1250)
    during = (records["number"] >= 10) & (records["number"] < 30)
    assert records["time"][during].min() >= 4 * SECOND
    assert len(records) == 40


def test_a_link_that_never_sends_loses_everything() -> None:
    with line(LineParams(trace=parse_trace("time,rate\n0s,0\n1s,\n").pack())) as core:
        assert not len(core.run(every(MS, 10)))
        assert core.stats.lost_trace == 10


def test_a_bad_trace_is_ignored_and_reported() -> None:
    with line(LineParams(trace=b"no trace at all, and long enough to have a header", delay_ns=MS)) as core:
        assert len(core.run(every(MS, 10))) == 10
        assert core.stats.config_error is ConfigError.NO_TRACE

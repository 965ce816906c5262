from __future__ import annotations

import random

import pytest

from netweather.kernel.tracing.socket_counters import CallCounts, Counted, TcpCounts
from netweather.kernel.tracing.trace_layout import BUCKETS, bounds
from netweather.observation.socket_figures import latency, longest, percentile, since


def histogram(*values: int) -> list[int]:
    """As the kernel's programs put them."""
    times = [0] * BUCKETS
    for value in values:
        times[next(bucket for bucket in range(BUCKETS) if bounds(bucket)[0] <= value < bounds(bucket)[1])] += 1
    return times


def test_percentiles_are_within_a_sixteenth() -> None:
    chance = random.Random(7)
    values = sorted(int(chance.lognormvariate(11, 1.5)) for _ in range(2000))
    times = histogram(*values)
    for share in (0.01, 0.5, 0.9, 0.99):
        assert percentile(times, share) == pytest.approx(values[int(share * 2000) - 1] / 1e9, rel=1 / 16)
    assert longest(times) == pytest.approx(values[-1] / 1e9, rel=1 / 16)


def test_nothing_took_no_time() -> None:
    assert (percentile([0] * BUCKETS, 0.5), longest([0] * BUCKETS), latency(0, [0] * BUCKETS)) == (None, None, None)


def test_the_mean_is_exact() -> None:
    found = latency(3_000_000, histogram(1_000_000, 2_000_000))
    assert found is not None
    assert found.mean == 0.0015
    assert found.at_most >= 0.002


def counted(at: int, calls: int, drops: dict[int, int], errors: dict[int, int]) -> Counted:
    each = CallCounts(calls, sum(errors.values()), 100 * calls, 1000 * calls, histogram(*[1000] * calls), errors)
    tcp = TcpCounts(opened=calls, drops=sum(drops.values()), connect_ns=calls, times=histogram(*[5] * calls), reasons=drops)
    return Counted(at, {"sendto": each}, tcp, {(7, "sendto"): CallCounts(calls, 0, 100 * calls, 1000 * calls)})


def test_what_came_between_two_readings() -> None:
    before, after = counted(10, 3, {6: 1, 3: 2}, {11: 1}), counted(20, 5, {6: 4, 3: 2}, {11: 1, 111: 2})
    between = since(after, before)
    sent = between.calls["sendto"]
    assert (sent.calls, sent.bytes, sent.ns, sum(sent.times), sent.errors) == (2, 200, 2000, 2, 2)
    assert sent.errors_by == {111: 2}
    assert between.tcp is not None
    assert (between.tcp.opened, between.tcp.drops, between.tcp.reasons, sum(between.tcp.times)) == (2, 3, {6: 3}, 2)
    assert between.processes[7, "sendto"].calls == 2
    assert since(after, None) is after

from __future__ import annotations

from typing import cast

import pytest

from netweather.cli.extras.stats_watch import StatsWatch
from netweather.engine.views.socket_stats import CounterSelection
from netweather.errors import NetweatherError
from netweather.kernel.tracing.socket_counters import Counted
from netweather.service import Service
from tests.support.readings import Readings
from tests.unit.observation.test_socket_figures import counted


def watch(*readings: Counted) -> StatsWatch:
    return StatsWatch(Readings(list(readings)))


def test_sums_and_last_intervals() -> None:
    looked = watch(Counted(0, {}, None, {}), counted(10**9, 3, {}, {}), counted(2 * 10**9, 8, {}, {}))
    for _ in range(3):
        looked.look()
    whole, last = looked.documents()[0], looked.documents(last=True)[0]
    assert (whole["seconds"], whole["calls"]["sendto"]["calls"], whole["target"]) == (2.0, 8, "netns:db")
    assert (last["seconds"], last["calls"]["sendto"]["calls"]) == (1.0, 5)
    assert looked._rates(0) == {"sendto": [3.0, 5.0]}
    assert [len(each.readings) for each in looked.drawn()] == [3]


def test_following_ends_with_the_time() -> None:
    looked = watch(*(counted(n, 1, {}, {}) for n in range(4)))
    seen: list[int] = []
    looked.follow(0.01, 0.025, lambda: seen.append(len(looked._readings)))
    assert seen == [1, 2, 3]


def test_an_hour_is_kept_and_the_beginning() -> None:
    looked = watch(*(Counted(n, {}, None, {}) for n in range(3700)))
    for _ in range(3700):
        looked.look()
    assert len(looked._readings) == 3600
    assert [looked._readings[0][0].at_ns, looked._readings[-1][0].at_ns] == [0, 3699]


def test_what_is_counted_is_let_go_at_the_end_and_when_it_cannot_be_read() -> None:
    class OneService:
        def __init__(self, readings: Readings) -> None:
            self.readings = readings

        def stats(self, reference: str, wanted: CounterSelection) -> Readings:
            assert (reference, wanted) == ("netns:db", CounterSelection())
            return self.readings

    fine, bad = Readings(), Readings(fails=NetweatherError("agent-unreachable", "it went away"))
    with StatsWatch.open(cast(Service, OneService(fine)), "netns:db", CounterSelection()):
        assert fine.closed == 0
    assert fine.closed == 1
    with pytest.raises(NetweatherError, match="it went away"):
        StatsWatch.open(cast(Service, OneService(bad)), "netns:db", CounterSelection())
    assert bad.closed == 1

"""client/stats_reader.py: what the agent tells of its readings is what they were."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from netweather.client.stats_reader import RemoteStats
from netweather.engine.views.socket_stats import readings as between
from netweather.errors import NetweatherError
from netweather.kernel.tracing.socket_counters import CallCounts, Counted, TcpCounts
from netweather.wire.stats_documents import SESSION, StatsSession
from tests.support.readings import Readings
from tests.unit.observation.test_socket_figures import counted, histogram

NOTHING = Counted(0, {}, None, {})


def remote(readings: Readings, *taken: Counted) -> RemoteStats:
    left = list(taken)

    def told(now: Counted) -> dict[str, Any]:
        found = StatsSession("ab", 15.0, between(readings, [now], [NOTHING]))
        return json.loads(json.dumps(SESSION.write(found)))  # type: ignore[no-any-return]  # it is that dict

    def end(number: str) -> dict[str, Any]:
        readings.close()
        raise NetweatherError("agent-unreachable", "it went away")

    return RemoteStats(told(NOTHING), lambda number: told(left.pop(0)), end)


def test_what_was_counted_comes_back_to_the_last_digit() -> None:
    reasons, names = {2: "NO_SOCKET", 6: "SOCKET_RCVBUFF"}, {7: "shop"}
    readings = Readings(names=["docker:shop"], missing=["syscalls/sys_enter_read"], reasons=reasons, processes=names)
    times = histogram(3, 999, 123_456_789, 5_000_000_000)
    calls = {
        "sendto": CallCounts(4, 3, 12_345, 5_123_457_791, times, {11: 1, 512: 2}),
        "connect": CallCounts(1, 0, 0, 77, histogram(77)),
    }
    tcp = TcpCounts(5, 4, 3, 2, 1, 1, 0, 6, 7, 8, 9, 1_000_000_007, histogram(1_000_000_007), {6: 8, 2: 1})
    whole = Counted(2_500_000_000, calls, tcp, {(7, "sendto"): CallCounts(4, 3, 12_345, 5_123_457_791)})
    stats = remote(readings, whole, counted(3 * 10**9, 8, {}, {}))
    (found,) = stats.read()
    assert (list(stats.names), list(stats.missing)) == (["docker:shop"], ["syscalls/sys_enter_read"])
    assert found.calls == calls
    assert found.processes == whole.processes
    assert found.tcp is not None
    assert {stats.reasons[number]: count for number, count in found.tcp.reasons.items()} == {"NO_SOCKET": 1, "SOCKET_RCVBUFF": 8}
    assert replace(found.tcp, reasons={}) == replace(tcp, reasons={})
    assert stats.processes == names
    (later,) = stats.read()
    assert later.tcp is not None
    assert later.at_ns - found.at_ns == 500_000_000


def test_what_has_no_name_here_keeps_its_number() -> None:
    readings = Readings()
    odd = Counted(10**9, {"read": CallCounts(1, 1, 0, 5, histogram(5), {9999: 1})}, None, {})
    (found,) = remote(readings, odd).read()
    assert found.calls["read"].errors_by == {9999: 1}


def test_it_is_ended_once_also_when_nobody_answers() -> None:
    readings = Readings()
    stats = remote(readings)
    stats.close()
    stats.close()
    assert readings.closed == 1
    with pytest.raises(IndexError):
        stats.read()

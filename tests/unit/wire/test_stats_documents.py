"""Readings of statistics as documents and back."""

from __future__ import annotations

import json
from typing import Any

import jsonschema

from netweather.engine.views.socket_stats import Reading
from netweather.kernel.tracing.socket_counters import TCP_EVENTS, CallCounts, Counted, TcpCounts
from netweather.wire.stats_documents import READING, SESSION, StatsSession
from tests.unit.observation.test_socket_figures import counted, histogram

BARE = Reading("netns:a", 1.0, Counted(10**9, {}, None, {}), (), {}, {})


def document(reading: Reading) -> Any:
    plain = json.loads(json.dumps(READING.write(reading), allow_nan=False))
    components: dict[str, Any] = {}
    jsonschema.validate(plain, {**READING.schema(components), "components": {"schemas": components}})
    return plain


def test_a_reading_and_back() -> None:
    calls = {"sendto": CallCounts(4, 3, 12_345, 5_123_457_791, histogram(3, 3, 123_456_789, 5_000_000_000), {11: 1, 512: 2})}
    tcp = TcpCounts(5, 4, 3, 2, 1, 1, 0, 6, 7, 8, 9, 1_000_000_007, histogram(1_000_000_007), {1: 8, 2: 1})
    found = Counted(2_500_000_000, calls, tcp, {(7, "sendto"): CallCounts(4, 3, 12_345, 5_123_457_791)})
    reading = Reading("netns:a", 2.5, found, ("a/b",), {1: "NO_SOCKET", 2: "SOCKET_RCVBUFF"}, {7: "shop"})
    assert READING.read(document(reading)) == reading
    assert READING.read(document(BARE)) == BARE
    session = StatsSession("ab", 15.0, (reading, BARE))
    assert SESSION.read(SESSION.write(session)) == session


def test_names_in_place_of_numbers() -> None:
    plain = document(Reading("a", 2.0, counted(10, 3, {6: 1}, {111: 1}), (), {6: "SOCKET_RCVBUFF"}, {7: "nginx"}))
    assert plain["calls"]["sendto"]["errors"] == {"ECONNREFUSED": 1}
    assert plain["calls"]["sendto"]["latency"]["bucketsNs"] == [[992, 1024, 3]]
    assert plain["tcp"]["dropReasons"] == {"SOCKET_RCVBUFF": 1}
    assert (plain["tcp"]["resetsReceived"], plain["tcp"]["timedOut"]) == (0, 0)
    assert plain["processes"] == [
        {"pid": 7, "name": "nginx", "call": "sendto", "calls": 3, "errors": 0, "bytes": 300, "seconds": 3e-6}
    ]


def test_what_is_left_out() -> None:
    assert document(BARE) == {"target": "netns:a", "seconds": 1.0, "calls": {}, "missing": []}
    assert "latency" not in document(Reading("a", 1.0, Counted(1, {"read": CallCounts()}, None, {}), (), {}, {}))["calls"]["read"]


def test_what_this_kernel_does_not_count_is_null() -> None:
    plain = document(Reading("a", 1.0, Counted(1, {}, TcpCounts(), {}), (TCP_EVENTS["nw_retransmit"],), {}, {}))
    assert (plain["tcp"]["retransmits"], plain["tcp"]["drops"]) == (None, 0)

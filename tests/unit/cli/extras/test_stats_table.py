from __future__ import annotations

import pytest

from netweather.cli.extras import stats_table as words
from netweather.cli.output import drawn
from netweather.kernel.tracing.socket_counters import CallCounts, Counted, TcpCounts
from tests.unit.observation.test_socket_figures import counted, histogram


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "120")


def test_numbers_in_words() -> None:
    assert [words.duration(s) for s in (1.5, 0.14, 3.2e-6, 4e-7)] == ["1.5 s", "140 ms", "3.2 µs", "400 ns"]
    assert [words.size(n) for n in (512, 1_200, 3_000_000, 5 * 10**9)] == ["512 B", "1.2 kB", "3 MB", "5 GB"]
    assert [words.bits(v) for v in (0, 800, 1.5e6, 2e9)] == ["", "800 bit/s", "1.5 Mbit/s", "2 Gbit/s"]
    assert [words.rate(v) for v in (0.5, 3, 1234.4)] == ["0.5", "3", "1,234"]


def test_a_sparkline_is_as_high_as_the_highest() -> None:
    assert words.sparkline([0, 5, 10]) == "▁▅█"
    assert words.sparkline([0, 0]) == "▁▁"
    assert words.sparkline([]) == ""


def test_errors_by_number_the_most_frequent_first() -> None:
    assert words.errors(CallCounts(errors_by={111: 1, 11: 3})) == "3 EAGAIN, 1 ECONNREFUSED"


def test_the_table_of_a_target() -> None:
    last = counted(20, 2, {}, {})
    text = drawn(
        words.shown(
            "netns:db", counted(20, 1500, {6: 2}, {111: 1}), 3.0, (last, 1.0), {"sendto": [1, 2]}, {6: "FULL"}, {7: "nginx"}
        )
    )
    lines = text.splitlines()
    assert lines[0] == "netns:db, 3.0 s"
    assert lines[2].split() == [
        "sendto",
        "1,500",
        "2",
        "150",
        "kB",
        "1.6",
        "kbit/s",
        "1.01",
        "µs",
        "1.02",
        "µs",
        "1",
        "ECONNREFUSED",
        "▅█",
    ]
    assert lines[3] == "connections: 1,500 opened, 0 accepted, 0 closed; connecting took 6 ns (p50), 6 ns (p99)"
    assert lines[5] == "packets dropped: 2 FULL"
    assert lines[-1].split() == ["nginx[7]", "sendto", "1,500", "150", "kB", "0"]


def test_fates_are_told_when_there_are_any() -> None:
    lines = words.tcp_lines(TcpCounts(opened=2, refused=1, timed_out=3, retransmits=4, resets_sent=5), {})
    assert lines == [
        "connections: 2 opened, 0 accepted, 0 closed, 1 refused, 3 timed out",
        "retransmitted segments: 4; resets: 0 received, 5 sent",
    ]


def test_many_processes_are_cut_off() -> None:
    processes = {(pid, "sendto"): CallCounts(pid) for pid in range(1, 31)}
    text = drawn(words.shown("x", Counted(1, {}, None, processes), 1.0, (Counted(1, {}, None, {}), 1.0), {}, {}, {}))
    assert "(ended)[30]" in text
    assert "and 10 more" in text
    assert "[10] " not in text
    assert histogram(5)[5] == 1

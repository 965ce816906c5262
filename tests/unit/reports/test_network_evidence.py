"""reports/network_evidence.py: what a report says of a test's network."""

from __future__ import annotations

from netweather.reports.network_evidence import MOST, Evidence, told


def test_a_line_says_what_was_seen() -> None:
    found = Evidence("n", "docker:shop", "loss 3%", 100, 3, 1.26)
    assert found.line() == "docker:shop: loss 3%: in force for 1.3 s; matched 100 packets, 3 of them dropped"
    found.measured.append("measured: PASS")
    assert told(found.plain()).endswith("; measured: PASS")


def test_where_packets_are_not_counted_none_are_told() -> None:
    plain = {"target": "shop: api-1", "condition": "delay", "inForce": True, "seconds": 3.0}
    assert told(plain) == "shop: api-1: delay: in force for 3.0 s"


def test_a_problem_is_told_once_and_takes_the_proof_away() -> None:
    found = Evidence("n", "docker:shop", "loss 3%")
    found.complain("no packet met it")
    found.complain("no packet met it")
    assert found.problems == ["no packet met it"]
    assert found.plain()["inForce"] is False
    assert "NOT AS DECLARED" in found.line()


def test_what_was_seen_over_time_is_thinned_out() -> None:
    found = Evidence("n", "docker:shop", "loss 3%")
    for second in range(1000):
        found.packets = second * 10
        found.seen(second)
    series = found.plain()["series"]
    assert MOST / 2 <= len(series) <= MOST
    assert series[0] == (0, 0, 0)
    assert series[-1][0] > 900
    assert all(packets == at * 10 for at, packets, _ in series)

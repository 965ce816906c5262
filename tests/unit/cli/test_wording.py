"""Conditions, matches, round trips and times in words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from netweather.cli import wording
from netweather.conditions import FOREVER, load_condition, load_rule
from netweather.units import Duration


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, "nothing wrong"),
        ({"delay": "100ms"}, "delay 100ms"),
        ({"delay": {"time": "100ms", "jitter": "20ms"}}, "delay 100ms ± 20ms"),
        (
            {"delay": {"time": "1s", "jitter": "20ms", "distribution": "normal", "correlation": "25%", "keepOrder": True}},
            "delay 1s ± 20ms (normal, correlation 25%, order kept)",
        ),
        ({"loss": "1%", "rate": "10mbit"}, "loss 1%, rate 10mbit"),
        ({"loss": {"percent": "1%", "correlation": "25%"}}, "loss 1% (correlation 25%)"),
        ({"loss": "gemodel:p=1%,r=10%"}, "loss gemodel:p=1%,r=10%"),
        (
            {"delay": "1s", "duplicate": "1%", "corrupt": "2%", "reorder": {"percent": "3%", "gap": 5}},
            "delay 1s, duplicate 1%, corrupt 2%, reorder 3% (gap 5)",
        ),
        (
            {"rate": {"bitrate": "1mbit", "overhead": 14}, "limit": 100, "queue": "codel"},
            "rate 1mbit (overhead 14), queue of 100 packets, queue codel",
        ),
        ({"limit": "64kb", "slot": {"min": "10ms", "max": "20ms"}}, "queue of 64kb, slots of 10ms to 20ms"),
        ({"rate": "1mbit", "limit": "500ms"}, "rate 1mbit, queue of 500ms"),
        ({"block": "drop"}, "block (drop)"),
        ({"profile": "3g", "mtu": 1300, "seed": 0}, "profile 3g, mtu 1300, seed 0"),
        ({"loss": "1%", "ecn": True, "trace": "./a.trace"}, "loss 1%, ecn, trace ./a.trace"),
        ({"trace": "# a.trace\n1\n5\n"}, "trace a.trace"),
    ],
)
def test_conditions(condition: dict[str, Any], expected: str) -> None:
    assert wording.condition_words(load_condition(condition)) == expected


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, "all traffic, both ways"),
        ({"protocol": "tcp", "ports": [5432], "to": ["docker:db"], "direction": "egress"}, "tcp port 5432 to docker:db, egress"),
        ({"to": ["192.0.2.1", "192.0.2.2"], "direction": "ingress"}, "traffic from 192.0.2.1, 192.0.2.2, ingress"),
        ({"family": "ipv6", "ports": [80, "6000-6010"]}, "IPv6 ports 80, 6000-6010, both ways"),
        ({"protocol": 50, "vlan": 100, "interfaces": ["eth1"]}, "protocol 50, on eth1, VLAN 100, both ways"),
        ({"share": "10%", "tcpFlags": "syn"}, "all traffic, 10% of the connections, flags syn, both ways"),
        (
            {"connection": "192.0.2.1:40000-192.0.2.2:80"},
            "connection 192.0.2.1:40000-192.0.2.2:80, both ways",
        ),
    ],
)
def test_matches(match: dict[str, Any], expected: str) -> None:
    assert wording.match_words(load_rule(match).match) == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([{"condition": {"loss": "1%"}}], []),
        ([{"condition": {"delay": "100ms"}}], ["adds 200 ms to each round trip: 100 ms out, 100 ms back"]),
        ([{"condition": {"rtt": "200ms"}}], ["adds 200 ms to each round trip: 100 ms out, 100 ms back"]),
        (
            [{"direction": "egress", "condition": {"delay": "1500us"}}],
            ["adds 1.5 ms to each round trip: 1.5 ms out, nothing back"],
        ),
        (
            [
                {"direction": "egress", "condition": {"delay": "1s"}},
                {"direction": "ingress", "condition": {"delay": "2s"}},
            ],
            ["adds 3 s to each round trip: 1 s out, 2 s back"],
        ),
        (
            [{"protocol": "tcp", "condition": {"delay": "1s"}}, {"condition": {"block": "drop"}}],
            ["tcp: adds 2 s to each round trip: 1 s out, 1 s back"],
        ),
    ],
)
def test_round_trips(rules: list[dict[str, Any]], expected: list[str]) -> None:
    assert wording.round_trips(load_rule(rule) for rule in rules) == expected


@pytest.mark.parametrize(
    ("ns", "expected"),
    [
        (None, "forever"),
        (0, "0s"),
        (1, "1s"),
        (598_000_000_000, "9m 58s"),
        (3_600_000_000_000, "1h"),
        (90_061_000_000_000, "1d 1h"),
        (86_400_000_000_000 + 1_000_000_000, "1d 1s"),
    ],
)
def test_what_is_left(ns: int | None, expected: str) -> None:
    assert wording.remaining(ns) == expected


def test_until_when() -> None:
    now = datetime(2026, 7, 1, 23, 50, 0)
    assert wording.until(Duration.parse("5m"), now) == "for 5m, until 23:55:00"
    assert wording.until(Duration.parse("1h"), now) == "for 1h, until 2026-07-02 00:50"
    assert wording.until(FOREVER, now) == "until it is cleared"


def test_counts() -> None:
    assert wording.count(1234567) == "1,234,567"


def test_what_peers_mean_is_told_of_names_only() -> None:
    peers = {
        "docker:db": ("198.51.100.3/32", "2001:db8::3/128"),
        "198.51.100.7": ("198.51.100.7/32",),
        "192.0.2.0/24": ("192.0.2.0/24",),
        "docker:gone": (),
    }
    assert wording.meanings(peers) == ["docker:db = 198.51.100.3, 2001:db8::3", "docker:gone = nothing now"]

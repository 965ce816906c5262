"""`connections`: which are listed, and what a line says."""

from __future__ import annotations

import json

import pytest

from netweather.cli.commands.connections import rules_words
from netweather.cli.completion import states
from netweather.kernel import waiting
from netweather.kernel.datapath.spec import RuleId
from tests.support.live import INFO, Live, made
from tests.unit.cli.conftest import Run, World

SLOW = INFO._replace(rtt=1_500_000, min_rtt=None, delivery_rate=100, total_retransmits=0)


@pytest.fixture
def live(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> Live:
    run("set", "netns:a", "--delay", "10ms", "--port", "5432", "--name", "slow")
    udp = made(port=53, protocol=17, info=None, local_port=50000)
    return Live(monkeypatch, made(), made(port=8080, local_port=40001, info=SLOW, state=8, inode=0), udp,
                made(port=0, remote="0.0.0.0", local_port=80, state=10, info=None))  # fmt: skip


def test_a_line_for_each(run: Run, live: Live) -> None:
    lines = run("connections", "netns:a").out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "Connection", "192.0.2.1:40000-198.51.100.7:5432", "192.0.2.1:40001-198.51.100.7:8080", "192.0.2.1:50000-198.51.100.7:53",
    ]  # fmt: skip
    words = [word for word in lines[1].split("  ") if word]
    assert [word.strip() for word in words[1:]] == [
        "tcp", "established", "shop[7]", "10.5 ms (10 ms)", "3", "10 Mbit/s", "0/12", "slow 1",
    ]  # fmt: skip
    assert "close-wait" in lines[2]
    assert "1.5 s" in lines[2]
    assert "800 bit/s" in lines[2]


@pytest.mark.parametrize(
    ("words", "ports"),
    [
        (("--port", "8080"), [8080]),
        (("--to", "198.51.100.0/24", "--protocol", "udp"), [53]),
        (("--state", "close-wait"), [8080]),
        (("--name", "slow"), [5432]),
        (("--name", "other"), []),
        (("--exclude", "port=53"), [5432, 8080]),
        (("--connection", "198.51.100.7:5432-192.0.2.1:40000"), [5432]),
        (("--family", "ipv6"), []),
        (("--all",), [5432, 8080, 53, 0]),
        (("--all", "--state", "listening"), [0]),
    ],
)
def test_filters(run: Run, live: Live, words: tuple[str, ...], ports: list[int]) -> None:
    (listed,) = run("connections", "netns:a", *words, "--json").json
    assert [each["remote"]["port"] for each in listed["connections"]] == ports


def test_json(run: Run, live: Live) -> None:
    (listed,) = run("connections", "netns:a", "--json").json
    first = listed["connections"][0]
    assert first["rules"] == {"egress": {"condition": "slow", "rule": 0}, "ingress": {"condition": "slow", "rule": 0}}
    assert first["process"] == {"pid": 7, "name": "shop"}
    assert (first["tcp"]["rttSeconds"], first["tcp"]["deliveryRateBitsPerSecond"]) == (0.0105, 10_000_000)
    assert listed["connections"][1]["process"] is None
    assert listed["target"]["reference"] == "netns:a"


def test_watching(run: Run, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    def pause(seconds: float) -> None:
        live.sockets.pop()
        if not live.sockets:
            raise KeyboardInterrupt

    monkeypatch.setattr(waiting, "pause", pause)
    outcome = run("connections", "netns:a", "--all", "--watch", "--json")
    assert outcome.code == 0
    assert [len(json.loads(line)[0]["connections"]) for line in outcome.out.splitlines()] == [4, 3, 2, 1]


def test_none(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    Live(monkeypatch)
    assert run("connections", "netns:a").out == "no such connections on netns:a\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [(("--state", "open"), "unknown-state"), (("--protocol", "icmp"), "bad-protocol"), (("--port", "x"), "bad-port")],
)
def test_wrong_words(run: Run, live: Live, words: tuple[str, ...], code: str) -> None:
    outcome = run("connections", "netns:a", *words)
    assert (outcome.code, code in outcome.err) == (2, True)


def test_a_rule_of_each_direction() -> None:
    assert rules_words(RuleId("a", 0), RuleId("a", 0)) == "a 1"
    assert rules_words(RuleId("a", 0), RuleId("b", 2)) == "a 1/b 3"
    assert rules_words(None, RuleId("b", 2)) == "-/b 3"
    assert rules_words(None, None) == ""


def test_states_are_completed() -> None:
    assert {"established", "time-wait", "unconnected"} <= {word for word, _ in states("")}

"""`show`: the table in 80 columns and in many, JSON, problems, and watching."""

from __future__ import annotations

import json
import os
from ipaddress import ip_network

import pytest

from netweather.engine import Engine, entries
from netweather.kernel import waiting
from netweather.kernel.datapath.spec import LineCounts
from netweather.targets import Peer
from tests.unit.cli.conftest import Run, World


@pytest.fixture
def two(run: Run, world: World) -> World:
    run("set", "netns:a", "--delay", "100ms", "--name", "slow", "--owner", "me")
    run("set", "netns:b", "--block", "drop", "--protocol", "icmp", "--for", "forever")
    return world


def test_nothing_in_force_is_said(run: Run, world: World) -> None:
    outcome = run("show")
    assert (outcome.code, outcome.out) == (0, "no conditions are in force\n")
    assert run("show", "netns:a").out == "no conditions are in force on netns:a\n"
    assert run("show", "--json").json == []


def test_the_table_fits_80_columns(run: Run, two: World) -> None:
    lines = run("show").out.splitlines()
    assert lines[0].split("  ")[0] == "Target / Name"
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    for word in ("netns:a", "slow", "delay 100ms", "yes", "left", "me", "netns:b", "default", "block (drop)", "forever"):
        assert word in text


def test_which_engine_and_why(run: Run, two: World) -> None:
    text = run("show").out
    assert "yes (pump)" in text
    assert text.endswith("netns:a, 'slow': engine pump: netem is not there, it was left out\n")  # a block has no line
    status = run("show", "netns:a", "--json").json[0]["status"]
    assert (status["engine"], status["engines"]) == ("pump", ["engine pump: netem is not there, it was left out"])
    assert run("set", "netns:a", "--delay", "1s", "--json").json["status"]["targets"][0]["engines"] == status["engines"]


def test_a_wide_terminal_has_a_column_for_each(run: Run, two: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "180")
    # `run` sets 80; the table asks when it draws.
    monkeypatch.setattr("netweather.cli.commands.show.columns", lambda stream: 180)
    monkeypatch.setattr("netweather.cli.output.columns", lambda stream: 180)
    header, first, *_ = run("show").out.splitlines()
    assert header.split() == ["Target", "Name", "Condition", "Match", "In", "force", "Packets", "Dropped", "Left", "Owner"]
    assert first.startswith("netns:a  slow     delay 100ms")


def test_the_cost_of_an_older_hook_is_told(run: Run, two: World) -> None:
    assert "clsact" not in run("show").out
    two.kernel("a").hook = "clsact"
    lines = " ".join(run("show").out.split())
    assert "note: netns:a: clsact is used, not tcx (Linux 6.6): " in lines
    status = run("show", "netns:a", "--json").json[0]["status"]
    assert (status["hook"], status["problems"], len(status["notes"])) == ("clsact", [], 1)
    status = run("show", "netns:b", "--json").json[0]["status"]
    assert (status["hook"], status["notes"]) == ("tcx", [])


def test_counters_are_of_each_rule(run: Run, two: World) -> None:
    two.kernel("b").counters[0] = (1234, 99999, 1200)
    text = run("show", "netns:b").out
    assert "1,234" in text
    assert "1,200 dropped" in text


def test_what_lines_did_is_shown_by_cause(run: Run, two: World) -> None:
    two.kernel("a").counted = {0: LineCounts(dropped=95, loss=95, duplicated=3)}
    text = run("show", "netns:a").out
    assert "95 dropped" in text
    assert "95 by loss" in text
    assert "3 duplicated" in text
    two.kernel("a").counted = {0: LineCounts(dropped=95, loss=None, queue=None)}
    assert run("show", "netns:a", "--json").json[0]["status"]["rules"][0]["counters"]["loss"] is None


def test_packets_that_met_a_full_queue(run: Run, two: World) -> None:
    two.kernel("a").counted = {0: LineCounts(dropped=7, queue=7)}
    assert "note: netns:a, 'slow': 7 packets were dropped by the full queue" in run("show").out
    assert run("show", "netns:a", "--json").json[0]["status"]["queueDrops"] == 7


def test_what_a_peer_means_now_is_told(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = (Peer(ip_network("198.51.100.3"), "docker:db"), Peer(ip_network("2001:db8::3"), "docker:db"))
    monkeypatch.setattr(entries, "resolve_peers", lambda word, target: addresses)
    assert "docker:db = 198.51.100.3, 2001:db8::3" in run("set", "netns:a", "--to", "docker:db", "--delay", "1ms").out
    text = " ".join(run("show").out.split())
    assert "docker:db = 198.51.100.3" in text
    assert "2001:db8::3" in text


def test_json_is_a_list_of_conditions_with_status(run: Run, two: World) -> None:
    found = run("show", "--json").json
    assert [each["metadata"]["name"] for each in sorted(found, key=lambda each: str(each["spec"]["targets"]))] == [
        "slow",
        "default",
    ]
    slow = next(each for each in found if each["metadata"]["name"] == "slow")
    status = slow["status"]
    assert status["inForce"] is True
    assert status["conditions"] == [{"type": "InForce", "status": "True", "reason": "ReadBack", "message": ""}]
    assert status["expiresAt"].endswith("Z")
    assert 0 < status["remainingSeconds"] <= 600
    assert status["interfaces"] == ["eth0"]
    zeros = (
        "packets",
        "bytes",
        "dropped",
        "blocked",
        "loss",
        "trace",
        "mtu",
        "queue",
        "marked",
        "duplicated",
        "corrupted",
        "reordered",
    )
    assert status["rules"] == [{"counters": dict.fromkeys(zeros, 0)}]
    forever = next(each for each in found if each["metadata"]["name"] == "default")["status"]
    assert (forever["expiresAt"], forever["remainingSeconds"]) == (None, None)


def test_what_is_not_in_force_is_told_with_the_reason(run: Run, two: World) -> None:
    two.kernel("a").kill_pump()
    outcome = run("show", "netns:a")
    assert outcome.code == 0
    assert "NO" in outcome.out
    assert "problem: netns:a, 'slow': the pump is not running" in outcome.out
    assert "`netweather recover`" in outcome.out
    status = run("show", "netns:a", "--json").json[0]["status"]
    assert status["inForce"] is False
    assert status["problems"]


def test_our_own_drops_are_told(run: Run, two: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netweather.kernel.datapath.fake.FakeTarget.unwanted_drops", lambda self: 7)
    text = run("show", "netns:a").out
    assert "7 lost by us" in text
    assert "7 packets were lost by Netweather's own devices" in text


def test_watching_ends_with_ctrl_c(run: Run, two: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(waiting, "pause", pause)
    outcome = run("show", "--watch", "--json")
    assert outcome.code == 0
    assert [len(json.loads(line)) for line in outcome.out.splitlines()] == [2, 2]
    pauses.clear()
    assert run("show", "--watch").out.count("Target / Name") == 2


def test_root_is_needed(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(Engine, "show", lambda *_: pytest.fail("looked without root"))
    assert "[needs-root]" in run("show").err

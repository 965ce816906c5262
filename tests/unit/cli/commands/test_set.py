"""`set`: what is asked for, what is said, and what is refused."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run, World


def test_what_was_set_is_said(run: Run, world: World) -> None:
    outcome = run("set", "netns:a", "--delay", "100ms", "--to", "192.0.2.7", "--to", "198.51.100.0/24")
    assert outcome.code == 0
    first, *rest = outcome.out.splitlines()
    assert first.startswith("set 'default' on netns:a (eth0) for 10m, until ")
    assert rest == [
        "  delay 100ms: traffic to and from 192.0.2.7, 198.51.100.0/24, both ways",
        "  adds 200 ms to each round trip: 100 ms out, 100 ms back",
        "  engine pump: netem is not there, it was left out",
    ]
    assert world.kernel("a").lines.keys() == {0, 1}


def test_peers_that_were_looked_up_are_told(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from ipaddress import ip_network

    from netweather.engine import entries
    from netweather.targets import Peer

    found = (Peer(ip_network("192.0.2.7"), "db"), Peer(ip_network("198.51.100.0/24"), "db"))
    monkeypatch.setattr(entries, "resolve_peers", lambda word, target: found)
    outcome = run("set", "netns:a", "--delay", "100ms", "--to", "db")
    assert "  resolved once: db = 192.0.2.7, 198.51.100.0/24\n" in outcome.out


def test_the_same_again_renews_the_lease(run: Run, world: World) -> None:
    run("set", "netns:a", "--loss", "1%")
    assert run("set", "netns:a", "--loss", "1%").out.startswith("renewed 'default'")
    assert run("set", "netns:a", "--loss", "2%").out.startswith("set 'default'")


def test_a_profile_is_told_with_what_it_says(run: Run, world: World) -> None:
    lines = run("set", "netns:a", "--profile", "3g").out.splitlines()
    assert lines[1] == "  profile 3g: all traffic, both ways"
    assert lines[2].startswith("    egress: delay 150ms, rate ")
    assert lines[3].startswith("    ingress: delay 150ms, rate ")
    assert lines[4] == "  adds 300 ms to each round trip: 150 ms out, 150 ms back"


def test_surprises_are_remarks(run: Run, world: World) -> None:
    outcome = run("set", "netns:a", "--delay", "100ms", "--jitter", "20ms")
    assert "note: each direction: jitter reorders packets" in outcome.err
    run("set", "netns:a", "--loss", "1%", "--name", "second")
    assert run("set", "netns:a", "--delay", "100ms", "--jitter", "20ms", "--keep-order").err.startswith(
        "note: 'default' comes before"
    )


def test_a_dry_run_prints_the_plan_and_does_nothing(run: Run, world: World) -> None:
    outcome = run("set", "netns:a", "--delay", "100ms", "--dry-run")
    assert outcome.out.startswith("would set 'default' on netns:a")
    assert "    1. create Netweather's own network namespace for this target\n" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80
    assert world.kernel("a").attached == {}
    assert "no conditions" in run("show").out


def test_json_is_the_object_with_its_status(run: Run, world: World) -> None:
    found = run("set", "netns:a", "netns:b", "--delay", "100ms", "--for", "1h", "--owner", "me", "--json").json
    assert found["kind"] == "NetworkCondition"
    assert found["spec"]["targets"] == ["netns:a", "netns:b"]
    assert found["spec"]["owner"] == "me"
    status = found["status"]
    assert (status["inForce"], status["dryRun"], status["remainingSeconds"]) == (True, False, 3600)
    assert [each["target"]["reference"] for each in status["targets"]] == ["netns:a", "netns:b"]


def test_json_of_a_dry_run_has_the_plan(run: Run, world: World) -> None:
    status = run("set", "netns:a", "--loss", "1%", "--dry-run", "--json").json["status"]
    assert (status["inForce"], status["dryRun"]) == (False, True)
    assert status["targets"][0]["plan"][-1].startswith("attach to eth0")


def test_what_json_says_can_be_set_again(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    text = run("set", "netns:a", "--loss", "1%", "--json").out
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert run("set", "-f", "-").out.startswith("renewed 'default' on netns:a")


def test_a_file_of_several_conditions(run: Run, world: World, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "{name: one, targets: ['netns:a'], rules: [{condition: {loss: 1%}}]}\n---\n"
        "{name: two, targets: ['netns:a', 'netns:b'], rules: [{condition: {rate: 1mbit}}]}\n"
    )
    outcome = run("set", "-f", str(file), "--for", "1m", "--reason", "why not", "--owner", "me")
    assert outcome.code == 0
    assert [line for line in outcome.out.splitlines() if line.startswith("set ")][1].startswith(
        "set 'two' on netns:a (eth0), netns:b (eth0) for 1m"
    )
    found = run("set", "-f", str(file), "--owner", "me", "--json").json
    assert found["kind"] == "List"
    assert [item["metadata"]["name"] for item in found["items"]] == ["one", "two"]
    shown = run("show", "--json").json
    assert {each["spec"]["owner"] for each in shown} == {"me"}


def test_the_command_lines_targets_take_the_files_place(run: Run, world: World, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("{targets: ['netns:a'], rules: [{condition: {loss: 1%}}]}")
    assert " on netns:b (eth0) " in run("set", "netns:b", "-f", str(file)).out


def test_settings_are_the_defaults(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWEATHER_OWNER", "ci")
    monkeypatch.setenv("NETWEATHER_LEASE", "2m")
    spec = run("set", "netns:a", "--loss", "1%", "--json").json["spec"]
    assert (spec["owner"], spec["lease"]) == ("ci", "2m")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["netns:a", "--loss", "3"], "bad-percent"),
        (["netns:a", "--rate", "10mbps"], "bad-rate"),
        (["netns:a", "--delay", "-5ms"], "bad-duration"),
        (["netns:a", "--loss", "100.1%"], "bad-percent"),
        (["netns:a", "--delay"], "missing-value"),
        (["netns:a"], "no-condition"),
        (["netns:a", "--port", "80"], "no-condition"),
        (["--delay", "1s"], "missing-target"),
        (["foo:bar", "--delay", "1s"], "unknown-scheme"),
        (["bar", "--delay", "1s"], "scheme-missing"),
        (["netns:a", "--delay", "100ms", "20ms"], "stray-value"),
        (["netns:a", "--loss", "1%", "25%"], "stray-value"),
        (["netns:a", "--delay", "1s", "--rtt", "2s"], "conflicting-flags"),
        (["netns:a", "--jitter", "1s"], "missing-flag"),
        (["netns:a", "-f", "x", "--delay", "1s"], "conflicting-flags"),
        (["-f", "/nonexistent"], "no-file"),
        (["netns:a", "--profile", "3gg"], "unknown-profile"),
        (["netns:a", "--delay", "1s", "--for", "0"], "bad-lease"),
        (["netns:a", "--delay", "1s", "--direction", "in"], "unknown-value"),
        (["host", "--delay", "1s"], "host-not-confirmed"),
    ],
)
def test_wrong_words_are_told_before_anything_is_tried(run: Run, world: World, words: list[str], code: str) -> None:
    outcome = run("set", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"[{code}]" in outcome.err
    assert "  remedy  " in outcome.err
    assert all(kernel.attached == {} for kernel in world.kernels.values())
    assert run("set", *words, "--json").json["code"] == code


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["netns:nope", "--delay", "1s"], "unknown-target"),
        (["netns:a", "--delay", "1s", "--interface", "eth7"], "no-interface"),
        (["netns:a", "--delay", "1s", "--engine", "netem"], "engine-cannot"),
    ],
)
def test_what_cannot_be_done_is_exit_1(run: Run, world: World, words: list[str], code: str) -> None:
    outcome = run("set", *words)
    assert outcome.code == 1
    assert f"[{code}]" in outcome.err


def test_wrong_words_come_before_the_lack_of_root(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "[bad-percent]" in run("set", "netns:a", "--loss", "3").err
    outcome = run("set", "netns:a", "--loss", "3%")
    assert outcome.code == 1
    assert "[needs-root]" in outcome.err


def test_a_file_without_a_target(run: Run, world: World, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("rules: [{condition: {loss: 1%}}]")
    assert "[missing-target]" in run("set", "-f", str(file)).err


def test_two_conditions_of_one_name_and_target(run: Run, world: World, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    one = "{targets: ['netns:a'], rules: [{condition: {loss: 1%}}]}\n"
    file.write_text(f"{one}---\n{one}")
    assert "[repeated-name]" in run("set", "-f", str(file)).err


def test_the_host_with_yes(run: Run, world: World) -> None:
    assert run("set", "host", "--delay", "1s", "--dry-run").code == 0
    assert run("set", "host", "--delay", "1s", "--yes").out.startswith("set 'default' on host (eth0)")

"""`partition`: groups in one call, on all targets or on none, ended by name."""

from __future__ import annotations

import pytest

from netweather.kernel.datapath.fake import FakeTarget
from netweather.kernel.datapath.operations import Operation
from tests.unit.cli.conftest import Run, World


def rules(run: Run) -> dict[str, list[tuple[str, ...]]]:
    """By target: (direction, *peers) of each rule."""
    return {
        each["status"]["target"]["reference"]: [(rule["direction"], *rule["to"]) for rule in each["spec"]["rules"]]
        for each in run("show", "--json").json
    }


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the references mean as peers; their namespaces are files here."""
    from ipaddress import ip_network

    from netweather.engine import entries
    from netweather.targets import Peer

    known = {"netns:a": "192.0.2.1/32", "netns:b": "192.0.2.2/32", "netns:c": "192.0.2.3/32"}
    monkeypatch.setattr(entries, "resolve_peers", lambda word, target: (Peer(ip_network(known.get(word, word)), word),))


def test_one_call_and_its_end(run: Run, world: World) -> None:
    outcome = run("partition", "netns:a,netns:b", "netns:c,198.51.100.7", "--for", "1m")
    assert outcome.code == 0
    assert "set 'partition' on netns:a (eth0), netns:b (eth0) for 1m" in outcome.out
    far = ("both", "netns:c", "198.51.100.7")
    assert rules(run) == {"netns:a": [far], "netns:b": [far]}
    assert sorted(run("clear", "--all", "--name", "partition").out.splitlines()) == [
        "cleared 'partition' on netns:a", "cleared 'partition' on netns:b",
    ]  # fmt: skip


def test_one_way_with_a_name_and_a_port(run: Run, world: World) -> None:
    words = ("--one-way", "--name", "split", "--port", "5432", "--block", "reject", "--json")
    document = run("partition", "netns:a", "netns:b", *words).json
    (rule,) = document["spec"]["rules"]
    assert (document["metadata"]["name"], rule["direction"], rule["ports"]) == ("split", "egress", [5432])
    assert rule["condition"] == {"block": "reject"}


def test_none_when_one_fails(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = FakeTarget.apply

    def failing(self: FakeTarget, operation: Operation) -> None:
        if self.kernel is world.kernel("b"):
            raise OSError(5, "planted")
        whole(self, operation)

    with monkeypatch.context() as planted:
        planted.setattr(FakeTarget, "apply", failing)
        assert run("partition", "netns:a,netns:b", "netns:c").code == 1
    assert world.kernel("a").attached == {}
    assert run("show", "--json").json == []


def test_a_dry_run_touches_nothing(run: Run, world: World) -> None:
    assert "would set 'partition'" in run("partition", "netns:a", "netns:b", "--dry-run").out
    assert run("show", "--json").json == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("netns:a",), "bad-partition"),
        (("netns:a", "host"), "bad-partition"),
        (("netns:a,netns:a", "netns:b"), "repeated-member"),
        (("fd00::1", "198.51.100.7"), "bad-partition"),
        (("netns:a", "netns:b", "--block", "maybe"), "unknown-value"),
        (("netns:a", "netns:b", "--delay", "1s"), "unknown-option"),
    ],
)
def test_wrong_words(run: Run, world: World, words: tuple[str, ...], code: str) -> None:
    outcome = run("partition", *words)
    assert (outcome.code, f"[{code}]" in outcome.err) == (2, True), outcome.err

"""`set --verify`: what does not hold is undone, what can't be told stays."""

from __future__ import annotations

import pytest

from tests.unit.cli.commands.test_verify import BAD, GOOD, OPEN, made_up
from tests.unit.cli.conftest import Run, World


def test_what_holds_stays(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up(monkeypatch, GOOD)
    outcome = run("set", "netns:a", "--delay", "100ms", "--verify")
    assert outcome.code == 0
    assert "'default': PASS" in outcome.out
    assert run("show", "--json").json != []


def test_what_does_not_hold_is_undone(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up(monkeypatch, GOOD, BAD)
    outcome = run("set", "netns:a", "--delay", "100ms", "--verify")
    assert outcome.code == 1
    assert "not-proved" in outcome.err
    assert "1 Mbit/s requested, 2 Mbit/s measured" in " ".join(outcome.err.split())
    assert run("show", "--json").json == []


def test_what_was_there_before_is_put_back(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run("set", "netns:a", "--delay", "5ms")
    made_up(monkeypatch, BAD)
    assert run("set", "netns:a", "--delay", "100ms", "--verify").code == 1
    assert run("show", "--json").json[0]["spec"]["rules"][0]["condition"]["delay"]["time"] == "5ms"


def test_what_cannot_be_told_stays_and_is_said(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up(monkeypatch, OPEN)
    outcome = run("set", "netns:a", "--delay", "100ms", "--verify")
    assert (outcome.code, "CAN'T TELL" in outcome.out) == (3, True)
    assert run("show", "--json").json != []


def test_json_has_the_evidence_in_its_status(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up(monkeypatch, GOOD)
    document = run("set", "netns:a", "--delay", "100ms", "--verify", "--json").json
    assert document["status"]["evidence"][0]["verdict"] == "PASS"
    assert "evidence" not in run("set", "netns:b", "--delay", "100ms", "--json").json["status"]


def test_a_dry_run_proves_nothing(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = made_up(monkeypatch, GOOD)
    assert run("set", "netns:a", "--delay", "100ms", "--verify", "--dry-run").code == 0
    assert asked == []

"""`recover`: what it says of what it took away."""

from __future__ import annotations

import io

import pytest

from netweather.engine import recovery
from netweather.kernel import keeper_process
from netweather.results import Recovered
from tests.unit.cli.conftest import Run, World


def test_nothing_to_recover(run: Run, world: World) -> None:
    assert run("recover").out == "nothing to recover\n"
    assert run("recover", "--json").json == []


def test_what_nobody_keeps_is_taken_away_and_told(run: Run, world: World) -> None:
    run("set", "netns:a", "--loss", "1%", "--name", "orphan")
    outcome = run("recover")
    assert outcome.out == "recovered a: orphan\n"
    assert world.kernel("a").attached == {}
    run("set", "netns:a", "--loss", "1%", "--name", "orphan")
    assert run("recover", "--json").json == [{"target": "a", "what": "orphan", "recovered": True}]


ELSEWHERE = "in force, but not from this state directory"


def test_what_is_left_alone_is_told(run: Run, world: World) -> None:
    """It never says that there is nothing to recover while something is in force."""
    world.strays.append(Recovered("/run/netns/x", ELSEWHERE, taken=False, forcible=True, identity="4-1"))
    outcome = run("recover")
    assert outcome.out == "nothing was recovered: the notes say what was left alone\n"
    assert " ".join(outcome.err.split()) == (
        f"note: left alone /run/netns/x: {ELSEWHERE} (managed by no visible process); --force removes it"
    )
    assert run("recover", "--json").json[0]["recovered"] is False


def test_what_is_kept_is_told(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run("set", "netns:a", "--loss", "1%", "--name", "slow")
    monkeypatch.setattr(keeper_process, "kept_by_another", lambda _: True)
    outcome = run("recover")
    assert outcome.err == "note: left alone a: slow: in force, and kept by a living process\n"
    assert world.kernel("a").attached


def test_force_asks_and_without_a_terminal_needs_yes(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.strays.append(Recovered("/run/netns/x", ELSEWHERE, taken=False, forcible=True, identity="4-1"))
    forced: list[list[str]] = []
    monkeypatch.setattr(recovery, "strays", lambda _, force: forced.append(list(force)) or list(world.strays))
    outcome = run("recover", "--force")
    assert outcome.code == 2
    assert "[force-not-confirmed]" in outcome.err
    assert "removes what is in force in /run/netns/x" in outcome.err
    for answer, code in (("n\n", 2), ("", 2), ("y\n", 0)):
        terminal = io.StringIO(answer)
        monkeypatch.setattr(terminal, "isatty", lambda: True)
        monkeypatch.setattr("sys.stdin", terminal)
        assert run("recover", "--force").code == code
    assert [each for each in forced if each] == [["/run/netns/x"]]
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert run("recover", "--force", "--yes").code == 0
    assert [each for each in forced if each] == [["/run/netns/x"]] * 2


def test_it_takes_no_arguments(run: Run, world: World) -> None:
    outcome = run("recover", "netns:a")
    assert outcome.code == 2
    assert "[extra-argument]" in outcome.err

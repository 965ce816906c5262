"""`recover`: what it says of what it took away."""

from __future__ import annotations

from netweather.engine import Recovered
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


def test_what_is_left_alone_is_told(run: Run, world: World) -> None:
    world.strays.append(Recovered("/run/netns/x", "in force, but not from this state directory", taken=False))
    outcome = run("recover")
    assert outcome.out == "nothing to recover\n"
    assert " ".join(outcome.err.split()) == (
        "note: left alone /run/netns/x: in force, but not from this state directory; --force takes it away"
    )
    assert run("recover", "--json").json[0]["recovered"] is False


def test_it_takes_no_arguments(run: Run, world: World) -> None:
    outcome = run("recover", "netns:a")
    assert outcome.code == 2
    assert "[extra-argument]" in outcome.err

"""Several targets: all, or none and everything as it was."""

from __future__ import annotations

import pytest

from netweather.engine import Engine
from netweather.errors import NetweatherError
from netweather.results import SetResult
from netweather.targets import Target
from tests.unit.cli.conftest import Run, World

SET = Engine.set


@pytest.fixture
def third_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only when it is done: planning it works."""

    def failing(self: Engine, target: Target, condition: object, *, dry_run: bool = False) -> SetResult:
        if target.name == "c" and not dry_run:
            raise NetweatherError("not-in-force", "the kernel does not hold what was asked", "so it is", "try again")
        return SET(self, target, condition, dry_run=dry_run)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(Engine, "set", failing)


@pytest.mark.usefixtures("third_fails")
def test_one_failure_puts_all_back(run: Run, world: World) -> None:
    run("set", "netns:a", "--delay", "5ms", "--name", "x", "--for", "5m")
    before = run("show", "--json").json
    outcome = run("set", "netns:a", "netns:b", "netns:c", "--loss", "1%", "--name", "x")
    assert outcome.code == 1
    assert "error: netns:c: the kernel does not hold what was asked [not-in-force]" in outcome.err
    assert "2 targets were put back as before" in outcome.err
    assert outcome.out == ""
    (after,) = run("show", "--json").json
    assert after["spec"]["rules"] == before[0]["spec"]["rules"]
    assert 0 < after["status"]["remainingSeconds"] <= before[0]["status"]["remainingSeconds"]
    assert world.kernel("b").attached == {}


@pytest.mark.usefixtures("third_fails")
def test_what_cannot_be_put_back_is_told(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise NetweatherError("busy", "another command is changing this target")

    monkeypatch.setattr(Engine, "put_back", broken)
    outcome = run("set", "netns:b", "netns:c", "--loss", "1%")
    assert "netns:b could not be put back: another command is changing this target" in outcome.err


def test_what_is_known_to_fail_fails_before_anybody_is_touched(run: Run, world: World) -> None:
    run("set", "netns:b", "--delay", "5ms", "--owner", "bob")
    outcome = run("set", "netns:a", "netns:b", "--loss", "1%", "--owner", "me")
    assert outcome.code == 1
    assert "[other-owner]" in outcome.err
    assert "no target was changed" in outcome.err
    assert world.kernel("a").attached == {}


@pytest.mark.usefixtures("third_fails")
def test_one_target_alone_fails_in_the_engines_words(run: Run, world: World) -> None:
    error = run("set", "netns:c", "--loss", "1%").err
    assert error.startswith("error: the kernel does not hold what was asked [not-in-force]\n")
    assert "put back" not in error


def test_ctrl_c_in_between_puts_back_too(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Engine, target: Target, condition: object, *, dry_run: bool = False) -> SetResult:
        if target.name == "b" and not dry_run:
            raise KeyboardInterrupt
        return SET(self, target, condition, dry_run=dry_run)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(Engine, "set", interrupted)
    assert run("set", "netns:a", "netns:b", "--loss", "1%").code == 130
    assert world.kernel("a").attached == {}

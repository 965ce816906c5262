"""`set --wait`: until a signal, the lease's end or somebody's clear; and nothing is left in any case."""

from __future__ import annotations

import os
import signal

import pytest

from netweather.cli import foreground
from netweather.engine.core import Engine
from netweather.settings import Settings
from tests.unit.cli.conftest import Run, World


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_clears(run: Run, world: World, monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    before = signal.getsignal(number)

    def pause(seconds: float) -> None:
        assert world.kernel("a").attached
        os.kill(os.getpid(), number)

    monkeypatch.setattr(foreground, "pause", pause)
    outcome = run("set", "netns:a", "--loss", "1%", "--wait", "--json")
    assert outcome.code == 0
    assert outcome.json["status"]["inForce"] is True
    assert "cleared: 'default' on netns:a" in outcome.err
    assert world.kernel("a").attached == {}
    assert signal.getsignal(number) is before


def test_somebody_else_clears(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def pause(seconds: float) -> None:
        with world.resolve(["netns:a"])[0] as target:
            Engine(Settings.load(), world.open_kernel).clear(target)

    monkeypatch.setattr(foreground, "pause", pause)
    assert "ended: the condition is not in force any more" in run("set", "netns:a", "--loss", "1%", "--wait").err


def test_the_lease_ends(run: Run, world: World) -> None:
    outcome = run("set", "netns:a", "--loss", "1%", "--wait", "--for", "1ms")
    assert outcome.code == 0
    assert world.kernel("a").attached == {}


def test_what_could_not_be_set_is_not_waited_for(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreground, "pause", lambda seconds: pytest.fail("waited"))
    run("set", "netns:a", "--delay", "1s", "--owner", "bob")
    outcome = run("set", "netns:a", "--loss", "1%", "--wait", "--owner", "me")
    assert outcome.code == 1
    assert "[other-owner]" in outcome.err
    assert world.kernel("a").attached.keys() == {"eth0"}  # bob's

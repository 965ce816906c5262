"""testing/trials.py and testing/places.py: one run of a command, on the network of a target and on one of its own."""

from __future__ import annotations

import os

import pytest

from netweather.errors import NetweatherError
from netweather.service import LocalService
from netweather.testing.places import Here, Own
from netweather.testing.trials import TrialNetwork, trial
from tests.support.rig import Rig

SERVER = "192.0.2.2"
SLOW = TrialNetwork("slow", None, {"delay": "40ms", "to": SERVER})


def ping(rig: Rig, *words: str) -> list[str]:
    return ["ip", "netns", "exec", rig.net.client.name, "ping", "-c2", "-i0.05", *words, SERVER]


def test_the_network_of_a_target_is_bad_while_it_runs(rig: Rig) -> None:
    place = Here((rig.target.reference,), LocalService(rig.engine))
    done = trial(place, SLOW, ping(rig))
    assert (done.code, done.passed, done.problem) == (0, True, "")
    assert "min/avg" in done.output
    assert float(done.output.split("mdev = ")[1].split("/")[0]) >= 80
    (evidence,) = done.evidence
    assert (evidence["packets"], evidence["target"], evidence["inForce"]) == (4, rig.target.reference, True)
    rig.until_nothing_remains()


def test_the_network_as_it_is(rig: Rig) -> None:
    done = trial(
        Here((rig.target.reference,), LocalService(rig.engine)),
        TrialNetwork("perfect", bad=False),
        ["sh", "-c", "echo $NETWEATHER_NETWORK; exit 3"],
    )
    assert (done.code, done.output, done.evidence) == (3, "perfect\n", ())


def test_one_that_takes_too_long_is_killed(rig: Rig) -> None:
    done = trial(Here((rig.target.reference,), LocalService(rig.engine)), SLOW, ping(rig, "-c9999"), patience=0.5)
    assert (done.code, done.passed) == (None, False)
    assert done.seconds >= 0.5
    rig.until_nothing_remains()


def test_a_network_that_nothing_met(rig: Rig) -> None:
    done = trial(Here((rig.target.reference,), LocalService(rig.engine)), SLOW, ["true"])
    assert "no packet matched it" in done.problem
    assert done.passed


def test_a_command_that_is_not_there_leaves_nothing(rig: Rig) -> None:
    with pytest.raises(NetweatherError, match="can't be run"):
        trial(Here((rig.target.reference,), LocalService(rig.engine)), SLOW, ["netweather-no-such"])
    rig.until_nothing_remains()


def test_an_own_network_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NetweatherError, match="needs root"):
        trial(Own(), SLOW, ["true"])

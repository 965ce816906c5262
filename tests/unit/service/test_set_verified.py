"""What a proof makes of evidence; that all is undone then is `set_all`'s (test_setting), and what is printed the command line's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netweather.conditions import NetworkCondition
from netweather.engine import Engine
from netweather.engine.transaction import Check
from netweather.engine.verification import silent
from netweather.errors import NetweatherError
from netweather.measure import Figure
from netweather.service.callers import DIRECT
from netweather.service.set_verified import proof
from netweather.settings import Settings
from netweather.targets import Target
from tests.unit.cli.commands.test_verify import BAD, GOOD, OPEN, made_up
from tests.unit.service.conftest import may

SLOW = NetworkCondition(name="slow")
TARGET = Target("netns:a", "a", -1, 1, 1, None, None, "netns")


@pytest.fixture
def check() -> Check:
    return proof(Engine(Settings()), silent)


@pytest.mark.parametrize("figure", [GOOD, OPEN], ids=["holds", "can't tell"])
def test_what_does_not_fail_is_evidence(check: Check, monkeypatch: pytest.MonkeyPatch, figure: Figure) -> None:
    asked = made_up(monkeypatch, figure)
    (found,) = check(TARGET, SLOW)
    assert (found.measured[0].figures, asked[0].name) == ((figure,), "slow")


def test_what_does_not_hold_is_told_with_its_reasons(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up(monkeypatch, GOOD, BAD, problems=("the device nw0 is gone",))
    with pytest.raises(NetweatherError) as wrong:
        check(TARGET, SLOW)
    assert wrong.value.code == "not-proved"
    assert wrong.value.why == "the device nw0 is gone; rate egress: 1 Mbit/s requested, 2 Mbit/s measured"


def test_nothing_is_measured_for_who_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    made_up(monkeypatch, GOOD)
    heard: list[float] = []
    with pytest.raises(NetweatherError, match="not-proved") as wrong:
        proof(Engine(Settings()), lambda share, text: heard.append(share), replace(DIRECT, gone=lambda: True))(TARGET, SLOW)
    assert (wrong.value.code, heard) == ("not-proved", [])


@pytest.mark.parametrize(("scope", "allowed"), [("set:netns:a*", True), ("set:netns:b*", False)])
def test_only_what_the_caller_may_change_is_entered(monkeypatch: pytest.MonkeyPatch, scope: str, allowed: bool) -> None:
    asked = made_up(monkeypatch, GOOD)
    proof(Engine(Settings()), silent, may(scope))(TARGET, SLOW)
    assert asked[0].may_enter([TARGET]) is allowed

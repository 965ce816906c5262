"""Scenarios as verbs of the service: who may play one, and what is played in this very process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from netweather.conditions.scenario import Scenario, load_scenario
from netweather.engine.scenario_store import Playbook
from netweather.errors import NetweatherError
from netweather.service import LocalService
from tests.unit.service.conftest import may, slow
from tests.unit.service.test_callbacks import Noted


def evening(*steps: dict[str, Any], **more: Any) -> Scenario:
    return load_scenario({"name": "evening", "targets": ["netns:a"], "length": "1h", "steps": list(steps), **more})


NOW = {"at": "0s", "condition": {"delay": "1ms"}}


@pytest.fixture
def plays(service: LocalService) -> Iterator[LocalService]:
    yield service
    service.played.stop_all()


@pytest.mark.parametrize(
    "later",
    [
        {"targets": ["netns:b"], "condition": {"delay": "1ms"}},
        {"to": ["netns:b"], "condition": {"delay": "1ms"}},
        {"partition": [["netns:a"], ["netns:b"]]},
    ],
    ids=["target", "peer", "partition"],
)
def test_who_may_not_play_a_later_step_begins_none(plays: LocalService, later: dict[str, Any]) -> None:
    noted = Noted()
    asks = replace(plays, caller=may("set:netns:a"), callbacks=noted)
    with pytest.raises(NetweatherError) as refused:
        asks.run_scenario(evening(NOW, {"at": "30m", **later}))
    assert refused.value.code == "not-allowed"
    assert noted.calls == ["scenario-run not-allowed"]
    assert plays.scenarios() == plays.show() == []


def test_a_later_target_may_be_still_to_come(plays: LocalService) -> None:
    asks = replace(plays, caller=may("set:netns:a", "set:netns:c"))
    steps = (NOW, {"at": "30m", "targets": ["netns:c"], "condition": {"delay": "1ms"}})
    assert asks.run_scenario(evening(*steps))["status"]["state"] == "playing"
    assert [each.condition.owner for each in plays.show()] == ["ci"]


def test_who_may_not_read_is_told_of_none(plays: LocalService) -> None:
    for asks in (
        lambda: replace(plays, caller=may("set")).scenarios(),
        lambda: replace(plays, caller=may("read")).turn_scenario("x", "stop"),
    ):
        with pytest.raises(NetweatherError) as refused:
            asks()
        assert refused.value.code == "not-allowed"


def test_a_file_of_this_machine_is_named_by_no_step(plays: LocalService) -> None:
    later = {"at": "30m", "targets": ["netns:/x"], "condition": {"delay": "1ms"}}
    with pytest.raises(NetweatherError) as refused:
        replace(plays, caller=may("read", "set")).run_scenario(evening(later))
    assert refused.value.code == "path-refused"


def test_here_nothing_is_written_down(plays: LocalService) -> None:
    """Leases end what a killed command leaves, and no agent goes on with it."""
    heard: list[str] = []
    document = plays.run_scenario(evening(NOW), lambda kind, data: heard.append(kind))
    assert document["status"]["inForce"] == [{"target": "netns:a", "name": "evening.step-1"}]
    assert Playbook(plays.engine.settings.state).names() == []
    assert plays.turn_scenario("evening", "stop")["status"]["state"] == "stopped"
    assert heard == ["scenario-started", "scenario-stepped", "scenario-stopped"]
    assert plays.show() == []


def test_what_is_renewed_is_no_line_of_the_log(plays: LocalService) -> None:
    noted = Noted()
    asks = replace(plays, callbacks=noted)
    asks.run_scenario(evening(NOW))
    noted.calls.clear()
    conditions = [each.condition for each in asks.show()]
    asks.renew(conditions)
    assert noted.calls == ["renewed by root"]
    with pytest.raises(NetweatherError) as refused:
        replace(asks, caller=may("set:netns:b")).renew(conditions)
    assert refused.value.code == "not-allowed"


def test_the_end_of_all_conditions_is_theirs_and_that_of_one_is_not(plays: LocalService) -> None:
    plays.run_scenario(evening(NOW))
    plays.set([slow("netns:b", name="other")])
    plays.clear(name="other")
    assert plays.scenarios("evening")[0]["status"]["state"] == "playing"
    plays.clear(owner="ann")
    assert plays.scenarios("evening")[0]["status"]["state"] == "playing"
    replace(plays, caller=may("set")).clear()
    assert plays.scenarios("evening")[0]["status"]["state"] == "playing", "it is not theirs"
    plays.clear()
    assert plays.scenarios("evening")[0]["status"]["state"] == "stopped"

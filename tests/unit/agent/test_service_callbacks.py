"""What the agent does besides, when its service sets, renews and plays."""

from __future__ import annotations

import logging

import pytest

from netweather.agent.agent import AGENT
from netweather.conditions import load
from netweather.conditions.scenario import Scenario
from tests.unit.agent.conftest import Api, document


def test_what_is_renewed_is_remembered_and_told_to_nobody(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered: list[str] = []
    monkeypatch.setattr(api.agent.standing, "remember", lambda condition, caller: remembered.append(condition.name))
    service, listener = api.agent.service(AGENT), api.agent.events.listen()
    service.set([load(document())])
    assert (remembered, listener._queue.qsize()) == (["slow"], 1)
    service.renew([load(document())])
    assert (remembered, listener._queue.qsize()) == (["slow", "slow"], 1)
    assert [line["action"] for line in api.audit()] == ["set"]


def test_a_scenario_that_failed_is_in_the_log_and_an_event(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    listener = api.agent.events.listen()
    with caplog.at_level(logging.WARNING):
        for kind in ("scenario-stopped", "scenario-failed"):
            api.agent.callbacks.scenario_changed(Scenario("evening", owner="ann"), kind, {"why": "it rained"})
    events = [listener._queue.get_nowait() for _ in range(2)]
    assert [each and each.kind for each in events] == ["scenario-stopped", "scenario-failed"]
    assert all(each and each.data == {"scenario": "evening", "owner": "ann", "why": "it rained"} for each in events)
    assert [record.args for record in caplog.records] == [("evening", "it rained")]

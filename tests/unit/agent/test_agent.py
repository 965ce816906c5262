"""The agent without HTTP: what it does with what is asked, and who may have it done."""

from __future__ import annotations

import pytest

from netweather.agent.agent import Agent
from netweather.conditions import load
from netweather.errors import NetweatherError
from netweather.service.callers import Caller
from netweather.wire.machine_documents import HEALTH

ROOT = Caller("root", frozenset({"read", "set", "host"}), root=True)
SLOW = {"name": "slow", "targets": ["netns:a"], "rules": [{"condition": {"delay": "100ms"}}]}


def test_setting_keeps_the_target(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, looked = [], []
    monkeypatch.setattr(agent.engine, "keep", lambda directory, fd, state: kept.append(directory.name))
    monkeypatch.setattr(agent.keeping, "look", looked.append)
    agent.service(ROOT).set([load(SLOW)])
    assert kept == looked == agent.engine.journal.identities()


def test_what_fails_is_looked_at_too(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(agent.keeping, "look", looked.append)
    monkeypatch.setattr(agent.engine, "keep", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        agent.service(ROOT).set([load(SLOW)])
    assert looked


def test_the_owner_of_a_users_is_the_user(agent: Agent) -> None:
    agent.service(Caller("ann", frozenset({"set"}))).set([load(SLOW)])
    assert agent.service(ROOT).show()[0].condition.owner == "ann"
    with pytest.raises(NetweatherError) as wrong:
        agent.service(ROOT).set([load(SLOW)])
    assert wrong.value.code == "other-owner"


def test_health(agent: Agent) -> None:
    health = HEALTH.write(agent)
    assert (health["status"], health["targets"], health["uptimeSeconds"] >= 0) == ("ok", 0, True)


def test_doctor(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    from netweather.kernel.features import features

    monkeypatch.setattr(features, "probe_all", lambda state: [])
    assert agent.doctor().findings == []

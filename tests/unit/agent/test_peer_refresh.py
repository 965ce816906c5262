"""What peers mean now is put in force, and only what can change is asked for."""

from __future__ import annotations

import os
import queue
from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from netweather.agent.agent import Agent
from netweather.agent.peer_refresh import Peering, changing
from netweather.conditions import load
from netweather.engine import entries
from netweather.targets import Peer, Target
from tests.support.rig import until
from tests.support.world import World
from tests.unit.agent.test_agent import ROOT, SLOW


class Told:
    """Sets that the test puts in."""

    def __init__(self, words: Iterable[str], target: Target) -> None:
        self.sets: queue.Queue[Any] = queue.Queue()
        self.closed = False

    def __iter__(self) -> Iterator[Any]:
        return iter(self.sets.get, None)

    def close(self) -> None:
        self.closed = True
        self.sets.put(None)


@pytest.fixture
def peering(agent: Agent, world: World, monkeypatch: pytest.MonkeyPatch) -> Peering:
    """A condition to db.example.org, which was 192.0.2.7, and to an address."""
    found = {"db.example.org": "192.0.2.7", "198.51.100.1": "198.51.100.1"}
    monkeypatch.setattr(entries, "resolve_peers", lambda word, *_: (Peer(ip_network(found[word]), word),))
    agent.service(ROOT).set([load({**SLOW, "rules": [{"to": list(found), "condition": {"delay": "1s"}}]})])
    return Peering(agent.keeping.engine, agent.events, Told)


def follow(agent: Agent, peering: Peering, world: World) -> tuple[str, Told]:
    (identity,) = agent.engine.journal.identities()
    entry = agent.engine.journal.read(identity)
    assert entry is not None
    assert changing(entry) == ("db.example.org",)
    fd = os.open(world.path("a"), os.O_RDONLY)
    peering.follow(entry.target, fd, changing(entry))
    os.close(fd)
    told: Told = peering._asking[identity].peers
    return identity, told


def meant(agent: Agent) -> list[str]:
    (shown,) = agent.service(ROOT).show()
    return list(shown.peers["db.example.org"])


def test_other_addresses_are_put_in_force(agent: Agent, peering: Peering, world: World) -> None:
    identity, told = follow(agent, peering, world)
    with agent.events.listen() as listener:
        told.sets.put({"db.example.org": (ip_network("192.0.2.9"),)})
        until(lambda: meant(agent) == ["192.0.2.9/32"], 20, "it means the other address")
        event = listener._queue.get_nowait()
    assert event is not None
    assert event.kind == "peers-changed"
    peering.drop(identity)
    assert told.closed
    assert peering.words(identity) == ()


def test_a_name_that_does_not_resolve_keeps_what_it_meant(agent: Agent, peering: Peering, world: World) -> None:
    _, told = follow(agent, peering, world)
    told.sets.put({"db.example.org": ()})
    told.sets.put(None)
    until(lambda: not next(iter(peering._asking.values())).thread.is_alive(), 20, "it was looked at")
    assert meant(agent) == ["192.0.2.7/32"]

"""Conditions end for who owns them; what cannot be done on one target is in its answer."""

from __future__ import annotations

import pytest

from netweather.engine import Cleared, Engine
from netweather.errors import NetweatherError
from tests.unit.agent.conftest import Api


def test_only_the_own_ones_end(api: Api) -> None:
    api.put("mine", who="all")
    api.put("theirs", who="other")
    assert api("DELETE", "/v1/conditions", who="all").json() == {"items": [{"target": "netns:a", "cleared": ["mine"]}]}
    assert api.names() == [("netns:a", "theirs")]


def test_by_owner(api: Api) -> None:
    api.put("one", owner="ann")
    api.put("two", owner="bob")
    api("DELETE", "/v1/conditions", params={"owner": "ann", "target": "netns:a"})
    assert api.names() == [("netns:a", "two")]


def test_a_name_that_is_not_there(api: Api) -> None:
    answer = api("DELETE", "/v1/conditions/none", params={"target": "netns:a"})
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-condition")
    assert api("DELETE", "/v1/conditions", params={"target": "netns:a"}).json()["items"] == [{"target": "netns:a", "cleared": []}]


def test_a_target_that_is_gone(api: Api) -> None:
    api.put("slow", "netns:b")
    api.world.path("b").rename(api.world.folder / "elsewhere")
    answer = api("DELETE", "/v1/conditions/slow", params={"target": "netns:b"})
    assert answer.json() == {"items": [{"target": "netns:b", "cleared": ["slow"]}]}
    assert api("DELETE", "/v1/conditions/slow", params={"target": "netns:b"}).json()["code"] in (
        "unknown-target",
        "no-such-condition",
    )


def test_what_fails_on_one_target(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.put("slow", "netns:a", "netns:b")
    whole = Engine.end_conditions
    (first, _) = api.agent.engine.journal.identities()

    def failing(self: Engine, identity: str, *words: str, **named: str) -> Cleared:
        if identity == first:
            raise NetweatherError("busy", "another command is changing this target")
        return whole(self, identity, *words, **named)

    monkeypatch.setattr(Engine, "end_conditions", failing)
    items = api("DELETE", "/v1/conditions").json()["items"]
    assert [item.get("problem", {}).get("code") for item in items] == ["busy", None]


def test_held_packets_drain_or_are_dropped(api: Api) -> None:
    api.put("slow")
    kernel = api.world.kernel("a")
    kernel.held = dict.fromkeys(kernel.lines, 3)
    assert api("DELETE", "/v1/conditions").json()["items"][0]["drainingPackets"] == 3 * len(kernel.held)
    assert not kernel.in_force
    assert api("DELETE", "/v1/conditions", params={"target": "netns:a", "now": "true", "wait": "true"}).status_code == 400
    assert api("DELETE", "/v1/conditions", params={"target": "netns:a", "now": "true"}).json()["items"][0]["droppedPackets"]
    assert not kernel.lines

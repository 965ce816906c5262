"""What there is besides conditions."""

from __future__ import annotations

import asyncio

import pytest

from netweather.agent import agent as module
from netweather.agent.api import machine_routes
from netweather.agent.events import Events
from tests.unit.agent.conftest import Api


def test_profiles(api: Api) -> None:
    assert len(api("GET", "/v1/profiles").json()["items"]) >= 18
    assert api("GET", "/v1/profiles/3g").json()["up"]["delay"]["time"] == "150ms"
    assert api("GET", "/v1/profiles/9g").json()["code"] == "unknown-profile"


def test_targets(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.runtimes, "list_targets", lambda tell: [])
    assert api("GET", "/v1/targets").json() == {"items": [], "problems": []}


def test_verify_says_what_there_is_not(api: Api) -> None:
    answer = api("POST", "/v1/verify", json={"target": "netns:a"})
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-condition")
    assert api("POST", "/v1/verify", json={"target": "netns:a", "samples": 1}).json()["code"] == "bad-request"
    assert api("POST", "/v1/verify", json={"target": "netns:/etc/passwd"}).json()["code"] == "path-refused"
    assert api("POST", "/v1/verify", json={"target": "netns:a", "peer": "netns:b"}, who="ci").json()["code"] == "not-allowed"


def test_events_are_frames_that_end_with_the_agent() -> None:
    async def story() -> list[bytes]:
        bus = Events()
        listener = bus.listen()
        bus.publish("condition-resumed", name="slow", target="netns:a")
        bus.close()
        return [frame async for frame in machine_routes._stream(listener)]

    hello, event = asyncio.run(story())
    assert hello.startswith(b":")
    assert event.startswith(b"id: 1\nevent: condition-resumed\ndata: {")
    assert event.endswith(b"\n\n")


def test_silence_has_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_routes, "_BEAT_S", 0.001)

    async def story() -> list[bytes]:
        stream = machine_routes._stream(Events().listen())
        return [await anext(stream), await anext(stream)]

    assert asyncio.run(story())[1] == b": still here\n\n"

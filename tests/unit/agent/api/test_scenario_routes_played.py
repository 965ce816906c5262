"""Scenarios that an agent plays: begun, held, ended, owned, told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from netweather.agent.agent import Agent
from netweather.agent.principals import Tokens
from netweather.engine.scenario_store import Playbook
from netweather.service import LocalService, played_scenarios
from tests.support.rig import until
from tests.unit.agent.conftest import Api

HOUR = {"targets": ["netns:a"], "length": "1h", "steps": [{"at": "0s", "name": "slow", "condition": {"delay": "100ms"}}]}


def put(api: Api, name: str = "evening", who: str = "root", **more: Any) -> tuple[int, Any]:
    answer = api("PUT", f"/v1/scenarios/{more.pop('path', name)}", who=who, json={"name": name, **HOUR, **more})
    return answer.status_code, answer.json()


def state(api: Api, name: str = "evening") -> str:
    return str(api("GET", f"/v1/scenarios/{name}").json()["status"]["state"])


def test_it_is_in_force_when_it_is_answered_and_gone_when_it_is_stopped(api: Api) -> None:
    heard = api.agent.events.listen()
    code, document = put(api)
    assert (code, document["status"]["state"]) == (200, "playing")
    assert document["status"]["inForce"] == [{"target": "netns:a", "name": "evening.slow"}]
    assert api.names() == [("netns:a", "evening.slow")]
    assert [each["metadata"]["name"] for each in api("GET", "/v1/scenarios").json()["items"]] == ["evening"]
    assert api("DELETE", "/v1/scenarios/evening").json()["status"]["state"] == "stopped"
    assert api.names() == []
    kinds = [event.kind for event in iter(lambda: heard._queue.get_nowait() if heard._queue.qsize() else None, None)]
    assert [kind for kind in kinds if kind.startswith("scenario")] == ["scenario-started", "scenario-stepped", "scenario-stopped"]
    assert [line["action"] for line in api.audit()] == ["set", "scenario-run", "clear", "scenario-stop"]


def test_it_ends_by_itself(api: Api) -> None:
    steps = [{"at": "0s", "for": "100ms", "condition": {"delay": "100ms"}}]
    put(api, length="200ms", steps=steps)
    until(lambda: state(api) == "ended", 20, "it ends")
    assert api.names() == []
    assert put(api)[0] == 200  # and may be played again


def test_what_is_over_does_not_count(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(played_scenarios, "MOST", 3)
    later = [{"at": "30m", "condition": {"delay": "1ms"}}]
    for number in range(4):
        assert put(api, f"failed-{number}", targets=["netns:nobody"])[1]["code"] == "unknown-target"
        assert put(api, f"stopped-{number}", steps=later)[0] == 200
        assert api("DELETE", f"/v1/scenarios/stopped-{number}").status_code == 200
    for number in range(3):
        assert put(api, f"playing-{number}", steps=later)[0] == 200
    assert put(api, "one-more", steps=later)[1]["code"] == "busy"
    assert len(api("GET", "/v1/scenarios").json()["items"]) <= 6
    api("DELETE", "/v1/scenarios/playing-0")
    assert put(api, "one-more", steps=later)[0] == 200


def test_held_and_resumed(api: Api) -> None:
    put(api)
    assert api("POST", "/v1/scenarios/evening/pause").json()["status"]["state"] == "paused"
    assert api("POST", "/v1/scenarios/evening/pause").json()["code"] == "not-playing"
    assert api.names() == [("netns:a", "evening.slow")]
    assert api("POST", "/v1/scenarios/evening/resume").json()["status"]["state"] == "playing"


def test_a_first_moment_that_fails_is_the_answer(api: Api) -> None:
    code, problem = put(api, targets=["netns:nobody"])
    assert (code, problem["code"]) == (404, "unknown-target")
    assert state(api) == "failed"


def test_one_that_begins_with_nothing(api: Api) -> None:
    code, document = put(api, steps=[{"at": "30m", "condition": {"delay": "1ms"}}])
    assert (code, document["status"]["inForce"]) == (200, [])


def test_others_may_not_change_it(api: Api) -> None:
    assert put(api, who="ci")[0] == 200
    assert api("GET", "/v1/scenarios/evening").json()["spec"]["owner"] == "ci"
    assert api("POST", "/v1/scenarios/evening/pause", who="other").json()["code"] == "other-owner"
    assert api("DELETE", "/v1/scenarios/evening", who="other").json()["code"] == "other-owner"
    assert put(api, "elsewhere", who="ci", targets=["netns:b"])[1]["code"] == "not-allowed"
    assert api("DELETE", "/v1/scenarios/evening", who="ci").status_code == 200
    assert api("DELETE", "/v1/scenarios/nobody").json()["code"] == "no-such-scenario"


def test_the_agents_end_is_theirs(api: Api) -> None:
    put(api)
    api.agent.played.stop_all(for_now=True)
    assert (state(api), api.names()) == ("stopped", [])


def book(api: Api) -> Playbook:
    return Playbook(api.agent.settings.state)


@contextmanager
def next_agent(api: Api, *known: str) -> Iterator[Api]:
    """Another agent, of the same state, after the one before has ended; known: its tokens."""
    api.agent.played.stop_all(for_now=True)
    tokens = Tokens(tuple(each for each in api.agent.tokens.known if each[1].name in known))
    made = Agent(api.agent.settings, tokens, open_kernel=api.world.open_kernel)
    try:
        made.go_on_with_scenarios()
        yield Api(made, api.world)
    finally:
        made.close()


def test_the_next_agent_goes_on(api: Api) -> None:
    put(api)
    put(api, "held", targets=["netns:b"])
    api("POST", "/v1/scenarios/held/pause")
    with next_agent(api) as after:
        until(lambda: len(after.names()) == 2, 20, "both are in force")
        until(lambda: (state(after), state(after, "held")) == ("playing", "paused"), 20, "as before")
        assert after("DELETE", "/v1/scenarios/evening").json()["status"]["state"] == "stopped"
        assert book(after).names() == ["held"]
    assert [line["action"] for line in api.audit()].count("scenario-resume") == 2


def test_what_ended_does_not_come_back(api: Api) -> None:
    put(api)
    api("DELETE", "/v1/scenarios/evening")
    put(api, targets=["netns:nobody"])
    with next_agent(api) as after:
        assert after("GET", "/v1/scenarios").json()["items"] == []


@pytest.mark.parametrize("known", [(), ("ci",)], ids=["gone", "still there"])
def test_only_for_who_may_still_do_it(api: Api, known: tuple[str, ...]) -> None:
    put(api, who="ci")
    with next_agent(api, *known) as after:
        until(lambda: state(after) == ("playing" if known else "failed"), 20, "it goes on, or ends")
        if known:
            until(lambda: after.names() == [("netns:a", "evening.slow")], 20, "it is in force")
            return
        assert after("GET", "/v1/scenarios/evening").json()["status"]["problem"]["code"] == "no-token"
        assert (after.names(), book(after).names()) == ([], [])


def test_a_broken_page_stops_no_agent(api: Api) -> None:
    put(api)
    page = book(api).folder / "evening.json"
    page.write_text("{")
    with next_agent(api) as after:
        assert after("GET", "/v1/scenarios").json()["items"] == []
        assert not page.exists()


def test_the_end_of_everything_is_theirs_too(api: Api) -> None:
    put(api, who="ci")
    put(api, "other", targets=["netns:b"])
    assert api("DELETE", "/v1/conditions", who="ci").json()["items"] == [{"target": "netns:a", "cleared": ["evening.slow"]}]
    assert (state(api), state(api, "other")) == ("stopped", "playing")
    api("DELETE", "/v1/conditions")
    assert (state(api, "other"), api.names()) == ("stopped", [])


def test_direct_modes_end_of_everything_is_theirs_too(api: Api) -> None:
    put(api, lease="1s")
    LocalService(api.agent.engine).clear()
    until(lambda: state(api) == "stopped", 20, "it looks into the book when it is renewed")
    assert api.names() == []

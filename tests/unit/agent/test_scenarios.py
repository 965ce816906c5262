"""Scenarios that an agent plays: begun, held, ended, owned, told."""

from __future__ import annotations

from typing import Any

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
    api.agent.scenarios.close()
    assert (state(api), api.names()) == ("stopped", [])

"""/v1/scenarios: what is refused before anything is played."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.agent.api.test_scenario_routes_played import put
from tests.unit.agent.conftest import Api


@pytest.mark.parametrize(
    ("more", "who", "code"),
    [
        ({}, "root", "scenario-running"),
        ({"path": "another"}, "root", "bad-name"),
        ({"steps": []}, "root", "missing-key"),
        ({"owner": "somebody"}, "ci", "not-allowed"),
        ({"steps": [{"at": "0s", "for": "1s", "condition": {"trace": "/etc/passwd"}}]}, "root", "path-refused"),
    ],
)
def test_what_is_refused(api: Api, more: dict[str, Any], who: str, code: str) -> None:
    put(api)
    assert put(api, who=who, **more)[1]["code"] == code
    assert api.names() == [("netns:a", "evening.slow")]


def test_the_body_must_be_json(api: Api) -> None:
    assert api("PUT", "/v1/scenarios/evening", content=b"steps: []").json()["code"] == "not-json"
    headers = {"Content-Type": "application/json"}
    assert api("PUT", "/v1/scenarios/evening", content=b"{", headers=headers).json()["code"] == "bad-json"


def test_a_key_that_stands_twice_is_refused_and_labels_are_not(api: Api) -> None:
    headers = {"Content-Type": "application/json"}
    step = '{"at": "0s", "at": "5s", "for": "3s", "condition": {"delay": "1ms"}}'
    twice = api(
        "PUT", "/v1/scenarios/evening", content=f'{{"targets": ["netns:a"], "steps": [{step}]}}'.encode(), headers=headers
    )
    assert (twice.status_code, twice.json()["code"]) == (400, "duplicate-key")
    spec = {"targets": ["netns:a"], "steps": [{"at": "0s", "for": "1s", "condition": {"delay": "1ms"}}]}
    whole = {"kind": "Scenario", "metadata": {"name": "evening", "labels": {"team": "shop"}}, "spec": spec, "status": {}}
    assert api("PUT", "/v1/scenarios/evening", json=whole).status_code == 200

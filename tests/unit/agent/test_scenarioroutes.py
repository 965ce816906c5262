"""/v1/scenarios: what is refused before anything is played."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.agent.conftest import Api
from tests.unit.agent.test_scenarios import put


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

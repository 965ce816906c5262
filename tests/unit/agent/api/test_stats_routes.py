"""/v1/stats: who may look, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.agent.conftest import Api


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"target": "netns:a", "only": "sned"}, 400, "unknown-call"),
        ({"target": "netns:a", "only": "tcp", "byProcess": True}, 400, "no-process"),
        ({"target": "netns:a", "only": 7}, 400, "bad-request"),
        ({"target": "netns:a", "more": 7}, 400, "bad-request"),
        ({"target": "netns:/etc/passwd"}, 403, "path-refused"),
        ({"target": "netns:nobody"}, 404, "unknown-target"),
    ],
)
def test_what_is_refused(api: Api, body: dict[str, Any], status: int, code: str) -> None:
    answer = api("POST", "/v1/stats", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert api.agent.watches.count == 0


def test_who_may_look_may_count_and_others_do_not_see_it(api: Api) -> None:
    begun = api("POST", "/v1/stats", who="read", json={"target": "netns:a", "only": "send"})
    assert (begun.status_code, begun.json()["items"][0]["target"]) == (200, "netns:a")
    path = f"/v1/stats/{begun.json()['id']}"
    assert api("POST", "/v1/stats", who="blind", json={"target": "netns:a"}).status_code == 403
    for method in ("GET", "DELETE"):
        answer = api(method, path, who="other")
        assert (answer.status_code, answer.json()["code"]) == (404, "no-such-watch")
    assert api("GET", path, who="read").json()["items"][0]["missing"] == []
    assert api("DELETE", path, who="read").status_code == 200
    assert api("GET", path, who="read").status_code == 404

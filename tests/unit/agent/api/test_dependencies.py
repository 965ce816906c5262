"""Every handler is refused without a token, with an unknown one, and with one of too small a scope."""

from __future__ import annotations

import pytest

from netweather.host.service_sockets import Credentials
from tests.unit.agent.conftest import Api, document

HANDLERS = [
    ("GET", "/v1/conditions"),
    ("PUT", "/v1/conditions"),
    ("DELETE", "/v1/conditions"),
    ("GET", "/v1/conditions/{name}"),
    ("PUT", "/v1/conditions/{name}"),
    ("DELETE", "/v1/conditions/{name}"),
    ("GET", "/v1/connections"),
    ("DELETE", "/v1/connections"),
    ("GET", "/v1/scenarios"),
    ("GET", "/v1/scenarios/{name}"),
    ("PUT", "/v1/scenarios/{name}"),
    ("DELETE", "/v1/scenarios/{name}"),
    ("POST", "/v1/scenarios/{name}/pause"),
    ("POST", "/v1/scenarios/{name}/resume"),
    ("POST", "/v1/stats"),
    ("GET", "/v1/stats/{number}"),
    ("DELETE", "/v1/stats/{number}"),
    ("GET", "/v1/targets"),
    ("GET", "/v1/targets/complete"),
    ("GET", "/v1/profiles"),
    ("GET", "/v1/profiles/{name}"),
    ("GET", "/v1/doctor"),
    ("POST", "/v1/verify"),
    ("GET", "/v1/events"),
    ("GET", "/v1/metrics"),
]
CHANGING = [(method, path) for method, path in HANDLERS if method != "GET" and not path.startswith("/v1/stats")]
"""To count is to look."""


def test_the_list_is_whole(api: Api) -> None:
    paths = api.app.openapi()["paths"]
    there = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert there == {*HANDLERS, ("GET", "/v1/health")}


def ask(api: Api, method: str, path: str, who: str) -> tuple[int, str]:
    body = {"target": "netns:a"} if path.endswith(("verify", "stats")) else document()
    named = path.replace("{name}", "slow").replace("{number}", "0" * 16)
    answer = api(method, named, who=who, **({} if method in ("GET", "DELETE") else {"json": body}))
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(("method", "path"), HANDLERS)
def test_without_a_token(api: Api, method: str, path: str) -> None:
    assert ask(api, method, path, "nobody") == (401, "no-token")


@pytest.mark.parametrize(("method", "path"), HANDLERS)
def test_with_an_unknown_token(api: Api, method: str, path: str) -> None:
    assert ask(api, method, path, "stranger") == (401, "no-token")


@pytest.mark.parametrize(("method", "path"), CHANGING)
def test_with_a_token_that_may_only_look(api: Api, method: str, path: str) -> None:
    assert ask(api, method, path, "read") == (403, "not-allowed")
    assert api.names() == []


@pytest.mark.parametrize(("method", "path"), [each for each in HANDLERS if each not in CHANGING])
def test_with_a_token_that_may_not_look(api: Api, method: str, path: str) -> None:
    assert ask(api, method, path, "blind") == (403, "not-allowed")


def test_health_needs_none(api: Api) -> None:
    assert api("GET", "/v1/health", who="nobody").json()["status"] == "ok"


def test_a_user_outside_the_group(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.unit.agent import conftest

    monkeypatch.setattr(conftest, "ROOT", Credentials(1, 4242, frozenset({4242})))
    answer = api("GET", "/v1/conditions")
    assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")


@pytest.mark.parametrize(("method", "path"), HANDLERS)
def test_a_parameter_that_is_misspelt(api: Api, method: str, path: str) -> None:
    """Without it, `?tagret=` would end the conditions of all targets."""
    api.put("slow")
    answer = api(method, path.replace("{name}", "slow"), params={"tagret": "netns:b"})
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown-parameter")
    assert api.names() == [("netns:a", "slow")]


def test_one_of_two_owners_is_not_passed_over(api: Api) -> None:
    api.put("slow")
    answer = api("DELETE", "/v1/conditions", params=[("owner", "somebody"), ("owner", "root")])
    assert (answer.status_code, answer.json()["code"]) == (400, "repeated-parameter")
    assert api.names() == [("netns:a", "slow")]
    assert api("DELETE", "/v1/conditions", params=[("target", "netns:a"), ("target", "netns:b")]).status_code == 200
    assert api.names() == []

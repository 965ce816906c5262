"""/v1/connections: what the query means, who may end what, and what is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.live import Live, made
from tests.unit.agent.conftest import Api


@pytest.fixture
def live(api: Api, monkeypatch: pytest.MonkeyPatch) -> Live:
    return Live(monkeypatch, made(), made(port=8080, local_port=40001))


def ask(api: Api, method: str = "GET", who: str = "root", **query: Any) -> tuple[int, Any]:
    answer = api(method, "/v1/connections", params={"target": "netns:a", **query}, who=who)
    return answer.status_code, answer.json()


def ports(found: tuple[int, Any]) -> list[int]:
    assert found[0] == 200, found
    return [each["remote"]["port"] for item in found[1]["items"] for each in item["connections"]]


def test_listed_and_filtered(api: Api, live: Live) -> None:
    api.put("slow", rules=[{"ports": [8080], "condition": {"delay": "10ms"}}])
    assert ports(ask(api)) == [5432, 8080]
    assert ports(ask(api, match="to=198.51.100.0/24,port=8080")) == [8080]
    assert ports(ask(api, exclude="port=8080")) == [5432]
    assert ports(ask(api, condition="slow")) == [8080]
    assert ports(ask(api, state="time-wait")) == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"match": "pport=1"}, "unknown-key"),
        ({"state": "open"}, "unknown-state"),
        ({"match": "to=netns:/etc/passwd"}, "path-refused"),
        ({"target": "netns:/etc/passwd"}, "path-refused"),
        ({"target": "netns:nobody"}, "unknown-target"),
    ],
)
def test_what_is_refused(api: Api, live: Live, query: dict[str, str], code: str) -> None:
    assert ask(api, **query)[1]["code"] == code


def test_reset(api: Api, live: Live) -> None:
    heard = api.agent.events.listen()
    assert ports(ask(api, "DELETE", match="port=5432")) == [5432]
    assert [one.remote_port for one in live.sockets] == [8080]
    (line,) = api.audit()
    assert (line["action"], line["match"], line["reset"]) == (
        "reset", "ports=5432,direction=both", ["192.0.2.1:40000-198.51.100.7:5432"],
    )  # fmt: skip
    event = heard._queue.get_nowait()
    assert event is not None
    assert (event.kind, event.data["by"]) == ("connections-reset", "root")


@pytest.mark.parametrize(
    ("who", "query", "code"),
    [
        ("root", {}, "nothing-chosen"),
        ("root", {"match": "port=99"}, "no-such-connection"),
        ("ci", {"target": "netns:b", "match": "port=5432"}, "not-allowed"),
        ("read", {"match": "port=5432"}, "not-allowed"),
        ("root", {"target": "host", "match": "port=5432"}, "host-not-confirmed"),
    ],
)
def test_what_ends_nothing(api: Api, live: Live, who: str, query: dict[str, str], code: str) -> None:
    assert ask(api, "DELETE", who, **query)[1]["code"] == code
    assert len(live.sockets) == 2


def test_a_token_may_end_its_own_targets(api: Api, live: Live) -> None:
    assert ports(ask(api, "DELETE", "ci", match="port=5432")) == [5432]

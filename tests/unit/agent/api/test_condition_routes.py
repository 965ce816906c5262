"""/v1/conditions: what is put is in force, what is wrong is a problem, and names belong to their owners."""

from __future__ import annotations

import asyncio

import pytest

from netweather.agent.agent import THREADS
from netweather.engine import Engine
from netweather.errors import NetweatherError
from netweather.measure import Figure
from netweather.results import Cleared
from tests.unit.agent.conftest import Api, ask, document
from tests.unit.cli.commands.test_verify import BAD, GOOD, OPEN, made_up

PROVED = {"verify": "true"}
PATIENCE_S = 5.0
"""Half of what held packets may take to come out."""


def test_put_get_delete(api: Api) -> None:
    put = api.put("slow", owner="me", reason="to see")
    assert put.status_code == 200
    assert put.json()["status"]["inForce"] is True
    assert api.world.kernel("a").lines
    (item,) = api("GET", "/v1/conditions/slow").json()["items"]
    assert (item["spec"]["owner"], item["spec"]["reason"]) == ("me", "to see")
    assert 0 < item["status"]["remainingSeconds"] <= 60
    assert api("DELETE", "/v1/conditions/slow").json() == {"items": [{"target": "netns:a", "cleared": ["slow"]}]}
    assert not api.world.kernel("a").in_force
    assert api("GET", "/v1/conditions/slow").status_code == 404


def test_the_same_again_is_no_change(api: Api) -> None:
    assert api.put().json()["status"]["targets"][0]["changed"] is True
    assert api.put().json()["status"]["targets"][0]["changed"] is False


def test_the_names_of_other_targets_are_left_alone(api: Api) -> None:
    api.put("slow", "netns:a")
    api.put("slow", "netns:b")
    assert api.names() == [("netns:a", "slow"), ("netns:b", "slow")]
    api("DELETE", "/v1/conditions/slow", params={"target": "netns:b"})
    assert api.names() == [("netns:a", "slow")]


def test_several_or_none(api: Api) -> None:
    many = {"apiVersion": "v1", "kind": "List", "items": [document("one", "netns:a"), document("two", "netns:nowhere")]}
    answer = api("PUT", "/v1/conditions", json=many)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-target")
    assert api.names() == []
    many["items"] = [document("one", "netns:a"), document("two", "netns:b")]
    assert len(api("PUT", "/v1/conditions", json=many).json()["items"]) == 2
    assert api("DELETE", "/v1/conditions").status_code == 200
    assert api.names() == []


def test_a_dry_run_touches_nothing(api: Api) -> None:
    answer = api("PUT", "/v1/conditions/slow", params={"dryRun": "true"}, json=document("slow")).json()
    assert answer["status"]["targets"][0]["plan"][0].startswith("create Netweather's own")
    assert api.names() == []


def test_another_owners_name_is_refused(api: Api) -> None:
    assert api.put("slow", who="all").json()["spec"]["owner"] == "all"
    for answer in (
        api.put("slow", who="other"),
        api("DELETE", "/v1/conditions/slow", who="other"),
        api("DELETE", "/v1/conditions/slow", who="other", params={"target": "netns:a"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "other-owner")
    assert api("DELETE", "/v1/conditions", who="other").json() == {"items": []}
    assert api.names() == [("netns:a", "slow")]
    assert api("DELETE", "/v1/conditions").json()["items"][0]["cleared"] == ["slow"]  # root may


def test_nobody_sets_in_anothers_name(api: Api) -> None:
    assert api.put("slow", who="all", owner="root").json()["code"] == "not-allowed"
    assert api.put("slow", who="all", owner="all@ci-7").json()["spec"]["owner"] == "all@ci-7"


def test_a_token_for_some_targets(api: Api) -> None:
    assert api.put("slow", "netns:a", who="ci").status_code == 200
    refused = api.put("slow", "netns:a", "netns:b", who="ci")
    assert (refused.status_code, refused.json()["code"]) == (403, "not-allowed")
    api.put("slow", "netns:b")
    assert api("DELETE", "/v1/conditions/slow", who="ci", params={"target": "netns:b"}).status_code == 403
    assert api("DELETE", "/v1/conditions", who="ci").status_code == 200
    assert api.names() == [("netns:b", "slow")]


def test_the_host_is_spelt_and_confirmed(api: Api) -> None:
    assert api.put("slow", "host").json()["code"] == "host-not-confirmed"
    answer = api("PUT", "/v1/conditions/slow", who="all", params={"confirmHost": "true"}, json=document("slow", "host"))
    assert answer.json()["code"] == "not-allowed"
    answer = api("PUT", "/v1/conditions/slow", who="admin", params={"confirmHost": "true"}, json=document("slow", "host"))
    assert answer.status_code == 200


def test_on_the_host_the_agents_own_port_is_left_alone(api: Api) -> None:
    api.agent.callbacks.port = 8753
    answer = api("PUT", "/v1/conditions/slow", params={"confirmHost": "true"}, json=document("slow", "host"))
    assert answer.json()["spec"]["exclude"] == [{"ports": [8753], "protocol": "tcp", "direction": "both"}]
    assert "exclude" not in api.put("slow", "netns:a").json()["spec"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad-json"),
        (b"\xff", 400, "bad-json"),
        (b"[]", 400, "bad-name"),
        (b"7", 400, "bad-type"),
        (b'{"name": "other", "targets": ["netns:a"]}', 400, "bad-name"),
        (b'{"rules": [{"condition": {"delay": "100ms"}}]}', 400, "missing-target"),
        (b'{"targets": ["netns:a"], "rules": [{"condition": {"delay": 100}}]}', 400, "bad-duration"),
        (b'{"targets": ["netns:a"], "rules": [{"condition": {"trace": "/etc/passwd"}}]}', 403, "path-refused"),
        (b'{"targets": ["netns:/etc/passwd"], "rules": [{"condition": {"delay": "1s"}}]}', 403, "path-refused"),
        (b'{"targets": ["netns:a;id"], "rules": [{"condition": {"delay": "1s"}}]}', 404, "unknown-target"),
        (b"[" * 100_000, 400, "document-too-large"),
    ],
)
def test_what_is_wrong_is_a_problem(api: Api, body: bytes, status: int, code: str) -> None:
    answer = api("PUT", "/v1/conditions/slow", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert api.names() == []


def test_only_json_is_read(api: Api) -> None:
    answer = api("PUT", "/v1/conditions/slow", content=b"name: slow", headers={"Content-Type": "application/yaml"})
    assert (answer.status_code, answer.json()["code"]) == (415, "not-json")


@pytest.mark.parametrize(
    "path", ["/v1/conditions/UPPER", "/v1/conditions/a%2Fb", "/v1/conditions/..%2F..%2Fetc", "/nowhere", "/v1/"]
)
def test_names_are_names(api: Api, path: str) -> None:
    assert api("GET", path).status_code in (400, 404)
    assert api("GET", path).json()["code"] in ("bad-request", "no-such-path")


@pytest.mark.parametrize(("figure", "verdict"), [(GOOD, "PASS"), (OPEN, "CAN'T TELL")])
def test_proved_it_stays_with_its_evidence(api: Api, monkeypatch: pytest.MonkeyPatch, figure: Figure, verdict: str) -> None:
    made_up(monkeypatch, figure)
    answer = api("PUT", "/v1/conditions/slow", params=PROVED, json=document("slow", "netns:a", "netns:b")).json()
    assert [(each["target"], each["verdict"]) for each in answer["status"]["evidence"]] == [
        ("netns:a", verdict),
        ("netns:b", verdict),
    ]
    assert api.names() == [("netns:a", "slow"), ("netns:b", "slow")]
    many = {"apiVersion": "v1", "kind": "List", "items": [document("slow")]}
    assert api("PUT", "/v1/conditions", params=PROVED, json=many).json()["items"][0]["status"]["evidence"]


def test_what_does_not_hold_is_as_before(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.put("slow", reason="before")
    heard = api.agent.events.listen()
    made_up(monkeypatch, BAD)
    answer = api("PUT", "/v1/conditions/slow", params=PROVED, json=document("slow", reason="after"))
    assert (answer.status_code, answer.json()["code"]) == (422, "not-proved")
    (item,) = api("GET", "/v1/conditions/slow").json()["items"]
    assert item["spec"]["reason"] == "before"
    assert heard._queue.empty()
    assert [line["outcome"] for line in api.audit()] == ["done", "not-proved"]


def test_a_plan_is_not_measured(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = made_up(monkeypatch, BAD)
    assert api("PUT", "/v1/conditions/slow", params={**PROVED, "dryRun": "true"}, json=document("slow")).status_code == 200
    assert asked == []


# Ending conditions --------------------------------------------------------------------------------------------------------


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


def test_those_who_wait_for_packets_hold_up_nobody(api: Api) -> None:
    """More clients wait than the agent has threads; meanwhile another target is set and shown."""
    names = [f"c{number}" for number in range(THREADS + 2)]
    for name in names:
        api.put(name, rules=[{"condition": {"delay": "1h"}}])
    kernel = api.world.kernel("a")
    kernel.held = dict.fromkeys(kernel.lines, 1)

    async def both() -> list[int]:
        waiting = [
            asyncio.create_task(ask(api.by_socket, "DELETE", f"/v1/conditions/{name}", params={"wait": "true"})) for name in names
        ]
        while kernel.in_force:  # noqa: ASYNC110 - a fake kernel tells nobody
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_S):
            put = await ask(api.by_socket, "PUT", "/v1/conditions/other", json=document("other", "netns:b"))
            shown = await ask(api.by_socket, "GET", "/v1/conditions", params={"target": "netns:b"})
        assert not any(each.done() for each in waiting)
        kernel.held = {}
        return [put.status_code, len(shown.json()["items"]), *[each.status_code for each in await asyncio.gather(*waiting)]]

    assert asyncio.run(both()) == [200, 1, *[200 for _ in names]]
    assert not kernel.lines


def test_those_who_wait_for_a_target_hold_up_nobody(api: Api) -> None:
    """Another command is at work on the target, and takes long."""
    api.put("slow")
    (identity,) = api.agent.engine.journal.identities()

    async def both() -> list[int]:
        with api.agent.engine.journal.locked(identity):
            waiting = [
                asyncio.create_task(ask(api.by_socket, "PUT", f"/v1/conditions/c{number}", json=document(f"c{number}")))
                for number in range(THREADS + 2)
            ]
            async with asyncio.timeout(PATIENCE_S):
                for _ in range(2):  # the first begins before they have their threads
                    put = await ask(api.by_socket, "PUT", "/v1/conditions/other", json=document("other", "netns:b"))
            assert not any(each.done() for each in waiting)
        return [put.status_code, *[each.status_code for each in await asyncio.gather(*waiting)]]

    assert asyncio.run(both()) == [200] * (THREADS + 3)

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from netweather.kubernetes.objects.pod_selection import PodPolicy
from netweather.kubernetes.server import informer
from netweather.operator import operator as module
from netweather.operator.operator import Operator
from tests.support.fakeapi import FakeApi, soon
from tests.support.objects import DELAY, condition, endpoint_slice, machine, pod, profile, scenario


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name, value in ((informer, "FIRST_PAUSE_S", 0.001), (module, "GATHERS_S", 0.001), (module, "RETRIES_S", 0.01)):
        monkeypatch.setattr(owner, name, value)


def operating(scenario: Callable[[FakeApi], Any], *found: tuple[str, dict[str, Any]], api: FakeApi | None = None) -> FakeApi:
    """Runs a scenario beside an operator of a cluster in which there are these objects."""
    api = api or FakeApi()
    for plural, each in found:
        api.put(plural, each)

    async def run() -> None:
        task = asyncio.create_task(Operator(api, PodPolicy(few=100)).run())
        try:
            await scenario(api)
        finally:
            task.cancel()

    asyncio.run(asyncio.wait_for(run(), 30))
    return api


def told(api: FakeApi, node: str = "node-1") -> list[str]:
    """The pods of a node's conditions."""
    found = api.objects.get(("nodeconditions", "", node), {"spec": {"conditions": []}})
    return [pod["name"] for each in found["spec"]["conditions"] for pod in each["pods"]]


def status(api: FakeApi, name: str = "slow") -> dict[str, Any]:
    return dict(api.objects["networkconditions", "shop", name].get("status") or {})


def states(api: FakeApi, name: str = "slow") -> dict[str, str]:
    return {each["type"]: each["status"] for each in status(api, name).get("conditions", [])}


def test_pods_come_and_go_and_the_condition_follows() -> None:
    async def scenario(api: FakeApi) -> None:
        await soon(lambda: told(api) == ["a"])
        assert status(api)["summary"] == "0/1"
        api.put("pods", pod("b"))
        await soon(lambda: told(api) == ["a", "b"])
        api.remove("pods", "a", "shop")
        await soon(lambda: told(api) == ["b"])
        api.remove("networkconditions", "slow", "shop")
        await soon(lambda: ("nodeconditions", "", "node-1") not in api.objects)

    operating(scenario, ("networkconditions", condition()), ("pods", pod("a")))


def test_endpoints_are_followed() -> None:
    def to(api: FakeApi) -> list[str]:
        found = api.objects.get(("nodeconditions", "", "node-1"))
        return [] if found is None else found["spec"]["conditions"][0]["spec"]["rules"][0]["to"]

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: to(api) == ["192.0.2.7"])
        api.put("endpointslices", endpoint_slice("db", "198.51.100.2"))
        api.put("endpointslices", endpoint_slice("db", "198.51.100.3", number=2))
        await soon(lambda: to(api) == ["198.51.100.2", "198.51.100.3", "192.0.2.7"])

    service = {"metadata": {"name": "db", "namespace": "shop"}, "spec": {"clusterIP": "192.0.2.7"}}
    rules = [{"to": [{"service": "db"}], "condition": DELAY}]
    operating(scenario, ("networkconditions", condition(rules=rules)), ("pods", pod("a")), ("services", service))


def test_what_nodes_answer_becomes_the_status() -> None:
    async def scenario(api: FakeApi) -> None:
        await soon(lambda: told(api) == ["a"])
        node = api.objects["nodeconditions", "", "node-1"]
        api.put(
            "nodeconditions",
            {**node, "status": {"conditions": [{"uid": "uid-slow", "generation": 1, "inForce": ["uid-shop-a"]}]}},
        )
        await soon(lambda: states(api) == {"Resolved": "True", "InForce": "True", "Ended": "False"})

    operating(scenario, ("networkconditions", condition()), ("pods", pod("a")))


def test_a_node_s_object_stays_until_it_says_that_nothing_is_in_force() -> None:
    async def scenario(api: FakeApi) -> None:
        await soon(lambda: told(api) == ["a"])
        node = api.objects["nodeconditions", "", "node-1"]
        api.put("nodeconditions", {**node, "status": {"conditions": [{"uid": "uid-slow", "generation": 1}]}})
        api.remove("networkconditions", "slow", "shop")
        await soon(lambda: api.objects["nodeconditions", "", "node-1"]["spec"] == {"conditions": []})
        await asyncio.sleep(0.05)
        api.put("nodeconditions", {**api.objects["nodeconditions", "", "node-1"], "status": {"conditions": []}})
        await soon(lambda: ("nodeconditions", "", "node-1") not in api.objects)

    operating(scenario, ("networkconditions", condition()), ("pods", pod("a")))


def test_a_lease_ends_by_itself_and_a_changed_spec_begins_it_anew() -> None:
    async def scenario(api: FakeApi) -> None:
        await soon(lambda: states(api).get("Ended") == "True" and told(api) == [])  # the status is written first
        api.put("networkconditions", {**condition(lease="10m", generation=2), "status": status(api)})
        await soon(lambda: told(api) == ["a"])
        assert states(api)["Ended"] == "False"

    operating(scenario, ("networkconditions", condition(lease="1s")), ("pods", pod("a")))


def test_a_refusal_is_explained_and_a_mended_object_works() -> None:
    async def scenario(api: FakeApi) -> None:
        await soon(lambda: states(api).get("Resolved") == "False")
        assert "'delay'" in status(api)["conditions"][0]["message"]
        api.put("networkconditions", {**condition(generation=2), "status": status(api)})
        await soon(lambda: states(api).get("Resolved") == "True")

    operating(scenario, ("networkconditions", condition(rules=[{"condition": {"dealy": "1ms"}}])), ("pods", pod("a")))


def test_a_profile_is_accepted_and_a_changed_one_changes_the_conditions_that_name_it() -> None:
    def delay(api: FakeApi) -> str:
        found = api.objects.get(("nodeconditions", "", "node-1"))
        return "" if found is None else str(found["spec"]["conditions"][0]["spec"]["rules"][0]["condition"]["delay"]["time"])

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: states(api).get("Resolved") == "False")
        assert told(api) == []
        api.put("networkprofiles", profile())
        await soon(lambda: delay(api) == "20ms")
        (accepted,) = api.objects["networkprofiles", "", "office"]["status"]["conditions"]
        assert (accepted["type"], accepted["status"]) == ("Accepted", "True")
        changed = api.objects["networkprofiles", "", "office"]["status"]
        api.put("networkprofiles", {**profile(generation=2, both={"delay": {"time": "30ms"}}), "status": changed})
        await soon(lambda: delay(api) == "30ms")

    rules = [{"condition": {"profile": "office"}}]
    operating(scenario, ("networkconditions", condition(rules=rules)), ("pods", pod("a")))


def test_a_scenario_s_start_is_remembered_and_its_end_told() -> None:
    async def scenario_plays(api: FakeApi) -> None:
        def status(key: str) -> Any:
            return api.objects["networkscenarios", "shop", "evening"].get("status", {}).get(key)

        await soon(lambda: status("step") == "only")
        assert api.objects["nodeconditions", "", "node-1"]["spec"]["conditions"][0]["startsAt"] == status("startedAt")
        await soon(lambda: status("conditions")[-1]["status"] == "True")
        await soon(lambda: ("nodeconditions", "", "node-1") not in api.objects)

    steps = [{"at": "0s", "for": "1s", "name": "only", "condition": DELAY}]
    operating(scenario_plays, ("networkscenarios", scenario(steps=steps)), ("pods", pod("a")))


def test_zones_are_those_of_the_nodes() -> None:
    def to(api: FakeApi) -> list[str]:
        found = api.objects.get(("nodeconditions", "", "node-1"))
        return [] if found is None else found["spec"]["conditions"][0]["spec"]["rules"][0]["to"]

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: to(api) == ["198.51.100.2"])
        api.put("nodes", machine("node-3", "far"))
        await soon(lambda: to(api) == ["198.51.100.2", "198.51.100.3"])

    there = [("pods", pod(f"p{n}", "other", node=f"node-{n}", addresses=[f"198.51.100.{n}"])) for n in (1, 2, 3)]
    rules = [{"to": [{"zone": "far"}], "condition": DELAY}]
    nodes = [("nodes", machine("node-1", "near")), ("nodes", machine("node-2", "far"))]
    operating(scenario, ("networkconditions", condition(rules=rules)), ("pods", pod("a")), *there, *nodes)


def test_transitions_become_events() -> None:
    def events(api: FakeApi) -> list[str]:
        return [each["reason"] for (plural, _, _), each in api.objects.items() if plural == "events"]

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: events(api) == ["Ended"])

    operating(scenario, ("networkconditions", condition(lease="1s")), ("pods", pod("a")))


def test_only_what_changed_is_written_and_a_new_operator_writes_nothing() -> None:
    async def settled(api: FakeApi) -> None:
        await soon(lambda: states(api) and all(told(api, f"node-{n}") for n in range(20)))
        await asyncio.sleep(0.1)
        writes = api.writes
        api.put("pods", pod("new", node="node-3"))
        await soon(lambda: "new" in told(api, "node-3") and status(api)["selected"] == 21)
        await asyncio.sleep(0.1)
        assert api.writes - writes == 2  # its node's, and the status

    api = operating(settled, ("networkconditions", condition()), *[("pods", pod(f"p{n}", node=f"node-{n}")) for n in range(20)])
    writes = api.writes

    async def again(api: FakeApi) -> None:
        await soon(lambda: api._watchers)
        await asyncio.sleep(0.1)

    operating(again, api=api)
    assert api.writes == writes


def test_a_server_that_was_away_finds_everything_right_again() -> None:
    async def scenario(api: FakeApi) -> None:
        await soon(lambda: told(api) == ["a", "b"])
        api.away = True
        api.hang_up()
        api.remove("pods", "a", "shop", told=False)
        await asyncio.sleep(0.05)
        assert told(api) == ["a", "b"]
        api.away = False
        await soon(lambda: told(api) == ["b"])

    operating(scenario, ("networkconditions", condition()), ("pods", pod("a")), ("pods", pod("b")))


def test_nothing_is_concluded_of_half_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: Any) -> Any:
        await asyncio.sleep(30)

    async def scenario(api: FakeApi) -> None:
        await asyncio.sleep(0.05)
        assert told(api) == ["a"]

    listing = FakeApi.list
    monkeypatch.setattr(
        FakeApi, "list", lambda api, kind, name="": never() if kind.plural == "pods" else listing(api, kind, name)
    )
    before = {"metadata": {"name": "node-1"}, "spec": {"conditions": [{"pods": [{"name": "a"}]}]}}
    operating(scenario, ("networkconditions", condition()), ("nodeconditions", before))

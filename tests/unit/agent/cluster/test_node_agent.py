"""What a cluster asks of a node, over an API server in memory and fake kernels: pods are namespaces a, b and c."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from netweather.agent.agent import Agent
from netweather.agent.cluster import node_agent
from netweather.agent.cluster.node_agent import NodeAgent
from netweather.errors import NetweatherError
from netweather.kubernetes.objects.node_objects import OWNER
from netweather.kubernetes.objects.snapshot import exact_text_of, text_of
from netweather.targets import Peer
from tests.support.fakeapi import FakeApi, soon
from tests.support.objects import DELAY
from tests.support.world import World
from tests.unit.agent.test_agent import ROOT

Sandboxes = dict[str, str]


@pytest.fixture
def sandboxes(world: World, monkeypatch: pytest.MonkeyPatch) -> Sandboxes:
    """By the uid of their pods: which namespace it is."""
    found: Sandboxes = {"uid-a": "a"}
    monkeypatch.setattr(node_agent, "pods_by_uid", lambda: dict(found))
    monkeypatch.setattr(node_agent, "open_pod", lambda sandbox: world.resolve([f"cri:{sandbox}"])[0])
    monkeypatch.setattr(node_agent, "resolve_peers", lambda _: (Peer(ip_network("203.0.113.1"), "host"),))
    for name, value in (("WAITS_S", 0.005), ("LOOKS_S", 0.01), ("RETRIES_S", 0.01)):
        monkeypatch.setattr(node_agent, name, value)
    return found


def asks(*pods: str, name: str = "slow", seconds: float = 60, condition: Any = None, **more: Any) -> dict[str, Any]:
    """An entry of a NodeConditions object."""
    return {
        "namespace": "shop",
        "name": name,
        "uid": f"uid-{name}",
        "generation": 1,
        "endsAt": text_of(datetime.now(UTC) + timedelta(seconds=seconds)),
        "pods": [{"name": pod, "uid": f"uid-{pod}"} for pod in pods],
        "spec": {"rules": [{"condition": condition or DELAY}]},
        **more,
    }


def ask(api: FakeApi, *entries: dict[str, Any]) -> None:
    before = api.objects.get(("nodeconditions", "", "node-1"), {})
    metadata = {"name": "node-1", "generation": before.get("metadata", {}).get("generation", 0) + 1}
    api.put("nodeconditions", {**before, "metadata": metadata, "spec": {"conditions": list(entries)}})


def answers(api: FakeApi) -> dict[str, dict[str, Any]]:
    status = api.objects["nodeconditions", "", "node-1"].get("status", {})
    return {each["uid"]: each for each in status.get("conditions", [])}


def in_force(agent: Agent) -> list[tuple[str, str]]:
    return [(each.target.name, each.condition.name) for each in agent.service(ROOT).show()]


def working(agent: Agent, scenario: Callable[[FakeApi], Any], *entries: dict[str, Any], api: FakeApi | None = None) -> FakeApi:
    """Runs a scenario beside a node that is asked for these entries."""
    api = api or FakeApi()
    ask(api, *entries)

    async def connect() -> FakeApi:
        return api

    async def run() -> None:
        agent.events.bind(asyncio.get_running_loop())
        task = asyncio.create_task(NodeAgent(agent, "node-1", connect).run())
        try:
            await scenario(api)
        finally:
            task.cancel()

    asyncio.run(asyncio.wait_for(run(), 40))
    return api


def test_what_is_asked_is_in_force_and_answered_and_what_is_not_any_more_ends(agent: Agent, sandboxes: Sandboxes) -> None:
    async def scenario(api: FakeApi) -> None:
        await soon(lambda: answers(api).get("uid-slow", {}).get("inForce") == ["uid-a"])
        (shown,) = agent.service(ROOT).show()
        assert (shown.condition.name, shown.condition.owner) == ("slow", OWNER)
        ask(api, asks("a", name="other"))
        await soon(lambda: in_force(agent) == [("a", "other")])
        api.remove("nodeconditions", "node-1")
        await soon(lambda: in_force(agent) == [])

    working(agent, scenario, asks("a"))


def test_a_pod_that_comes_later_and_one_with_a_new_sandbox_get_it(agent: Agent, sandboxes: Sandboxes) -> None:
    async def scenario(api: FakeApi) -> None:
        await soon(lambda: in_force(agent) == [("a", "slow")])
        sandboxes["uid-b"] = "b"
        await soon(lambda: set(in_force(agent)) == {("a", "slow"), ("b", "slow")})
        sandboxes["uid-b"] = "c"
        await soon(lambda: set(in_force(agent)) == {("a", "slow"), ("c", "slow")})

    working(agent, scenario, asks("a", "b"))


def test_a_changed_condition_replaces_the_one_before(agent: Agent, sandboxes: Sandboxes) -> None:
    def delays() -> list[str]:
        return [str(each.condition.rules[0].condition.delay.time) for each in agent.service(ROOT).show()]

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: delays() == ["100ms"])
        ask(api, asks("a", condition={"delay": {"time": "200ms"}}))
        await soon(lambda: delays() == ["200ms"])

    working(agent, scenario, asks("a"))


def test_states_of_a_scenario_come_and_go_in_time_while_nobody_can_be_asked(agent: Agent, sandboxes: Sandboxes) -> None:
    now = datetime.now(UTC)

    def state(begin: float, end: float, ms: int) -> dict[str, Any]:
        times = {"startsAt": exact_text_of(now + timedelta(seconds=begin)), "endsAt": exact_text_of(now + timedelta(seconds=end))}
        return asks("a", condition={"delay": {"time": f"{ms}ms"}}, **times)

    def delays() -> list[str]:
        return [str(each.condition.rules[0].condition.delay.time) for each in agent.service(ROOT).show()]

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: answers(api).get("uid-slow", {}).get("inForce") == ["uid-a"])
        api.away = True
        api.hang_up()
        writes = api.writes
        for wanted in (["1ms"], ["2ms"], [], ["3ms"], []):
            await soon(lambda wanted=wanted: delays() == wanted)  # type: ignore[misc]
        assert api.writes == writes

    working(agent, scenario, state(0.3, 1.3, 1), state(1.3, 2.3, 2), state(2.8, 3.8, 3))


def test_what_is_in_force_is_not_set_again(agent: Agent, sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    sets: list[str] = []
    setting = agent.engine.set
    monkeypatch.setattr(agent.engine, "set", lambda target, condition: (sets.append(target.name), setting(target, condition))[1])

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: answers(api).get("uid-slow", {}).get("inForce"))
        writes = api.writes
        await asyncio.sleep(0.2)  # a dozen looks
        assert (sets, api.writes) == (["a"], writes)

    working(agent, scenario, asks("a"))


def test_a_failure_is_answered_and_the_others_are_done(agent: Agent, sandboxes: Sandboxes) -> None:
    sandboxes["uid-d"] = "d"  # a sandbox that is gone meanwhile

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: answers(api).get("uid-slow", {}).get("failed") and in_force(agent) == [("a", "slow")])
        (failed,) = answers(api)["uid-slow"]["failed"]
        assert (failed["pod"], failed["code"]) == ("uid-d", "unknown-target")
        del sandboxes["uid-d"]
        ask(api, asks("a"))
        await soon(lambda: "failed" not in answers(api)["uid-slow"])

    working(agent, scenario, asks("a", "d"))


def test_others_conditions_are_left_alone(agent: Agent, world: World, sandboxes: Sandboxes) -> None:
    from netweather.conditions import load

    with world.resolve(["cri:a"])[0] as target:
        agent.engine.set(target, load({"name": "by-hand", "lease": "1m", "rules": [{"condition": {"delay": "5ms"}}]}))

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: set(in_force(agent)) == {("a", "by-hand"), ("a", "slow")})
        ask(api)
        await soon(lambda: in_force(agent) == [("a", "by-hand")])

    working(agent, scenario, asks("a"))


def test_with_the_server_away_it_stays_and_ends_in_its_time(agent: Agent, sandboxes: Sandboxes) -> None:
    async def scenario(api: FakeApi) -> None:
        await soon(lambda: in_force(agent) == [("a", "slow")])
        api.away = True
        api.hang_up()
        await soon(lambda: in_force(agent) == [], 10)  # its end, and nothing else

    working(agent, scenario, asks("a", seconds=3))


def test_a_node_that_knows_nothing_yet_changes_nothing(
    agent: Agent, sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def first(api: FakeApi) -> None:
        await soon(lambda: in_force(agent) == [("a", "slow")])

    api = working(agent, first, asks("a"))

    async def away(api: FakeApi) -> None:
        api.away = True
        await asyncio.sleep(0.1)
        assert in_force(agent) == [("a", "slow")]

    async def refusing(*_: Any) -> Any:
        raise NetweatherError("cluster-refused", "no")

    monkeypatch.setattr(FakeApi, "list", refusing)
    working(agent, away, api=api)


def test_files_of_the_node_are_nobody_s_business(agent: Agent, sandboxes: Sandboxes) -> None:
    async def scenario(api: FakeApi) -> None:
        await soon(lambda: answers(api).get("uid-slow", {}).get("failed"))
        assert answers(api)["uid-slow"]["failed"][0]["code"] == "path-refused"
        assert in_force(agent) == []

    working(agent, scenario, asks("a", condition={"trace": "/etc/hostname"}))


# the end of the agent


def stored(api: FakeApi, **metadata: str) -> None:
    """The namespace and the DaemonSet that the agent is of."""
    api.put("namespaces", {"metadata": {"name": "netweather"}})
    api.put("daemonsets", {"metadata": {"name": "agent", "namespace": "netweather", **metadata}})


def going(api: FakeApi) -> None:
    stored(api, deletionTimestamp="2026-01-01T00:00:00Z")


def emptied(api: FakeApi) -> None:
    stored(api)
    api.put("namespaces", {"metadata": {"name": "netweather", "deletionTimestamp": "2026-01-01T00:00:00Z"}})


def away(api: FakeApi) -> None:
    going(api)
    api.away = True


def without_rights(api: FakeApi) -> None:
    stored(api)
    api.forbidden = True


ENDS: list[tuple[Callable[[FakeApi], None], bool]] = [
    (stored, False),  # a restart, or a rollout
    (away, False),
    (going, True),
    (lambda api: api.put("namespaces", {"metadata": {"name": "netweather"}}) and None, True),
    (emptied, True),  # its pods go before its DaemonSets
    (without_rights, True),
]
NAMES = ["restarted", "server away", "going", "gone", "namespace", "without rights"]


@pytest.mark.parametrize(("cluster", "ends"), ENDS, ids=NAMES)
def test_conditions_end_with_an_agent_that_is_taken_away_and_with_no_other(
    agent: Agent, world: World, sandboxes: Sandboxes, cluster: Callable[[FakeApi], None], ends: bool
) -> None:
    api = FakeApi()
    ask(api, asks("a"))

    async def connect() -> FakeApi:
        return api

    async def run() -> None:
        node = NodeAgent(agent, "node-1", connect, "netweather/agent")
        task = asyncio.create_task(node.run())
        await soon(lambda: in_force(agent) == [("a", "slow")])
        task.cancel()
        cluster(api)
        await node.leave()

    asyncio.run(asyncio.wait_for(run(), 40))
    assert in_force(agent) == ([] if ends else [("a", "slow")])


def test_an_account_that_the_server_does_not_know_yet_is_no_end() -> None:
    api = FakeApi()
    without_rights(api)

    async def run() -> bool:
        asked = asyncio.create_task(node_agent.is_taken_away(api, "netweather/agent"))  # type: ignore[arg-type]  # it shows the same
        await asyncio.sleep(0)
        api.forbidden = False
        return await asked

    assert not asyncio.run(asyncio.wait_for(run(), 10))


def test_what_others_set_through_an_agent_ends_with_it_and_what_a_keeper_keeps_does_not(
    agent: Agent, world: World, sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from netweather.conditions import load

    sandboxes["uid-b"] = "b"
    for name in ("a", "b"):
        with world.resolve([f"cri:{name}"])[0] as target:
            agent.engine.set(target, load({"name": "by-hand", "lease": "1m", "rules": [{"condition": {"delay": "5ms"}}]}))
    with world.resolve(["cri:a"])[0] as target:
        ours = target.identity
    monkeypatch.setattr(agent.keeping, "keeps", lambda identity: identity == ours)

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: len(in_force(agent)) == 3)
        node = NodeAgent(agent, "node-1", daemonset="netweather/agent")
        node._api = api  # type: ignore[assignment]  # as after `run`
        await node.leave()

    working(agent, scenario, asks("b"))
    assert in_force(agent) == [("b", "by-hand")]

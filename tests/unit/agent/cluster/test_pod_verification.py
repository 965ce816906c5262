"""What the cluster asks to verify, over an API server in memory and fake kernels; what measures is in the tests' hands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from netweather.agent.agent import Agent
from netweather.agent.cluster import pod_verification
from netweather.errors import NetweatherError
from netweather.measure import ConditionEvidence
from tests.support.fakeapi import FakeApi, soon
from tests.support.world import World
from tests.unit.agent.cluster.test_node_agent import Sandboxes, answers, ask, asks, sandboxes, working

__all__ = ["sandboxes"]
HELD = ConditionEvidence("cri:a", "slow", {}, (), {}, (), ())
BROKEN = ConditionEvidence("cri:a", "slow", {}, (), {}, ("its program is gone",), ())


@pytest.fixture
def measured(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], list[Any]]:
    """Sets what a measurement finds; returns the list of what was measured: (target's name, wish)."""
    asked: list[Any] = []

    def by(found: Callable[[], ConditionEvidence]) -> list[Any]:
        def verify(engine: Any, target: Any, wish: Any, look: Any) -> list[ConditionEvidence]:
            asked.append((target.name, wish))
            look(0.5, "half")
            return [found()]

        monkeypatch.setattr(pod_verification, "verify", verify)
        monkeypatch.setattr(pod_verification, "open_pod", lambda sandbox: world.resolve([f"cri:{sandbox}"])[0])
        monkeypatch.setattr(pod_verification, "pods_by_uid", dict)
        monkeypatch.setattr(pod_verification, "references_by_address", lambda _: {"192.0.2.7": "cri:b", "192.0.2.8": "cri:c"})
        return asked

    return by


def verdicts(api: FakeApi) -> dict[str, str]:
    return {each["pod"]: each["verdict"] for each in answers(api).get("uid-slow", {}).get("proofs", [])}


def test_what_asks_for_it_is_measured_once_and_again_when_it_changed(
    agent: Agent, sandboxes: Sandboxes, measured: Callable[[Any], list[Any]]
) -> None:
    asked = measured(lambda: BROKEN)

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: verdicts(api) == {"uid-a": "FAIL"})
        assert answers(api)["uid-slow"]["proofs"][0]["evidence"].startswith("its program is gone")
        ask(api, asks("a", seconds=120, verify=True))  # a later end is no change
        await soon(
            lambda: (
                answers(api)["uid-slow"]["inForce"]
                and api.objects["nodeconditions", "", "node-1"]["status"]["observedGeneration"] == 2
            )
        )
        assert len(asked) == 1
        ask(api, asks("a", condition={"delay": {"time": "7ms"}}, verify=True))
        await soon(lambda: len(asked) == 2)
        ask(api, asks("a"))
        await soon(lambda: verdicts(api) == {})

    working(agent, scenario, asks("a", verify=True))


def test_peers_on_the_node_are_entered_and_the_host_answers_for_nobody(
    agent: Agent, sandboxes: Sandboxes, measured: Callable[[Any], list[Any]]
) -> None:
    asked = measured(lambda: HELD)

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: verdicts(api))
        ((target, wish),) = asked
        assert (target, wish.name, wish.nearby, wish.anybody) == ("a", "slow", {"192.0.2.7": "cri:b"}, "host")

    rules = [{"to": ["192.0.2.7", "192.0.2.9"], "condition": {"delay": {"time": "1ms"}}}]
    working(agent, scenario, asks("a", verify=True, spec={"rules": rules}))


def test_whatever_goes_wrong_leaves_it_open(
    agent: Agent, sandboxes: Sandboxes, measured: Callable[[Any], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Exception] = [NetweatherError("busy", "somebody is at it"), RuntimeError("a bug")]

    def fail() -> ConditionEvidence:
        raise errors[0]

    measured(fail)

    async def scenario(api: FakeApi) -> None:
        for words in ("somebody is at it", "a bug", "took longer than"):
            await soon(lambda words=words: words in str(answers(api).get("uid-slow", {}).get("proofs")))  # type: ignore[misc]
            assert verdicts(api) == {"uid-a": "CAN'T TELL"}
            if errors.pop(0) and not errors:
                errors.append(RuntimeError("never"))
                monkeypatch.setattr(pod_verification, "LONGEST_S", -1.0)
            ask(api, asks("a", condition={"delay": {"time": f"{len(words)}ms"}}, verify=True))

    working(agent, scenario, asks("a", verify=True))


def test_nothing_else_waits_for_it(agent: Agent, sandboxes: Sandboxes, measured: Callable[[Any], list[Any]]) -> None:
    go = threading.Event()

    def slowly() -> ConditionEvidence:
        go.wait(20)
        return HELD

    measured(slowly)
    sandboxes["uid-b"] = "b"

    async def scenario(api: FakeApi) -> None:
        try:
            await soon(lambda: answers(api).get("uid-slow", {}).get("inForce") == ["uid-a"])
            ask(api, asks("a", verify=True), asks("b", name="other"))
            await soon(lambda: answers(api).get("uid-other", {}).get("inForce") == ["uid-b"])
            assert verdicts(api) == {}
        finally:
            go.set()
        await soon(lambda: verdicts(api) == {"uid-a": "CAN'T TELL"})  # no rule was measured

    working(agent, scenario, asks("a", verify=True))

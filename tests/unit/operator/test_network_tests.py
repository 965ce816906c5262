"""operator/network_tests.py: NetworkTests on an API server in memory, with an agent and a Job controller that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from netweather.kubernetes.objects.pod_selection import PodPolicy
from netweather.kubernetes.server import informer
from netweather.operator import network_tests as module
from netweather.operator import operator as operators
from netweather.operator.network_tests import Trials
from netweather.operator.operator import Operator
from netweather.reports.job_results import results_of
from tests.support.fakeapi import FakeApi, soon
from tests.support.objects import CREATED, DELAY, network_test, pod

Object = dict[str, Any]
SLOW = {"name": "slow", "condition": {"rules": [{"condition": DELAY}]}}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name, value in (
        (informer, "FIRST_PAUSE_S", 0.001),
        (operators, "GATHERS_S", 0.001),
        (operators, "RETRIES_S", 0.01),
        (module, "LOOKS_S", 0.005),
    ):
        monkeypatch.setattr(owner, name, value)


class Cluster:
    """codes: how the Job on a network ends (0 unless told; None: never)."""

    def __init__(self, api: FakeApi, codes: dict[str, int | None]) -> None:
        self.api, self.codes = api, codes

    async def run(self) -> None:
        while True:
            await asyncio.sleep(0.002)
            for (plural, _, name), found in list(self.api.objects.items()):
                if plural == "nodeconditions":
                    self._answer(name, found)
                elif plural == "jobs" and "status" not in found:
                    self._end(found)

    def _answer(self, name: str, found: Object) -> None:
        """As an agent: everything is in force at once."""
        told = [
            {"uid": each["uid"], "generation": each["generation"], "inForce": [one["uid"] for one in each["pods"]]}
            for each in found["spec"]["conditions"]
        ]
        if (found.get("status") or {}).get("conditions") != told:
            self.api.put("nodeconditions", {**found, "status": {"conditions": told}})

    def _end(self, job: Object) -> None:
        """As kubelet and controller: a pod runs, and ends."""
        name, network = job["metadata"]["name"], job["metadata"]["labels"]["netweather.dev/network"]
        code = self.codes.get(network, 0)
        if code is None:
            return
        state = {"terminated": {"exitCode": code, "startedAt": CREATED, "finishedAt": CREATED}}
        made = pod(f"{name}-x", labels={"job-name": name}, phase="Succeeded")
        made["spec"]["containers"] = [{"name": "test"}]
        made["status"]["containerStatuses"] = [{"name": "test", "state": state}]
        self.api.logs[f"{name}-x"] = f"on {network}"
        self.api.put("pods", made)
        ended = {"type": "Failed" if code else "Complete", "status": "True"}
        self.api.put("jobs", {**job, "status": {"conditions": [ended]}})


def running(
    scenario: Callable[[FakeApi], Any], *found: Object, codes: dict[str, int | None] | None = None, api: FakeApi | None = None
) -> FakeApi:
    """Runs a scenario beside an operator of a cluster with these NetworkTests, and a pod of each of two apps."""
    api = api or FakeApi()
    for app in ("api", "db"):
        api.put("pods", pod(app, labels={"app": app}))
    for each in found:
        api.put("networktests", each)

    async def run() -> None:
        operator = Operator(api, PodPolicy(few=100))
        cluster = Cluster(api, codes or {})
        tasks = [asyncio.create_task(each.run()) for each in (operator, Trials(api, operator), cluster)]
        try:
            await scenario(api)
        finally:
            for task in tasks:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks)

    asyncio.run(asyncio.wait_for(run(), 30))
    return api


def status(api: FakeApi, name: str = "checkout") -> Object:
    return dict(api.objects["networktests", "shop", name].get("status") or {})


def reason(api: FakeApi, name: str = "checkout") -> str:
    """Of Complete, when it is."""
    return next((each["reason"] for each in status(api, name).get("conditions", ()) if each["status"] == "True"), "")


def states(api: FakeApi) -> dict[str, str]:
    return {each["network"]: each["state"] for each in status(api).get("cells", ())}


def left(api: FakeApi, plural: str) -> list[str]:
    return [name for kind, _, name in api.objects if kind == plural]


def test_a_run_from_its_object_to_its_report() -> None:
    async def scenario(api: FakeApi) -> None:
        await soon(lambda: reason(api))

    api = running(scenario, network_test(), codes={"slow": 7})
    assert (reason(api), states(api)) == ("Shortcomings", {"perfect": "Passed", "slow": "Failed"})
    assert left(api, "networkconditions") == []
    assert left(api, "jobs") == ["checkout-perfect", "checkout-slow"]
    kept = api.objects["configmaps", "shop", "checkout-report"]
    assert kept["metadata"]["ownerReferences"][0]["uid"] == "uid-checkout"
    results = results_of(kept["data"])
    assert results["slow"]["cells"][0]["log"] == "on slow\nexit code 7"
    (evidence,) = results["slow"]["evidence"]
    assert (evidence["inForce"], evidence["target"]) == (True, "shop: api")
    assert set(kept["data"]) == {"perfect.cell.json", "slow.cell.json", "report.json", "report.xml"}


def test_an_operator_that_is_restarted_again_and_again_repeats_nothing() -> None:
    api = FakeApi()
    made: list[tuple[str, str]] = []
    create = api.create

    async def counted(kind: Any, found: Object, namespace: str = "") -> Object:
        made.append((kind.plural, found["metadata"]["name"]))
        return await create(kind, found, namespace)

    api.create = counted  # type: ignore[method-assign]  # to look at what is made

    async def little(api: FakeApi) -> None:
        before = api.writes
        await soon(lambda: api.writes > before + 1 or reason(api))

    running(little, network_test(networks=[{"name": "perfect"}, SLOW, {**SLOW, "name": "slower"}]), api=api)
    rounds = 0
    while not reason(api):
        rounds += 1
        running(little, api=api)
    assert rounds > 2
    assert set(states(api).values()) == {"Passed"}
    ours = [each for each in made if each[0] != "nodeconditions"]
    assert sorted(ours) == sorted(set(ours))


def test_targets_that_do_not_overlap_have_their_jobs_at_once() -> None:
    def on(app: str) -> Object:
        return {
            "name": app,
            "condition": {"targets": [{"podSelector": {"matchLabels": {"app": app}}}], "rules": [{"condition": DELAY}]},
        }

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: len(left(api, "jobs")) == 2)

    api = running(scenario, network_test(networks=[on("api"), on("db")]), codes={"api": None, "db": None})
    assert left(api, "jobs") == ["checkout-api", "checkout-db"]

    async def waits(api: FakeApi) -> None:
        await soon(lambda: left(api, "jobs"))
        await asyncio.sleep(0.05)

    again = {**on("api"), "name": "again"}
    api = running(waits, network_test(networks=[on("api"), again]), codes={"api": None, "again": None})
    assert left(api, "jobs") == ["checkout-api"]
    assert states(api) == {"api": "Running", "again": "Pending"}


def test_a_job_that_takes_too_long_is_ended_and_its_log_is_kept() -> None:
    async def scenario(api: FakeApi) -> None:
        await soon(lambda: reason(api))

    api = running(scenario, network_test(networks=[{"name": "perfect"}], timeout="1s"), codes={"perfect": None})
    assert (reason(api), states(api), left(api, "jobs")) == ("Shortcomings", {"perfect": "TimedOut"}, [])


def test_without_rights_in_the_namespace_it_says_how_to_give_them() -> None:
    api = FakeApi()
    api.closed = {"shop"}

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: reason(api))

    running(scenario, network_test(), api=api)
    assert reason(api) == "Refused"
    assert "create rolebinding netweather-tests --clusterrole=netweather-tests" in status(api)["conditions"][0]["message"]


def test_rights_that_come_a_moment_later_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLES_S", 1e9)
    api = FakeApi()
    api.closed = {"shop"}

    async def scenario(api: FakeApi) -> None:
        await asyncio.sleep(0.05)
        assert reason(api) == ""
        api.closed = set()
        await soon(lambda: reason(api) == "AllIsWell")

    running(scenario, network_test(), api=api)


def test_nobody_else_s_objects_are_written_or_deleted() -> None:
    foreign = {"metadata": {"name": "checkout-report", "namespace": "shop", "uid": "x"}, "data": {"a": "b"}}
    metadata = {"name": "checkout-slow", "namespace": "shop", "uid": "y", "labels": {"netweather.dev/test": "checkout"}}
    job = {"metadata": metadata, "status": {"conditions": []}}

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: reason(api))

    api = FakeApi()
    api.put("configmaps", foreign)
    running(scenario, network_test(), api=api)
    assert reason(api) == "Refused"
    assert api.objects["configmaps", "shop", "checkout-report"]["data"] == {"a": "b"}
    api = FakeApi()
    api.put("jobs", job)
    running(scenario, network_test(), api=api)
    assert (reason(api), states(api)) == ("CantTell", {"perfect": "Passed", "slow": "CantTell"})
    assert api.objects["jobs", "shop", "checkout-slow"]["metadata"]["uid"] == "y"
    assert "no Job" in status(api)["cells"][1]["message"]


def test_a_template_that_nobody_checked_hurts_no_other_test() -> None:
    containers = [{"name": "test", "env": "A=1"}]
    bad = [
        {"spec": {"template": {"metadata": "none", "spec": {"containers": [{}]}}}},
        {"spec": {"template": {"spec": {"containers": containers}}}},
        {"spec": {"activeDeadlineSeconds": "soon", "template": {"spec": {"containers": [{}]}}}},
    ]
    names = [f"bad-{number}" for number in range(len(bad))]

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: all(reason(api, name) for name in [*names, "checkout"]))

    tests = [network_test(name, jobTemplate=template) for name, template in zip(names, bad, strict=True)]
    api = running(scenario, *tests, network_test())
    assert [reason(api, name) for name in names] == ["Refused"] * 3
    assert reason(api) == "AllIsWell"


@pytest.mark.parametrize(
    ("spec", "namespace", "words"),
    [({"networks": []}, "shop", "names 0 networks"), ({}, "kube-system", "kube-system is protected")],
)
def test_what_is_refused_is_explained(spec: Object, namespace: str, words: str) -> None:
    def message(api: FakeApi) -> str:
        found = api.objects["networktests", namespace, "checkout"].get("status") or {}
        return str(found["conditions"][0]["message"]) if found else ""

    async def scenario(api: FakeApi) -> None:
        await soon(lambda: words in message(api))

    running(scenario, network_test(namespace=namespace, **spec))


def test_one_that_is_changed_while_it_runs_ends() -> None:
    async def scenario(api: FakeApi) -> None:
        await soon(lambda: states(api).get("slow") == "Running")
        found = api.objects["networktests", "shop", "checkout"]
        api.put("networktests", {**found, "metadata": {**found["metadata"], "generation": 2}})
        await soon(lambda: reason(api) == "Refused")

    api = running(scenario, network_test(networks=[SLOW]), codes={"slow": None})
    assert (left(api, "networkconditions"), left(api, "jobs")) == ([], [])

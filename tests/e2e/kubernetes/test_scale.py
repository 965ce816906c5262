"""Many nodes by simulation: Node and Pod objects on a real API server, no kubelets, an operator in this process; its writes are counted.

NETWEATHER_TESTS_SCALE=10 pytest --full -s tests/e2e/kubernetes/test_scale.py     # 1,000 nodes, 10,000 pods, 200 conditions
"""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

import pytest

from netweather.kubernetes.objects.pod_selection import PodPolicy
from netweather.kubernetes.server.api import CONDITIONS, PODS, Api, Kind
from netweather.operator.operator import Operator
from tests.cluster.node import Cluster
from tests.support.fakeapi import soon
from tests.support.objects import DELAY
from tests.support.rig import until

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]
TIMES = int(os.environ.get("NETWEATHER_TESTS_SCALE", "1"))
MACHINES, PODS_OF_ONE, WANTED = 100 * TIMES, 10, 20 * TIMES
SPACE, MARK = "nwt-scale", "nwt-scale"
AT_ONCE = 16


@pytest.fixture
def crowd(kubernetes: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A namespace, and no operator but ours; all of it goes at the end."""
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig))
    kubernetes.kubectl("-n", "netweather", "scale", "deployment/operator", "--replicas=0")
    theirs = ("-n", "netweather", "get", "pods", "-l", "app.kubernetes.io/name=netweather-operator", "-o", "name")
    until(lambda: not kubernetes.kubectl(*theirs), 180, "the other operator is gone")
    kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    until(lambda: kubernetes.kubectl("-n", SPACE, "get", "serviceaccount", "default", check=False), 30, "pods may be made")
    try:
        yield kubernetes
    finally:
        # Collections at once: kubectl itself would take each object for itself, a few a second.
        here = f"/api/v1/namespaces/{SPACE}/pods?gracePeriodSeconds=0"
        for path in (here, f"/api/v1/nodes?labelSelector={MARK}%3D1", "/apis/netweather.dev/v1alpha1/nodeconditions"):
            # The server takes half a minute for a request, and for ten thousand pods several of them.
            until(lambda path=path: kubernetes.kubectl("delete", "--raw", path, check=False), 300, f"{path} is empty")
        kubernetes.kubectl("delete", "namespace", SPACE, "--wait=false")
        kubernetes.kubectl("-n", "netweather", "scale", "deployment/operator", "--replicas=2")


def machine(number: int) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"{MARK}-{number}", "labels": {MARK: "1"}}}


def pod(number: int, node: int) -> dict[str, Any]:
    spec = {
        "nodeName": f"{MARK}-{node}",
        "containers": [{"name": "app", "image": "none"}],
        "tolerations": [{"operator": "Exists"}],
    }
    metadata = {"name": f"pod-{number}", "namespace": SPACE, "labels": {"group": f"g{number % WANTED}"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def condition(number: int) -> dict[str, Any]:
    spec = {
        "targets": [{"podSelector": {"matchLabels": {"group": f"g{number}"}}}],
        "rules": [{"condition": DELAY}],
        "lease": "1h",
    }
    kind = {"apiVersion": "netweather.dev/v1alpha1", "kind": "NetworkCondition"}
    return {**kind, "metadata": {"name": f"slow-{number}", "namespace": SPACE}, "spec": spec}


async def every(work: Iterable[Callable[[], Awaitable[object]]]) -> None:
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(each: Callable[[], Awaitable[object]]) -> None:
        async with slots:
            await each()

    async with asyncio.TaskGroup() as group:
        for each in work:
            group.create_task(one(each))


async def populate(api: Api) -> None:
    count = MACHINES * PODS_OF_ONE
    await every(lambda n=n: api.create(Kind("nodes", "", "v1"), machine(n)) for n in range(MACHINES))
    await every(lambda n=n: api.create(PODS, pod(n, n % MACHINES), SPACE) for n in range(count))
    await every(lambda n=n: api.create(CONDITIONS, condition(n), SPACE) for n in range(WANTED))


def told(operator: Operator) -> int:
    """Pods of all nodes' objects."""
    specs = [spec for (_, name), (spec, _) in operator.nodes.objects.items() if name.startswith(MARK)]
    return sum(len(each["pods"]) for spec in specs for each in spec["conditions"])


def test_from_cold_and_after_one_change(crowd: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    async def run() -> tuple[float, int, float, int]:
        theirs, ours = await Api.connect(), await Api.connect()
        await populate(theirs)
        if ours is theirs:  # kr8s may share its client, and so the count
            ours = Api(theirs._client)
        operator = Operator(ours, PodPolicy(few=10**6))
        began = time.monotonic()
        task = asyncio.create_task(operator.run())
        await soon(lambda: told(operator) == MACHINES * PODS_OF_ONE, 300)
        cold, writes = time.monotonic() - began, ours.writes
        await asyncio.sleep(1)
        settled = ours.writes
        began = time.monotonic()
        await theirs.create(PODS, pod(MACHINES * PODS_OF_ONE, 0), SPACE)
        await soon(lambda: told(operator) == MACHINES * PODS_OF_ONE + 1, 60)
        changed = time.monotonic() - began
        await asyncio.sleep(1)
        task.cancel()
        after = ours.writes - settled
        await theirs.close()
        return cold, writes, changed, after

    cold, writes, changed, after = asyncio.run(run())
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with capsys.disabled():
        told_of = f"{MACHINES} nodes, {MACHINES * PODS_OF_ONE} pods, {WANTED} conditions"
        print(
            f"\n{told_of}: cold {cold:.1f} s with {writes} writes; a pod {changed:.2f} s with {after} writes; {megabytes:.0f} MB"
        )
    assert writes == MACHINES + WANTED
    assert after == 2  # the object of its node, and the status of its condition
    assert megabytes < 500

"""A NetworkScenario on a real node: its steps come and go in time, on the node alone when there is nobody to ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.node import Cluster, Node
from tests.support.rig import until
from tests.support.shop import Shop, shop

pytestmark = pytest.mark.timeout(300)  # the first of them starts the node


@pytest.fixture(scope="module")
def app(kubernetes: Cluster) -> Iterator[Shop]:
    with shop(kubernetes, clients=1, servers=1) as made:
        yield made


def play(app: Shop, *steps: dict[str, Any], **more: Any) -> None:
    kind = {"apiVersion": "netweather.dev/v1alpha1", "kind": "NetworkScenario"}
    spec = {"targets": [{"podSelector": {"matchLabels": {"app": "client"}}}], "steps": list(steps), **more}
    app.cluster.apply({**kind, "metadata": {"name": "evening", "namespace": app.namespace}, "spec": spec})


def status(app: Shop) -> dict[str, Any]:
    found = app.cluster.get("-n", app.namespace, "networkscenario", "evening")
    told: dict[str, Any] = found.get("status", {})
    return told if told.get("observedGeneration") == found["metadata"]["generation"] else {}


def delayed(at: str, lasts: str, name: str, ms: int) -> dict[str, Any]:
    condition = {"delay": {"time": f"{ms}ms"}}
    return {"at": at, "for": lasts, "name": name, "to": [{"service": "server"}], "direction": "egress", "condition": condition}


def test_its_steps_come_and_go_it_is_changed_live_and_ends(app: Shop) -> None:
    service, (client,) = app.address("service", "server"), app.pods("client")
    play(app, delayed("0s", "60s", "slow", 200), delayed("2s", "58s", "slower", 400), lease="50s")
    until(lambda: status(app).get("step") == "slow, slower", 20, "it is at both steps")
    app.slow(client, service, 0.4)  # the later one is met
    assert status(app)["summary"] == "1/1"
    play(app, delayed("0s", "3s", "short", 300))
    app.slow(client, service, 0.3)
    until(lambda: status(app).get("conditions", [{}])[-1].get("status") == "True", 20, "it has ended")
    app.quick(client, service)
    app.kubectl("delete", "networkscenario", "evening")


@pytest.mark.full
def test_cut_off_from_the_cluster_each_step_ends_in_its_time(app: Shop, kubernetes: Cluster) -> None:
    if not isinstance(kubernetes, Node):
        pytest.skip("this cluster's API server is not ours to stop")
    service, (client,) = app.address("service", "server"), app.pods("client")
    play(app, delayed("0s", "10s", "slow", 200), delayed("20s", "20s", "slower", 400))
    app.slow(client, service)
    kubernetes.stop("apiserver")
    try:
        until(lambda: not kubernetes.held(), 60, "the first step ended on the node")
        until(kubernetes.held, 60, "the second began")
        until(lambda: not kubernetes.held(), 60, "and ended")
    finally:
        kubernetes.start("apiserver")
    until(lambda: app.kubectl("get", "networkscenarios", check=False), 60, "it answers again")
    until(lambda: status(app)["conditions"][-1]["status"] == "True", 60, "the operator knows")
    app.quick(client, service)

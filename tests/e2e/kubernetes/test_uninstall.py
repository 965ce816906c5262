"""Netweather is taken off a cluster while conditions are in force: they end, though nobody cleared them.

That a restart ends none: test_conditions.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cluster import install
from tests.cluster.node import Cluster, Node
from tests.support import charts
from tests.support.machine import SLOW
from tests.support.rig import until
from tests.support.shop import Shop, shop

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]


@pytest.fixture
def app(kubernetes: Cluster) -> Iterator[Shop]:
    """The application with one client, on a node of which Netweather may be taken."""
    if not isinstance(kubernetes, Node):
        pytest.skip("on this cluster Netweather is not ours to take away")
    with shop(kubernetes, clients=1, servers=1) as made:
        try:
            yield made
        finally:
            install.apply(kubernetes)


def delete_all(node: Node) -> None:
    """kubectl delete -k."""
    install.uninstall(node)


def delete_daemonset_first(node: Node) -> None:
    """As `helm uninstall` does: workloads, then rights, then accounts; kinds and the namespace stay."""
    for what in ("deployment/operator", "daemonset/agent", "role/netweather-agent", "serviceaccount/agent"):
        node.kubectl("-n", "netweather", "delete", what, "--wait=false")


@pytest.mark.parametrize("way", [delete_all, delete_daemonset_first])
def test_conditions_end_with_the_installation(app: Shop, way: Callable[[Node], None]) -> None:
    assert isinstance(app.cluster, Node)
    service, (client,) = app.address("service", "server"), app.pods("client")
    app.condition(lease="1h")
    app.in_force(pods=1)
    app.slow(client, service)
    assert len(app.cluster.held()) == 1
    way(app.cluster)
    until(lambda: app.cluster.held() == [], 60, "nothing of it is left on the node")
    app.quick(client, service)
    assert ": nw0" not in app.kubectl("exec", client, "--", "ip", "-o", "link")
    left = app.cluster.kubectl("get", "namespaces,crds,clusterroles,clusterrolebindings", "-o", "name")
    assert way is not delete_all or "netweather" not in left


UNINSTALLED = [
    "Deployment",
    "DaemonSet",
    "RoleBinding",
    "Role",
    "ClusterRoleBinding",
    "ClusterRole",
    "ServiceAccount",
    "PodDisruptionBudget",
]
"""The order in which `helm uninstall` deletes what the chart has; it waits for none of them, and leaves kinds and the namespace."""


@pytest.fixture
def chart(app: Shop) -> Iterator[list[dict[str, Any]]]:
    """Netweather in the namespace `nwt-chaos`, of the Helm chart, and nothing of the usual installation; its objects."""
    if reason := charts.missing():
        pytest.skip(reason)
    node = app.cluster
    assert isinstance(node, Node)
    install.uninstall(node)
    values = {"image": {"pullPolicy": "Never"}, "runtime": {"folder": str(node.home)}}
    objects = charts.rendered("nwt-chaos", node.kubectl("api-versions").split(), values)
    node.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "nwt-chaos"}})
    node.kubectl("apply", "--validate=false", "-f", str(charts.CHART / "crds"))
    node.apply(*objects)
    try:
        for workload in ("deployment/operator", "daemonset/agent"):
            node.kubectl("-n", "nwt-chaos", "rollout", "status", workload, "--timeout=90s", timeout=100 * SLOW)
        yield objects
    finally:
        for each in reversed(objects):
            delete(node, each)
        node.kubectl("delete", "namespace", "nwt-chaos", "--wait=true", timeout=120 * SLOW)


def delete(node: Node, found: dict[str, Any]) -> None:
    where = ("-n", found["metadata"]["namespace"]) if "namespace" in found["metadata"] else ()
    node.kubectl("delete", found["kind"].lower(), found["metadata"]["name"], *where, "--ignore-not-found", "--wait=false")


def test_the_charts_installation_works_and_ends_so_too(app: Shop, chart: list[dict[str, Any]]) -> None:
    assert isinstance(app.cluster, Node)
    service, (client,) = app.address("service", "server"), app.pods("client")
    app.condition(lease="1h")
    app.in_force(pods=1)
    app.slow(client, service)
    for each in sorted(chart, key=lambda one: UNINSTALLED.index(one["kind"])):
        delete(app.cluster, each)
    until(lambda: app.cluster.held() == [], 60, "nothing of it is left on the node")
    app.quick(client, service)

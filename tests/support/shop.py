"""An application in a cluster, in a namespace of its own: clients, servers, and a Service in front of them; and how long they take."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.cluster.node import Cluster
from tests.support.rig import until

WAITS_S = 60
_numbers = itertools.count(1)
_STOPS = "trap 'exit 1' TERM; "  # a shell without a trap is deaf as process 1


@dataclass(frozen=True)
class Shop:
    """Deployments `client` and `server` (app=client, app=server), and the Service `server` on port 80."""

    cluster: Cluster
    namespace: str

    def kubectl(self, *words: str, **more: Any) -> str:
        return self.cluster.kubectl("-n", self.namespace, *words, **more)

    def pods(self, app: str) -> list[str]:
        """The names of those that run and are not going."""
        found = self.cluster.get("-n", self.namespace, "pods", "-l", f"app={app}")["items"]
        return sorted(
            each["metadata"]["name"]
            for each in found
            if each["status"].get("phase") == "Running" and "deletionTimestamp" not in each["metadata"]
        )

    def address(self, kind: str, name: str) -> str:
        path = "{.spec.clusterIP}" if kind == "service" else "{.status.podIP}"
        return self.kubectl("get", kind, name, "-o", f"jsonpath={path}")

    def took(self, pod: str, address: str, port: int = 80) -> float:
        """Seconds for one connection from a pod, which is opened and closed."""
        script = f"time nc -w 5 {address} {port} </dev/null"
        told = self.kubectl("exec", pod, "--", "sh", "-c", f"({script}) 2>&1", check=False)
        found = re.search(r"real\s+(\d+)m ([\d.]+)s", told)
        assert found, told
        return int(found[1]) * 60 + float(found[2])

    def slow(self, pod: str, address: str, at_least: float = 0.2, port: int = 80) -> None:
        """Waits until it is. Raises AssertionError."""
        until(lambda: self.took(pod, address, port) >= at_least, 20, f"{pod} is slow to {address}")

    def quick(self, pod: str, address: str, port: int = 80) -> None:
        """Waits until it is: the machine may be busy, but what is delayed never comes sooner. Raises AssertionError."""
        until(lambda: self.took(pod, address, port) < 0.15, 20, f"{pod} is quick to {address}")

    def condition(self, name: str = "slow", **spec: Any) -> None:
        """Applies a NetworkCondition: 200 ms from the clients to the Service, unless told otherwise."""
        rule = {"to": [{"service": "server"}], "direction": "egress", "condition": {"delay": {"time": "200ms"}}}
        whole = {"targets": [{"podSelector": {"matchLabels": {"app": "client"}}}], "rules": [rule], "lease": "5m", **spec}
        metadata = {"name": name, "namespace": self.namespace}
        kind = {"apiVersion": "netweather.dev/v1alpha1", "kind": "NetworkCondition"}
        self.cluster.apply({**kind, "metadata": metadata, "spec": whole})

    def status(self, name: str = "slow") -> dict[str, Any]:
        found = self.cluster.get("-n", self.namespace, "networkcondition", name)
        status: dict[str, Any] = found.get("status", {})
        return status if status.get("observedGeneration") == found["metadata"]["generation"] else {}

    def states(self, name: str = "slow") -> dict[str, str]:
        return {each["type"]: each["status"] for each in self.status(name).get("conditions", ())}

    def in_force(self, name: str = "slow", pods: int | None = None) -> dict[str, Any]:
        """Waits until it is, on so many pods; its status."""
        until(
            lambda: (
                self.states(name).get("InForce") == "True"
                and self.status(name)["inForce"] == (pods or self.status(name)["selected"])
            ),
            30,
            f"{name} is in force",
        )
        return self.status(name)

    def clear(self, name: str = "slow") -> None:
        self.kubectl("delete", "networkcondition", name, "--wait=true")


@contextmanager
def shop(cluster: Cluster, clients: int = 2, servers: int = 2) -> Iterator[Shop]:
    """The application, while it runs; its namespace goes at the end."""
    name = f"nwt-shop-{os.getpid()}-{next(_numbers)}"
    made = Shop(cluster, name)
    try:
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        server = "echo ok > /tmp/index.html; httpd -p 8080 -h /tmp; "
        cluster.apply(
            _deployment(cluster, name, "client", clients, f"{_STOPS}while :; do sleep 1; done"),
            _deployment(cluster, name, "server", servers, f"{_STOPS}{server}while :; do sleep 1; done"),
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "server", "namespace": name},
                "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]},
            },
        )
        for each in ("client", "server"):
            made.kubectl("rollout", "status", f"deployment/{each}", f"--timeout={WAITS_S}s", timeout=WAITS_S + 10)
        yield made
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false", check=False)


def _deployment(cluster: Cluster, namespace: str, app: str, replicas: int, script: str) -> Mapping[str, Any]:
    container = {"name": "app", "image": cluster.image, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script]}
    pod = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": app, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": app}},
            "template": {"metadata": {"labels": {"app": app}}, "spec": pod},
        },
    }

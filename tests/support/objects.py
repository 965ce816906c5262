"""Kubernetes objects as the API server has them, with what a test doesn't name filled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CREATED = "2026-01-01T00:00:00Z"
DELAY = {"delay": {"time": "100ms"}}


def condition(
    name: str = "slow", namespace: str = "shop", *, status: Any = None, generation: int = 1, **spec: Any
) -> dict[str, Any]:
    """A NetworkCondition; on every pod of its namespace unless told."""
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{name}",
        "generation": generation,
        "creationTimestamp": CREATED,
    }
    spec = {"targets": [{"podSelector": {}}], "rules": [{"condition": DELAY}]} | spec
    return {
        "apiVersion": "netweather.dev/v1alpha1",
        "kind": "NetworkCondition",
        "metadata": metadata,
        "spec": spec,
        "status": status or {},
    }


def scenario(name: str = "evening", *, status: Any = None, generation: int = 1, **spec: Any) -> dict[str, Any]:
    """A NetworkScenario in shop, on all pods: 10 s of delay, and 10 s of loss after 5 s, unless told."""
    steps = [
        {"at": "0s", "for": "10s", "name": "slow", "condition": DELAY},
        {"at": "5s", "for": "10s", "name": "lossy", "condition": {"loss": {"model": "random", "percent": "5%"}}},
    ]
    found = condition(name, status=status, generation=generation)
    return {**found, "kind": "NetworkScenario", "spec": {"targets": [{"podSelector": {}}], "steps": steps} | spec}


def profile(name: str = "office", *, generation: int = 1, **spec: Any) -> dict[str, Any]:
    """A NetworkProfile; 20 ms unless told."""
    return {
        "apiVersion": "netweather.dev/v1alpha1",
        "kind": "NetworkProfile",
        "metadata": {"name": name, "uid": f"uid-{name}", "generation": generation},
        "spec": spec or {"both": {"delay": {"time": "20ms"}}},
    }


def machine(name: str, zone: str) -> dict[str, Any]:
    """A Node."""
    return {"metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": zone}}}


def pod(
    name: str,
    namespace: str = "shop",
    *,
    node: str = "node-1",
    labels: dict[str, str] | None = None,
    addresses: Sequence[str] = (),
    owner: tuple[str, str] | None = None,
    phase: str = "Running",
    **spec: Any,
) -> dict[str, Any]:
    """A pod. owner: kind and name of what made it."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}", "labels": labels or {}}
    if owner is not None:
        metadata["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    status = {"phase": phase, "podIPs": [{"ip": each} for each in addresses]}
    return {"metadata": metadata, "spec": {"nodeName": node, **spec}, "status": status}


def endpoint_slice(service: str, *addresses: str, namespace: str = "shop", number: int = 1) -> dict[str, Any]:
    """An EndpointSlice of a Service."""
    return {
        "metadata": {
            "name": f"{service}-{number}",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [each]} for each in addresses],
    }


def network_test(name: str = "checkout", namespace: str = "shop", *, status: Any = None, **spec: Any) -> dict[str, Any]:
    """A NetworkTest on the perfect network and on a slow one of the pods app=api; another Job unless told."""
    networks = [{"name": "perfect"}, {"name": "slow", "condition": {"rules": [{"condition": DELAY}]}}]
    template = {"spec": {"containers": [{"name": "test", "image": "example/test"}]}}
    whole = {
        "targets": [{"podSelector": {"matchLabels": {"app": "api"}}}],
        "networks": networks,
        "jobTemplate": {"spec": {"template": template}},
        **spec,
    }
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "generation": 1, "creationTimestamp": CREATED}
    kind = {"apiVersion": "netweather.dev/v1alpha1", "kind": "NetworkTest"}
    return {**kind, "metadata": metadata, "spec": whole, "status": status or {}}


def states(**found: str) -> dict[str, Any]:
    """A NetworkCondition's status by its conditions' states, and their reasons: states(InForce="False Pending")."""
    parts = {kind: state.partition(" ") for kind, state in found.items()}
    listed = [
        {"type": kind, "status": state, "reason": reason, "lastTransitionTime": CREATED}
        for kind, (state, _, reason) in parts.items()
    ]
    return {"observedGeneration": 1, "conditions": listed, "endsAt": "2026-01-01T00:10:00Z"}

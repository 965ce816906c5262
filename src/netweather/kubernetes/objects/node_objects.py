"""A NodeConditions object as its node reads it, and what the node answers. One object a node, named as it is.

    spec:   {conditions: [{namespace, name, uid, generation, startsAt, endsAt, probes, verify, spec: {rules, …},
             pods: [{name, uid, probePorts}]}]}
    status: {observedGeneration, conditions: [{uid, generation, engine, inForce: [pod uid], failed: [{pod, code, message}],
             proofs: [{pod, verdict, evidence}]}]}
The operator writes spec, the node status; what is said of pods that are not there yet is nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from netweather.conditions.language.loading import load
from netweather.conditions.match import Match, PortRange
from netweather.conditions.model import NetworkCondition
from netweather.errors import NetweatherError
from netweather.kubernetes.objects.snapshot import time_of
from netweather.units import Duration

KIND: Final = "NodeConditions"
PLURAL: Final = "nodeconditions"
OWNER: Final = "kubernetes"
"""Whose conditions are that an agent set for its node; it touches no others."""
_LONGEST_MESSAGE: Final = 300
OrderKey = tuple[str, str]
"""Of an order: the pod's uid, and the name that the condition has there."""


@dataclass(frozen=True)
class PodOrder:
    """One condition for one pod of a node. condition: without its lease and the exclusion of probes.

    starts, ends: absolute times. starts: None of a condition that holds as soon as it is heard of; a scenario's states have one.
    """

    uid: str
    generation: int
    pod: str
    pod_uid: str
    condition: NetworkCondition
    ends: datetime
    probe_ports: tuple[int, ...] = ()
    verify: bool = False
    starts: datetime | None = None

    def is_there(self, now: datetime) -> bool:
        """Whether it is to be in force."""
        return (self.starts is None or self.starts <= now) and now < self.ends

    @property
    def key(self) -> OrderKey:
        """One of each on a pod at a time."""
        return self.pod_uid, self.condition.name

    def at(self, now: datetime, host: Iterable[str], longer_s: float = 0.0) -> NetworkCondition | None:
        """What is to be put in force now, for the rest of its lease; None when that is over. host: the node's own addresses.

        longer_s: for so much longer, for what comes after it to take its place without a gap.
        """
        left = (self.ends - now).total_seconds()
        if left <= 0:
            return None
        left += longer_s
        exclude = self.condition.exclude
        to = tuple(host)
        if self.probe_ports and to:
            ports = tuple(PortRange(port, port) for port in self.probe_ports)
            exclude = (*exclude, Match(to=to, ports=ports, protocol="tcp"))
        return replace(self.condition, lease=Duration(int(left * 1e9)), exclude=exclude, owner=OWNER)


@dataclass(frozen=True)
class Proof:
    """What measuring a condition on a pod showed. verdict: PASS, FAIL or CAN'T TELL; evidence: what it rests on, in words."""

    verdict: str
    evidence: str


@dataclass(frozen=True)
class Orders:
    """What a node is to do, and what of that can't be read: by the condition's uid and generation, why."""

    generation: int
    pods: tuple[PodOrder, ...] = ()
    unreadable: tuple[tuple[str, int, NetweatherError], ...] = ()

    def there(self, now: datetime) -> dict[OrderKey, PodOrder]:
        """What is to be in force."""
        return {order.key: order for order in self.pods if order.is_there(now)}

    def next_edge(self, now: datetime) -> datetime | None:
        """When that changes by time alone."""
        edges = (edge for order in self.pods for edge in (order.starts, order.ends))
        return min((edge for edge in edges if edge is not None and edge > now), default=None)

    @cached_property
    def followed(self) -> frozenset[tuple[OrderKey, datetime]]:
        """Where one order of a key takes the place of another: (key, when)."""
        begins = {(order.key, order.starts) for order in self.pods if order.starts is not None}
        return frozenset((order.key, order.ends) for order in self.pods if (order.key, order.ends) in begins)


def read_orders(found: Mapping[str, Any]) -> Orders:
    """The orders of a NodeConditions object."""
    orders: list[PodOrder] = []
    unreadable: list[tuple[str, int, NetweatherError]] = []
    for each in (found.get("spec") or {}).get("conditions") or ():
        try:
            condition = load({"name": each["name"], **each["spec"]})
        except NetweatherError as error:  # of an operator that is newer than we are
            unreadable.append((each["uid"], each["generation"], error))
            continue
        for pod in each["pods"]:
            orders.append(
                PodOrder(
                    each["uid"],
                    each["generation"],
                    f"{each['namespace']}/{pod['name']}",
                    pod["uid"],
                    condition,
                    time_of(each["endsAt"]),
                    () if each.get("probes") else tuple(pod.get("probePorts") or ()),
                    bool(each.get("verify")),
                    time_of(each["startsAt"]) if "startsAt" in each else None,
                )
            )
    return Orders(found["metadata"].get("generation", 1), tuple(orders), tuple(unreadable))


def status_of(
    orders: Orders,
    in_force: Mapping[OrderKey, str],
    failed: Mapping[OrderKey, NetweatherError],
    proofs: Mapping[OrderKey, Proof],
    now: datetime,
) -> dict[str, Any]:
    """What a node answers, by the keys of the orders. in_force: which engine makes it.

    Of a scenario a pod has it in force when it has whatever is there at the moment, so that nothing is written as states come and go.
    """
    told: dict[tuple[str, int], dict[str, Any]] = {
        (each.uid, each.generation): {"uid": each.uid, "generation": each.generation} for each in orders.pods
    }
    for uid, generation, error in orders.unreadable:
        told[uid, generation] = {"uid": uid, "generation": generation, "failed": [_failure("", error)]}
    for pod, each in _by_pod(orders):
        entry = told[each[0].uid, each[0].generation]
        there = [order.key for order in each if order.is_there(now)]
        wrong = next((order.key for order in each if order.key in failed), None)
        if wrong is not None:
            entry.setdefault("failed", []).append(_failure(pod, failed[wrong]))
        elif all(key in in_force for key in there) and any(order.ends > now for order in each):
            entry |= {"engine": in_force[each[0].key]} if each[0].starts is None else {}
            entry.setdefault("inForce", []).append(pod)
        for key in sorted({order.key for order in each} & proofs.keys()):
            entry.setdefault("proofs", []).append(_proof(pod, proofs[key]))
    return {"observedGeneration": orders.generation, "conditions": list(told.values())}


def _by_pod(orders: Orders) -> Iterator[tuple[str, list[PodOrder]]]:
    """The orders of each object of the cluster's for each pod, by the pod's uid."""
    found: dict[tuple[str, str, int], list[PodOrder]] = {}
    for order in orders.pods:
        found.setdefault((order.pod_uid, order.uid, order.generation), []).append(order)
    for (pod, _, _), each in sorted(found.items(), key=lambda item: item[0]):
        yield pod, each


def _failure(pod: str, error: NetweatherError) -> dict[str, str]:
    message = " ".join(part for part in (error.what, error.why, error.remedy) if part)
    return {"pod": pod, "code": error.code, "message": message[:_LONGEST_MESSAGE]}


def _proof(pod: str, proof: Proof) -> dict[str, str]:
    return {"pod": pod, "verdict": proof.verdict, "evidence": proof.evidence[:_LONGEST_MESSAGE]}


@dataclass(frozen=True)
class NodeReport:
    """What the nodes answered of one condition, by the uid of the pod. in_force: which engine makes it; failed: code and message."""

    in_force: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    proofs: Mapping[str, Proof] = field(default_factory=dict)


Reports = Mapping[tuple[str, int], NodeReport]
"""By the uid and generation of the condition."""


def read_reports(statuses: Iterable[Mapping[str, Any]]) -> Reports:
    """Of the statuses of all NodeConditions."""
    found: dict[tuple[str, int], tuple[dict[str, str], dict[str, tuple[str, str]], dict[str, Proof]]] = {}
    for each in (one for status in statuses for one in status.get("conditions") or ()):
        in_force, failed, proofs = found.setdefault((each["uid"], each["generation"]), ({}, {}, {}))
        in_force.update(dict.fromkeys(each.get("inForce") or (), each.get("engine", "")))
        failed.update({one["pod"]: (one["code"], one["message"]) for one in each.get("failed") or ()})
        proofs.update({one["pod"]: Proof(one["verdict"], one["evidence"]) for one in each.get("proofs") or ()})
    return {key: NodeReport(*parts) for key, parts in found.items()}

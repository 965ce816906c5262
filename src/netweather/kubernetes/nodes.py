"""A NodeConditions object as its node reads it, and what the node answers. One object a node, named as it is.

    spec:   {conditions: [{namespace, name, uid, generation, endsAt, probes, verify, pods: [{name, uid, probePorts}], spec: {rules, …}}]}
    status: {observedGeneration, conditions: [{uid, generation, engine, inForce: [pod uid], failed: [{pod, code, message}],
             proofs: [{pod, verdict, evidence}]}]}
The operator writes spec, the node status; what is said of pods that are not there yet is nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from netweather.conditions.loading import load
from netweather.conditions.match import Match, PortRange
from netweather.conditions.model import NetworkCondition
from netweather.errors import NetweatherError
from netweather.kubernetes.snapshot import time_of
from netweather.units import Duration

KIND: Final = "NodeConditions"
PLURAL: Final = "nodeconditions"
OWNER: Final = "kubernetes"
"""Whose conditions are that an agent set for its node; it touches no others."""
_LONGEST_MESSAGE: Final = 300
Key = tuple[str, str]
"""Of an order: the pod's uid, and the name that the condition has there."""


@dataclass(frozen=True)
class PodOrder:
    """One condition for one pod of a node. ends: an absolute time; condition: without its lease and the exclusion of probes."""

    uid: str
    generation: int
    pod: str
    pod_uid: str
    condition: NetworkCondition
    ends: datetime
    probe_ports: tuple[int, ...] = ()
    verify: bool = False

    @property
    def key(self) -> Key:
        """One of each on a pod."""
        return self.pod_uid, self.condition.name

    def at(self, now: datetime, host: Iterable[str]) -> NetworkCondition | None:
        """What is to be put in force now, for the rest of its lease; None when that is over. host: the node's own addresses."""
        left = (self.ends - now).total_seconds()
        if left <= 0:
            return None
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
                )
            )
    return Orders(found["metadata"].get("generation", 1), tuple(orders), tuple(unreadable))


def status_of(
    orders: Orders,
    in_force: Mapping[Key, str],
    failed: Mapping[Key, NetweatherError],
    proofs: Mapping[Key, Proof],
) -> dict[str, Any]:
    """What a node answers, by the keys of the orders. in_force: which engine makes it."""
    told: dict[tuple[str, int], dict[str, Any]] = {
        (each.uid, each.generation): {"uid": each.uid, "generation": each.generation} for each in orders.pods
    }
    for uid, generation, error in orders.unreadable:
        told[uid, generation] = {"uid": uid, "generation": generation, "failed": [_failure("", error)]}
    for each in sorted(orders.pods, key=lambda order: order.pod_uid):
        entry = told[each.uid, each.generation]
        if each.key in in_force:
            entry["engine"] = in_force[each.key]
            entry.setdefault("inForce", []).append(each.pod_uid)
        if each.key in failed:
            entry.setdefault("failed", []).append(_failure(each.pod_uid, failed[each.key]))
        if each.key in proofs:
            entry.setdefault("proofs", []).append(_proof(each.pod_uid, proofs[each.key]))
    return {"observedGeneration": orders.generation, "conditions": list(told.values())}


def _failure(pod: str, error: NetweatherError) -> dict[str, str]:
    message = " ".join(part for part in (error.what, error.why, error.remedy) if part)
    return {"pod": pod, "code": error.code, "message": message[:_LONGEST_MESSAGE]}


def _proof(pod: str, proof: Proof) -> dict[str, str]:
    return {"pod": pod, "verdict": proof.verdict, "evidence": proof.evidence[:_LONGEST_MESSAGE]}


@dataclass(frozen=True)
class Report:
    """What the nodes answered of one condition, by the uid of the pod. in_force: which engine makes it; failed: code and message."""

    in_force: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    proofs: Mapping[str, Proof] = field(default_factory=dict)


Reports = Mapping[tuple[str, int], Report]
"""By the uid and generation of the condition."""


def read_reports(statuses: Iterable[Mapping[str, Any]]) -> Reports:
    """Of the statuses of all NodeConditions."""
    found: dict[tuple[str, int], tuple[dict[str, str], dict[str, tuple[str, str]], dict[str, Proof]]] = {}
    for each in (one for status in statuses for one in status.get("conditions") or ()):
        in_force, failed, proofs = found.setdefault((each["uid"], each["generation"]), ({}, {}, {}))
        in_force.update(dict.fromkeys(each.get("inForce") or (), each.get("engine", "")))
        failed.update({one["pod"]: (one["code"], one["message"]) for one in each.get("failed") or ()})
        proofs.update({one["pod"]: Proof(one["verdict"], one["evidence"]) for one in each.get("proofs") or ()})
    return {key: Report(*parts) for key, parts in found.items()}

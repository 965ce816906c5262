"""A NodeConditions object as its node reads it, and what the node answers. One object a node, named as it is.

    spec:   {conditions: [{namespace, name, uid, generation, endsAt, probes, pods: [{name, uid, probePorts}], spec: {rules, …}}]}
    status: {observedGeneration, conditions: [{uid, generation, inForce: [pod uid], failed: [{pod, code, message}]}]}
The operator writes spec, the node status; what is said of pods that are not there yet is nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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

    @property
    def key(self) -> tuple[str, str]:
        """The pod's uid, and the name that the condition has there: one of each on a pod."""
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
                )
            )
    return Orders(found["metadata"].get("generation", 1), tuple(orders), tuple(unreadable))


def status_of(orders: Orders, in_force: Iterable[PodOrder], failed: Mapping[tuple[str, str], NetweatherError]) -> dict[str, Any]:
    """What a node answers. failed: by the key of the order."""
    told: dict[tuple[str, int], dict[str, Any]] = {
        (each.uid, each.generation): {"uid": each.uid, "generation": each.generation} for each in orders.pods
    }
    for uid, generation, error in orders.unreadable:
        told[uid, generation] = {"uid": uid, "generation": generation, "failed": [_failure("", error)]}
    for each in sorted(in_force, key=lambda order: order.pod_uid):
        told[each.uid, each.generation].setdefault("inForce", []).append(each.pod_uid)
    for each in orders.pods:
        if each.key in failed:
            told[each.uid, each.generation].setdefault("failed", []).append(_failure(each.pod_uid, failed[each.key]))
    return {"observedGeneration": orders.generation, "conditions": list(told.values())}


def _failure(pod: str, error: NetweatherError) -> dict[str, str]:
    message = " ".join(part for part in (error.what, error.why, error.remedy) if part)
    return {"pod": pod, "code": error.code, "message": message[:_LONGEST_MESSAGE]}


@dataclass(frozen=True)
class Reports:
    """What all nodes answered: pods by the uid and generation of the condition, and failures by pod."""

    in_force: Mapping[tuple[str, int], frozenset[str]]
    failed: Mapping[tuple[str, int], Mapping[str, tuple[str, str]]]


def read_reports(statuses: Iterable[Mapping[str, Any]]) -> Reports:
    """Of the statuses of all NodeConditions."""
    in_force: dict[tuple[str, int], frozenset[str]] = {}
    failed: dict[tuple[str, int], dict[str, tuple[str, str]]] = {}
    for each in (one for status in statuses for one in status.get("conditions") or ()):
        key = (each["uid"], each["generation"])
        in_force[key] = in_force.get(key, frozenset()) | frozenset(each.get("inForce") or ())
        failed.setdefault(key, {}).update({one["pod"]: (one["code"], one["message"]) for one in each.get("failed") or ()})
    return Reports(in_force, failed)

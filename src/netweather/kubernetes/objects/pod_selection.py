"""Which pods a condition is for, and where it is refused: the same pods each time, whoever asks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Protocol

from netweather.errors import UsageError, unknown
from netweather.kubernetes.objects.pod_conditions import PodTarget
from netweather.kubernetes.objects.snapshot import Pod, Space
from netweather.units import Percent

KINDS: Final[Mapping[str, str]] = {
    "deployment": "deployment", "deploy": "deployment", "statefulset": "statefulset", "sts": "statefulset",
    "daemonset": "daemonset", "ds": "daemonset", "replicaset": "replicaset", "rs": "replicaset", "job": "job",
}  # fmt: skip
_WHOLE: Final = 10**9


@dataclass(frozen=True)
class PodPolicy:
    """What nobody may do by a NetworkCondition. most: the share of all pods that one may take; up to `few` pods are always allowed."""

    protected: frozenset[str] = frozenset({"kube-system"})
    most: Percent = Percent(_WHOLE // 2)
    few: int = 10


@dataclass(frozen=True)
class PodSelection:
    """The pods of a condition, and what its author should know."""

    pods: tuple[Pod, ...]
    warnings: tuple[str, ...] = ()


class Choosing(Protocol):
    """What chooses pods: a condition, or a scenario."""

    @property
    def namespace(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def targets(self) -> tuple[PodTarget, ...]: ...


def choose(
    condition: Choosing, pods: Space, every: int, policy: PodPolicy, zones: Mapping[str, str] = MappingProxyType({})
) -> PodSelection:
    """pods: those of the condition's namespace; every: how many there are in the cluster; zones: of nodes, by name.

    Raises UsageError unknown-workload, protected-namespace, too-many-pods, host-network-only.
    """
    if condition.namespace in policy.protected:
        why = "the cluster itself runs there"
        raise UsageError("protected-namespace", f"the namespace {condition.namespace} is protected", why, "use another one")
    found: dict[str, Pod] = {}
    warnings: list[str] = []
    left_out: list[str] = []
    for index, target in enumerate(condition.targets):
        meant = [pod for pod in pods.selected(target.pod_selector) if _is_meant(target, pod, zones)]
        on_host = [pod.name for pod in meant if pod.on_host]
        if on_host:
            warnings.append(f"targets[{index}]: left out, since they share the node's network: {some(on_host)}")
        left_out += on_host
        found |= {pod.uid: pod for pod in _part(target, condition.uid, [pod for pod in meant if not pod.on_host])}
    if left_out and not found:
        why = f"{some(left_out)}: a condition would affect the node and all its pods"
        raise UsageError(
            "host-network-only", "all selected pods share the node's network", why, "select pods without hostNetwork"
        )
    allowed = max(policy.few, every * policy.most.ppb // _WHOLE)
    if len(found) > allowed:
        why = f"one condition may affect {policy.most} of the cluster's {every} pods: {allowed}"
        raise UsageError("too-many-pods", f"{len(found)} pods are selected", why, "select fewer, by count or share")
    return PodSelection(tuple(sorted(found.values(), key=lambda pod: pod.key)), tuple(warnings))


def could_be(targets: Iterable[PodTarget], pods: Space) -> frozenset[str]:
    """The uids of all pods that targets may choose, whichever of them they choose, in whatever zone."""
    anywhere = [replace(target, zone="") for target in targets]
    return frozenset(pod.uid for target in anywhere for pod in pods.selected(target.pod_selector) if _is_meant(target, pod, {}))


def pods_of(target: PodTarget, uid: str, pods: Space, zones: Mapping[str, str]) -> list[Pod]:
    """Those of one target that have a network of their own, as `choose` takes them for who has this uid. Raises as `choose`."""
    meant = [pod for pod in pods.selected(target.pod_selector) if _is_meant(target, pod, zones)]
    return _part(target, uid, [pod for pod in meant if not pod.on_host])


def _is_meant(target: PodTarget, pod: Pod, zones: Mapping[str, str]) -> bool:
    """Of one that fits the selector."""
    if target.workload and pod.workload != workload(target.workload):
        return False
    if target.zone and zones.get(pod.node) != target.zone:
        return False
    return target.node in ("", pod.node) and target.pod in ("", pod.name)


def workload(text: str) -> str:
    """'deploy/shop' as 'deployment/shop'. Raises UsageError unknown-workload."""
    kind, _, name = text.partition("/")
    if kind.lower() not in KINDS or not name:
        raise unknown("unknown-workload", text, [f"{kind}/NAME" for kind in sorted(set(KINDS.values()))])
    return f"{KINDS[kind.lower()]}/{name}"


def _part(target: PodTarget, uid: str, pods: list[Pod]) -> list[Pod]:
    """So many of them as asked: by a number that each has for this condition, so that the others' coming and going changes little."""
    count = len(pods)
    if target.count is not None:
        count = target.count
    elif target.share is not None:
        count = max(1, count * target.share.ppb // _WHOLE)
    return sorted(pods, key=lambda pod: hashlib.sha256(f"{uid}/{pod.uid}".encode()).digest())[:count]


def some(names: Sequence[str], most: int = 5) -> str:
    """The first of them, and how many more there are."""
    listed = ", ".join(sorted(names)[:most])
    return listed if len(names) <= most else f"{listed} and {len(names) - most} more"

"""What a NetworkCondition in Kubernetes says in place of references: pods by selector or workload, peers by selector or Service.

    targets: [{podSelector: {matchLabels: {app: shop}}, share: 50%}, {workload: deployment/shop, node: node-1}]
    rules: [{to: [{service: db}, {podSelector: {}, namespace: other}, {cidr: 198.51.100.0/24}], condition: {delay: {time: 100ms}}}]
One that fails: `targets: [{}]` (bad-pod-target: name podSelector or workload). The words are NetworkPolicy's where it has any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from netweather.conditions.declare import about
from netweather.conditions.model import NetworkCondition
from netweather.errors import UsageError
from netweather.units import Duration, Percent

UNTIL_DELETED: Final = "untilDeleted"
PodLease = Duration | Literal["untilDeleted"]


@dataclass(frozen=True, slots=True)
class Expression:
    """One requirement of a label selector."""

    key: str = field(metadata=about("the label's key", example="tier"))
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = field(
        metadata=about("how it relates to the values", example="In")
    )
    values: tuple[str, ...] = field(default=(), metadata=about("the values of In and NotIn", example="web"))

    def holds(self, labels: Mapping[str, str]) -> bool:
        if self.operator in ("Exists", "DoesNotExist"):
            return (self.key in labels) == (self.operator == "Exists")
        return (labels.get(self.key) in self.values) == (self.operator == "In")


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """Which labels; without any requirement, all."""

    match_labels: Mapping[str, str] = field(default_factory=dict, metadata=about("labels that all must have", example="app=shop"))
    match_expressions: tuple[Expression, ...] = field(default=(), metadata=about("requirements; all must match"))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether all of it holds for these labels."""
        same = all(labels.get(key) == value for key, value in self.match_labels.items())
        return same and all(each.holds(labels) for each in self.match_expressions)


@dataclass(frozen=True, slots=True)
class PodTarget:
    """Whose network: pods of the namespace that the NetworkCondition is in. Raises UsageError bad-pod-target."""

    pod_selector: LabelSelector | None = field(
        default=None,
        metadata=about("pods by their labels; {} is every pod of the namespace", example="{matchLabels: {app: shop}}"),
    )
    workload: str = field(
        default="",
        metadata=about("pods of a deployment, statefulset, daemonset, replicaset or job", example="deployment/shop"),
    )
    pod: str = field(default="", metadata=about("the pod of this name", example="shop-0"))
    node: str = field(default="", metadata=about("only pods on this node", example="node-1"))
    zone: str = field(default="", metadata=about("only pods on nodes of this zone", example="eu-1b"))
    count: int | None = field(
        default=None, metadata=about("only this number of pods; always the same pods", example="1", minimum=1, maximum=2**31 - 1)
    )
    share: Percent | None = field(
        default=None,
        metadata=about("only this share of them, at least one, and always the same ones", unit="percent", example="50%"),
    )

    def __post_init__(self) -> None:
        if self.pod_selector is None and not self.workload and not self.pod:
            why = "Netweather does not guess what an empty target means"
            raise UsageError(
                "bad-pod-target", "a target selects no pods", why, "add podSelector ({} is every pod), workload or pod"
            )
        if self.count is not None and self.share is not None:
            raise UsageError("bad-pod-target", "a target has count and share", "only one can apply", "remove one")


@dataclass(frozen=True, slots=True)
class PodPeer:
    """The other end: one kind of word each. Raises UsageError bad-peer."""

    pod_selector: LabelSelector | None = field(
        default=None, metadata=about("pods by labels, of the same namespace by default", example="{}")
    )
    namespace: str = field(
        default="", metadata=about("the namespace of podSelector; alone: every pod of that namespace", example="payments")
    )
    zone: str = field(
        default="",
        metadata=about("only pods on nodes of this zone; alone: those of every namespace", example="eu-1b"),
    )
    service: str = field(
        default="", metadata=about("a Service: its cluster addresses and its endpoints; NAME or NAMESPACE/NAME", example="db")
    )
    cidr: str = field(default="", metadata=about("an address or prefix", example="198.51.100.0/24"))
    dns: str = field(default="", metadata=about("a host name, as the pod's own resolver knows it", example="db.example.org"))

    def __post_init__(self) -> None:
        kinds = [
            bool(self.pod_selector is not None or self.namespace or self.zone),
            bool(self.service),
            bool(self.cidr),
            bool(self.dns),
        ]
        if sum(kinds) != 1:
            why = "the kinds are pods (podSelector, namespace, zone), service, cidr and dns"
            raise UsageError("bad-peer", "a peer must be of exactly one kind", why, "write each peer as its own item of the list")


@dataclass(frozen=True, slots=True)
class PodCondition:
    """A NetworkCondition object, read. condition: its rules, in which the words of `peers` stand for what has no address yet.

    started: when its lease began, of this generation; "" when that is yet to come. probes: the kubelet's probes meet it, too.
    verify: it is measured on its pods once it is in force.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    created: str
    targets: tuple[PodTarget, ...]
    lease: PodLease
    condition: NetworkCondition
    peers: Mapping[str, PodPeer]
    probes: bool = False
    verify: bool = False
    started: str = ""

    @property
    def key(self) -> str:
        """NAMESPACE/NAME."""
        return f"{self.namespace}/{self.name}"

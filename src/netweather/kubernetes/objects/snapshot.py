"""What the cluster is like at one moment, as far as conditions care: parsed at the edge from the API server's objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from netweather.conditions.profiles import Profile
from netweather.errors import UsageError
from netweather.kubernetes.objects.condition_reader import read_condition
from netweather.kubernetes.objects.pod_conditions import LabelSelector, PodCondition
from netweather.kubernetes.objects.scenario_objects import PodScenario, read_scenario

TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_EXACT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_ENDED: Final = ("Succeeded", "Failed")
_ZONE, _OLD_ZONE = "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"
_CONTROLLER_HASH: Final = "pod-template-hash"
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_BY_NETWORK: Final = ("httpGet", "tcpSocket", "grpc")


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that was given to a node and has not ended. workload: KIND/NAME of what made it, in small letters, "" without one."""

    namespace: str
    name: str
    uid: str
    node: str
    labels: Mapping[str, str]
    addresses: tuple[str, ...] = ()
    on_host: bool = False
    workload: str = ""
    probe_ports: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Invalid:
    """A NetworkCondition or NetworkScenario that can't be read, and why."""

    namespace: str
    name: str
    generation: int
    error: UsageError

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


class Space(tuple[Pod, ...]):
    """The pods of a namespace, found by their labels without a look at each: there may be thousands, and hundreds of selectors."""

    @cached_property
    def _by_label(self) -> dict[tuple[str, str], list[Pod]]:
        found: dict[tuple[str, str], list[Pod]] = {}
        for pod in self:
            for label in pod.labels.items():
                found.setdefault(label, []).append(pod)
        return found

    def selected(self, selector: LabelSelector | None) -> Sequence[Pod]:
        """Those that fit; without a selector, all."""
        if selector is None:
            return self
        few = min((self._by_label.get(label, []) for label in selector.match_labels.items()), key=len, default=self)
        return [pod for pod in few if selector.matches(pod.labels)]


@dataclass(frozen=True)
class Snapshot:
    """now: with a time zone. services, endpoints: addresses by NAMESPACE/NAME of the Service (of each of its slices).

    zones: of nodes, by name; profiles: the cluster's own, by name.
    """

    now: datetime
    conditions: tuple[PodCondition | Invalid, ...] = ()
    pods: tuple[Pod, ...] = ()
    services: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    endpoints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    scenarios: tuple[PodScenario | Invalid, ...] = ()

    @cached_property
    def by_zone(self) -> Mapping[str, Sequence[Pod]]:
        """The pods, by the zone of their node."""
        found: dict[str, list[Pod]] = {}
        for pod in self.pods:
            found.setdefault(self.zones.get(pod.node, ""), []).append(pod)
        return found

    def by_namespace(self) -> dict[str, Space]:
        """The pods, by namespace."""
        found: dict[str, list[Pod]] = {}
        for pod in self.pods:
            found.setdefault(pod.namespace, []).append(pod)
        return {name: Space(pods) for name, pods in found.items()}


def condition_of(found: Mapping[str, Any]) -> PodCondition | Invalid:
    """A NetworkCondition object."""
    try:
        return read_condition(found)
    except UsageError as error:
        metadata = found["metadata"]
        return Invalid(metadata["namespace"], metadata["name"], metadata.get("generation", 1), error)


def scenario_of(found: Mapping[str, Any]) -> PodScenario | Invalid:
    """A NetworkScenario object."""
    try:
        return read_scenario(found)
    except UsageError as error:
        metadata = found["metadata"]
        return Invalid(metadata["namespace"], metadata["name"], metadata.get("generation", 1), error)


def pod_of(found: Mapping[str, Any]) -> Pod | None:
    """A Pod object; None when no node has it, or it has ended."""
    metadata, spec, status = found["metadata"], found.get("spec", {}), found.get("status", {})
    if not spec.get("nodeName") or status.get("phase") in _ENDED:
        return None
    listed = [each["ip"] for each in status.get("podIPs") or () if each.get("ip")]
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        node=spec["nodeName"],
        labels=metadata.get("labels") or {},
        addresses=tuple(listed or ([status["podIP"]] if status.get("podIP") else [])),
        on_host=bool(spec.get("hostNetwork")),
        workload=_workload(metadata),
        probe_ports=_probe_ports(spec),
    )


def _workload(metadata: Mapping[str, Any]) -> str:
    """Whose pod it is. A Deployment's ReplicaSet is known by its name, which ends in the hash that the pod carries as a label."""
    owner = next((each for each in metadata.get("ownerReferences") or () if each.get("controller")), None)
    if owner is None:
        return ""
    kind, name = owner["kind"].lower(), owner["name"]
    ending = f"-{(metadata.get('labels') or {}).get(_CONTROLLER_HASH, '')}"
    if kind == "replicaset" and len(ending) > 1 and name.endswith(ending):
        return f"deployment/{name.removesuffix(ending)}"
    return f"{kind}/{name}"


def _probe_ports(spec: Mapping[str, Any]) -> tuple[int, ...]:
    """The ports that the kubelet itself connects to."""
    ports: set[int] = set()
    for container in spec.get("containers") or ():
        names = {each.get("name"): each["containerPort"] for each in container.get("ports") or ()}
        for probe in (container.get(word) or {} for word in _PROBES):
            for action in (probe.get(word) or {} for word in _BY_NETWORK):
                port = str(names.get(action.get("port"), action.get("port")))
                ports |= {int(port)} if port.isdecimal() else set()
    return tuple(sorted(ports))


def zone_of(found: Mapping[str, Any]) -> str:
    """The zone of a Node object, "" of one without."""
    labels = found["metadata"].get("labels") or {}
    return str(labels.get(_ZONE) or labels.get(_OLD_ZONE) or "")


def service_addresses(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The cluster addresses of a Service object, of either family; none of a headless one."""
    spec = found.get("spec", {})
    listed = spec.get("clusterIPs") or [spec.get("clusterIP", "")]
    return tuple(each for each in listed if each not in ("", "None"))


def slice_of(found: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """An EndpointSlice object of any version: NAMESPACE/NAME of its Service, and its endpoints' addresses, ready or not."""
    metadata = found["metadata"]
    service = (metadata.get("labels") or {}).get("kubernetes.io/service-name", "")
    addresses = () if found.get("addressType") == "FQDN" else _addresses(found.get("endpoints") or ())
    return f"{metadata['namespace']}/{service}", tuple(addresses)


def _addresses(endpoints: Iterable[Mapping[str, Any]]) -> list[str]:
    return [address for each in endpoints for address in each.get("addresses") or ()]


def time_of(text: str) -> datetime:
    """A time as Kubernetes writes it; with fractions of a second, or without."""
    return datetime.fromisoformat(text).astimezone(UTC)


def text_of(time: datetime) -> str:
    """The same, written, in whole seconds."""
    return time.astimezone(UTC).strftime(TIME)


def exact_text_of(time: datetime) -> str:
    """The same, with a fraction of a second where there is one."""
    return time.astimezone(UTC).strftime(_EXACT) if time.microsecond else text_of(time)

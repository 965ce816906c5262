"""What a CRI runtime (containerd, CRI-O …) says of its pod sandboxes: read-only calls, parsed at the edge into frozen data.

The interface is Kubernetes' runtime.v1, described by `_TABLE`. Not here: what a reference means.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from netweather.errors import NetweatherError
from netweather.targets import _addresses
from netweather.targets.model import Address
from netweather.targets.runtimes import _grpc

SOCKETS: Final = (
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
    "/run/k3s/containerd/containerd.sock",
)
"""Where runtimes listen unless told otherwise, in the order in which they are looked for."""
_ENVIRONMENT: Final = "CONTAINER_RUNTIME_ENDPOINT"  # crictl's
_READY, _NODE, _RUNNING = 0, 2, 1
_TABLE: Final = _grpc.PAIR | {
    "PodSandboxMetadata": "name:1 uid:2 namespace:3 attempt:4:uint32",
    "PodSandboxFilter": "label_selector:3:Pair*",
    "ListPodSandboxRequest": "filter:1:PodSandboxFilter",
    "PodSandbox": "id:1 metadata:2:PodSandboxMetadata state:3:int32 created_at:4:int64 labels:5:Pair*",
    "ListPodSandboxResponse": "items:1:PodSandbox*",
    "PodSandboxStatusRequest": "pod_sandbox_id:1 verbose:2:bool",
    "PodIP": "ip:1",
    "PodSandboxNetworkStatus": "ip:1 additional_ips:2:PodIP*",
    "NamespaceOption": "network:1:int32",
    "Namespace": "options:2:NamespaceOption",
    "LinuxPodSandboxStatus": "namespaces:1:Namespace",
    "PodSandboxStatus": "id:1 metadata:2:PodSandboxMetadata state:3:int32 created_at:4:int64 network:5:PodSandboxNetworkStatus "
    "linux:6:LinuxPodSandboxStatus labels:7:Pair*",
    "PodSandboxStatusResponse": "status:1:PodSandboxStatus info:2:Pair*",
    "ListContainersRequest": "",
    "ContainerMetadata": "name:1",
    "Container": "id:1 pod_sandbox_id:2 metadata:3:ContainerMetadata state:6:int32",
    "ListContainersResponse": "containers:1:Container*",
    "GetEventsRequest": "",
    "ContainerEventResponse": "container_id:1 type:2:int32 pod_sandbox_status:4:PodSandboxStatus",
}


@dataclass(frozen=True)
class Sandbox:
    """A pod sandbox: what holds a pod's network. Lists leave out what follows labels.

    name: 'NAMESPACE/NAME' of its pod; on_host: its network is the node's; pid: of its own process, 0 when there is none;
    path: the runtime's file of the network namespace, perhaps in a mount namespace of the runtime's, "" when it tells none.
    """

    id: str
    name: str
    ready: bool
    created_at: int
    labels: Mapping[str, str]
    addresses: tuple[Address, ...] = ()
    on_host: bool = False
    pid: int = 0
    path: str = ""


@dataclass(frozen=True)
class PodContainer:
    """A container of a pod. sandbox: the id of its pod's."""

    id: str
    name: str
    sandbox: str
    running: bool


class CriApi:
    """A runtime behind a unix socket."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._service = _grpc.GrpcService(path, "runtime.v1.RuntimeService", _messages())
        self._made = self._service.messages

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> CriApi:
        """The runtime that CONTAINER_RUNTIME_ENDPOINT names, else the first that is there. Raises cri-unreachable, no-grpc."""
        return cls(socket_path(environment))

    def sandboxes(self, *, labels: Mapping[str, str] | None = None) -> list[Sandbox]:
        """The sandboxes, ready or not, by pod and then newest first, with all of the labels.

        Raises NetweatherError cri-unreachable, cri-unsupported, cri-failed.
        """
        pairs = [self._made["Pair"](key=key, value=value) for key, value in (labels or {}).items()]
        asked = self._made["ListPodSandboxRequest"](filter=self._made["PodSandboxFilter"](label_selector=pairs))
        found = self._service.call("ListPodSandbox", asked, "ListPodSandboxResponse")
        return sorted((_listed(each) for each in found.items), key=lambda sandbox: (sandbox.name, -sandbox.created_at))

    def inspect(self, id: str) -> Sandbox | None:  # noqa: A002 - CRI's word
        """The sandbox of that whole id, None when it is gone. Raises as `sandboxes`."""
        asked = self._made["PodSandboxStatusRequest"](pod_sandbox_id=id, verbose=True)
        found = self._service.call("PodSandboxStatus", asked, "PodSandboxStatusResponse", missing_ok=True)
        return None if found is None else _inspected(found)

    def containers(self) -> list[PodContainer]:
        """All of them, whatever their state. Raises as `sandboxes`."""
        found = self._service.call("ListContainers", self._made["ListContainersRequest"](), "ListContainersResponse")
        return [
            PodContainer(str(each.id), str(each.metadata.name), str(each.pod_sandbox_id), each.state == _RUNNING)
            for each in found.containers
        ]

    def events(self) -> _grpc.GrpcStream:
        """One answer for each change of a container or sandbox; runtimes before CRI 1.26 have none (cri-unsupported)."""
        return self._service.stream("GetContainerEvents", self._made["GetEventsRequest"](), "ContainerEventResponse")


def socket_path(environment: Mapping[str, str] = os.environ) -> str:
    """The socket of the runtime that is meant; the first of SOCKETS that is there. Raises NetweatherError cri-unreachable."""
    named = environment.get(_ENVIRONMENT, "")
    if named:
        if "://" in named and not named.startswith("unix:///"):
            raise NetweatherError(
                "cri-unreachable",
                f"{_ENVIRONMENT}={named} is not a local socket",
                "a namespace can be opened only on the machine its pod runs on",
                "write unix:///PATH",
            )
        return named.removeprefix("unix://")
    for path in SOCKETS:
        if os.path.exists(path):
            return path
    why = f"none of these exists: {', '.join(SOCKETS)}"
    raise NetweatherError("cri-unreachable", "no container runtime was found", why, f"name its socket in {_ENVIRONMENT}") from (
        FileNotFoundError(SOCKETS[0])
    )


@functools.cache
def _messages() -> _grpc.Messages:
    return _grpc.compiled("runtime.v1", _TABLE)


def _listed(found: Any) -> Sandbox:
    return Sandbox(
        id=str(found.id),
        name=f"{found.metadata.namespace}/{found.metadata.name}",
        ready=found.state == _READY,
        created_at=int(found.created_at),
        labels={pair.key: pair.value for pair in found.labels},
    )


def _inspected(found: Any) -> Sandbox:
    status = found.status
    pid, path = _verbose({pair.key: pair.value for pair in found.info}.get("info", ""))
    texts = [status.network.ip, *(each.ip for each in status.network.additional_ips)]
    return replace(
        _listed(status),
        addresses=_addresses.ordered(address for text in texts if (address := _addresses.plain(text)) is not None),
        on_host=status.linux.namespaces.options.network == _NODE,
        pid=pid,
        path=path,
    )


def _verbose(info: str) -> tuple[int, str]:
    """The process and the namespace's file, of what containerd and CRI-O tell beyond the interface; 0 and "" when they don't."""
    try:
        told = json.loads(info)
        spaces = (told.get("runtimeSpec") or {}).get("linux", {}).get("namespaces", [])
        path = next((str(each.get("path") or "") for each in spaces if each.get("type") == "network"), "")
        return int(told.get("pid") or 0), path
    except (ValueError, AttributeError, TypeError):
        return 0, ""

"""A CRI runtime for tests: a real gRPC server on a unix socket that knows the calls that are made, and whatever pods it is given."""

from __future__ import annotations

import json
import os
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from netweather.targets.runtimes import _criapi

OWN_NETWORK = f"/proc/{os.getpid()}/ns/net"


@dataclass
class FakePod:
    """A sandbox that says to be this process. containers: their ids; exited: of those that don't run."""

    name: str
    id: str
    state: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    exited: tuple[str, ...] = ()
    on_host: bool = False
    info: dict[str, Any] | None = None
    created_at: int = 1


class Runtime:
    """pods: as they are listed; before_inspect: called with each inspected pod, and may change it; code: every call fails so."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pods: list[FakePod] = []
        self.before_inspect: Callable[[FakePod], object] = lambda pod: None
        self.code: grpc.StatusCode | None = None
        self.has_events = True
        self.events: queue.Queue[Any] = queue.Queue()
        self.made = _criapi._messages()

    def add(self, name: str, **fields: Any) -> FakePod:
        fields.setdefault("id", f"{len(self.pods) + 1:064x}")
        fields.setdefault("info", {"pid": os.getpid(), "runtimeSpec": {"linux": {"namespaces": [self.network(OWN_NETWORK)]}}})
        self.pods.append(FakePod(name, **fields))
        return self.pods[-1]

    @staticmethod
    def network(path: str) -> dict[str, str]:
        return {"type": "network", "path": path}

    def answer(self, method: str, request: Any, context: grpc.ServicerContext) -> Any:
        if self.code is not None:
            context.abort(self.code, "as the test wants")
        return getattr(self, method)(request, context)

    def _pairs(self, fields: dict[str, str]) -> list[Any]:
        return [self.made["Pair"](key=key, value=value) for key, value in fields.items()]

    def _common(self, pod: FakePod) -> dict[str, Any]:
        namespace, _, name = pod.name.partition("/")
        metadata = self.made["PodSandboxMetadata"](name=name, namespace=namespace)
        common = {"id": pod.id, "metadata": metadata, "state": pod.state, "created_at": pod.created_at}
        return {**common, "labels": self._pairs(pod.labels)}

    def ListPodSandbox(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - CRI's name
        wanted = {pair.key: pair.value for pair in request.filter.label_selector}
        fitting = [pod for pod in self.pods if wanted.items() <= pod.labels.items()]
        return self.made["ListPodSandboxResponse"](items=[self.made["PodSandbox"](**self._common(pod)) for pod in fitting])

    def ListContainers(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - CRI's name
        found = [(each, pod) for pod in self.pods for each in pod.containers]
        metadata = self.made["ContainerMetadata"](name="app")
        containers = [
            self.made["Container"](id=id, pod_sandbox_id=pod.id, metadata=metadata, state=2 if id in pod.exited else 1)
            for id, pod in found  # noqa: A001 - CRI's word
        ]
        return self.made["ListContainersResponse"](containers=containers)

    def PodSandboxStatus(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - CRI's name
        found = [pod for pod in self.pods if pod.id == request.pod_sandbox_id]
        if not found:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such sandbox")
        self.before_inspect(found[0])
        pod, made = found[0], self.made
        network = made["PodSandboxNetworkStatus"](
            ip=next(iter(pod.addresses), ""), additional_ips=[made["PodIP"](ip=each) for each in pod.addresses[1:]]
        )
        options = made["NamespaceOption"](network=_criapi._NODE if pod.on_host else 0)
        linux = made["LinuxPodSandboxStatus"](namespaces=made["Namespace"](options=options))
        status = made["PodSandboxStatus"](**self._common(pod), network=network, linux=linux)
        return made["PodSandboxStatusResponse"](status=status, info=self._pairs({"info": json.dumps(pod.info)}))

    def GetContainerEvents(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802 - CRI's name
        if not self.has_events:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown method")
        while context.is_active():
            try:
                yield self.events.get(timeout=0.02)
            except queue.Empty:
                continue


_METHODS = {
    "ListPodSandbox": "ListPodSandboxRequest",
    "ListContainers": "ListContainersRequest",
    "PodSandboxStatus": "PodSandboxStatusRequest",
}


@contextmanager
def serving(path: Path) -> Iterator[Runtime]:
    """A runtime that listens at `path` until the end of the block."""
    runtime = Runtime(path)

    def unary(method: str, message: str) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: runtime.answer(method, request, context),
            runtime.made[message].FromString,
            lambda answer: answer.SerializeToString(),
        )

    handlers = {method: unary(method, message) for method, message in _METHODS.items()}
    handlers["GetContainerEvents"] = grpc.unary_stream_rpc_method_handler(
        lambda request, context: runtime.GetContainerEvents(request, context),
        runtime.made["GetEventsRequest"].FromString,
        lambda answer: answer.SerializeToString(),
    )
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("runtime.v1.RuntimeService", handlers),))
    server.add_insecure_port(f"unix:{path}")
    server.start()
    try:
        yield runtime
    finally:
        server.stop(0).wait()

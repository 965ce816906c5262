"""podman:NAME, podman:ID, podman:label=KEY=VALUE, and podman:POD: containers and pods of a local Podman, by its API service.

Podman answers Docker's API (see targets.runtimes.docker); only its pods are asked for by its own. A pod's network is that of its infra
container, which the pod's containers share and which outlives their restarts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from netweather.errors import NetweatherError
from netweather.targets import ids
from netweather.targets.model import Target, Watch
from netweather.targets.references import Reference
from netweather.targets.runtimes import docker
from netweather.targets.runtimes._dockerapi import DockerApi, Product

PODMAN: Final = Product(
    "Podman",
    "podman",
    "CONTAINER_HOST",
    ("/run/podman/podman.sock", "${XDG_RUNTIME_DIR}/podman/podman.sock"),
    "systemctl start podman.socket",
)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class PodmanPod:
    """A pod. infra: the id of the container that holds its network, "" when its containers have networks of their own."""

    id: str
    name: str
    infra: str
    containers: tuple[str, ...]


class PodmanApi(DockerApi):
    """A Podman service behind a unix socket."""

    product = PODMAN

    def pod(self, word: str) -> PodmanPod | None:
        """What Podman takes the word for: a pod's name, id, or the beginning of its id; None when there is no such pod.

        Raises podman-unreachable, podman-failed.
        """
        if not _NAME.fullmatch(word):
            return None
        found = self._get(f"/v4.0.0/libpod/pods/{quote(word, safe='')}/json", missing_ok=True)
        return None if found is None else self._parsed(_pod, found)


class PodmanContainers(docker.DockerContainers):
    """The runtime of the scheme podman."""

    def __init__(self) -> None:
        super().__init__(PodmanApi.from_environment)

    def open(self, reference: Reference, *, as_peer: bool = False) -> list[Target]:
        """The namespaces of the container, of the pod, or of all running containers with the label. Raises as docker's does."""
        try:
            return super().open(reference, as_peer=as_peer)
        except NetweatherError as error:
            api = PodmanApi.from_environment()
            pod = named_pod(api, reference.rest) if error.code == "unknown-target" else None
            if pod is None:
                raise
        found = [container for id in _holders(pod) if (container := api.inspect(id)) is not None]  # noqa: A001 - Podman's word
        targets = docker.open_running(api, found, reference, f"the pod {pod.name!r} is not running", as_peer=as_peer)
        return [replace(target, name=pod.name) for target in targets] if pod.infra else targets

    def watch(self, reference: Reference) -> Watch:
        """Those containers, as they come and go; a pod's are those that the pod has when it is looked at."""
        if not _NAME.fullmatch(reference.rest):
            return super().watch(reference)
        return PodWatch(reference)

    def _known(self, word: str) -> dict[str, str]:
        pod = PodmanApi.from_environment().pod(word)
        return super()._known(word) | ({} if pod is None else {pod.id: pod.name})


class PodWatch(docker.ContainerWatch):
    """A container or a pod of that name: which of them it is may change while it is watched."""

    def __init__(self, reference: Reference) -> None:
        self._word = word = reference.rest
        super().__init__(PodmanApi.from_environment, reference, lambda each: ids.means(word, each.id, each.name))

    def present(self) -> set[str]:
        api = PodmanApi.from_environment()
        pod = named_pod(api, self._word)
        members = () if pod is None else _holders(pod)
        # Podman's list in Docker's way leaves out infra containers.
        infra = {each for each in members if (found := api.inspect(each)) is not None and found.state == "running"}
        return super().present() | infra


def named_pod(api: PodmanApi, word: str) -> PodmanPod | None:
    """The pod of exactly that name or id; None when there is none. Raises as `PodmanApi.pod`."""
    pod = api.pod(word)
    return pod if pod is not None and ids.means(word, pod.id, pod.name) else None


def _holders(pod: PodmanPod) -> tuple[str, ...]:
    return (pod.infra,) if pod.infra else pod.containers


def _pod(found: Mapping[str, Any]) -> PodmanPod:
    shares = "net" in (found.get("SharedNamespaces") or ())
    infra = str(found.get("InfraContainerID") or "") if shares else ""
    return PodmanPod(
        str(found["Id"]), str(found["Name"]), infra, tuple(str(each["Id"]) for each in found.get("Containers") or ())
    )


RUNTIME = PodmanContainers()

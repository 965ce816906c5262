"""containerd:NAMESPACE/ID and containerd:NAMESPACE/label=KEY=VALUE: containers of a local containerd by its own API.

For what no CRI made: ctr's and nerdctl's containers, in any of containerd's namespaces. A pod's containers are there too (k8s.io), and
share their pod's network; `pod:` and `cri:` name the pod itself. Nothing inside a container is run or looked at.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from netweather.errors import NetweatherError
from netweather.targets import _open_namespaces, ids
from netweather.targets._failures import unknown_target
from netweather.targets.model import Listing, Target, Watch
from netweather.targets.references import Reference
from netweather.targets.runtimes import _grpc
from netweather.targets.runtimes._criapi import socket_path

_RUNNING: Final = 2
_TASKS: Final = "containerd.services.tasks.v1.Tasks"
_CONTAINERS: Final = "containerd.services.containers.v1.Containers"
_EVENTS: Final = "containerd.services.events.v1.Events"
_TABLE: Final = _grpc.PAIR | {
    "Empty": "",
    "Process": "id:2 pid:3:uint32 status:4:int32",
    "ListTasksResponse": "tasks:1:Process*",
    "Container": "id:1 labels:2:Pair*",
    "ListContainersResponse": "containers:1:Container*",
    "SubscribeRequest": "filters:1:string*",
    "Envelope": "topic:3",
}
_LOOKS: Final = 4


@dataclass(frozen=True)
class Task:
    """A container's first process. running: neither stopped nor paused nor only created."""

    id: str
    pid: int
    running: bool


class ContainerdApi:
    """One of a containerd's namespaces; read-only. find: tells the unix socket, at every use."""

    def __init__(self, find: Callable[[], str], namespace: str) -> None:
        self._find, self.namespace = find, namespace

    def tasks(self) -> dict[str, Task]:
        """The processes of all containers, by id. Raises NetweatherError cri-unreachable, cri-unsupported, cri-failed, no-grpc."""
        found = self._call(_TASKS, "ListTasksResponse")
        return {str(each.id): Task(str(each.id), int(each.pid), each.status == _RUNNING) for each in found.tasks}

    def labelled(self, key: str, value: str) -> set[str]:
        """The ids of the containers with that label. Raises as `tasks`."""
        found = self._call(_CONTAINERS, "ListContainersResponse").containers
        return {str(each.id) for each in found if (key, value) in {(pair.key, pair.value) for pair in each.labels}}

    def events(self) -> _grpc.GrpcStream:
        """One answer for each process that starts, ends, or is paused, in any namespace."""
        service = self._service(_EVENTS)
        asked = service.messages["SubscribeRequest"](filters=['topic~="^/tasks/(start|exit|delete|paused|resumed)$"'])
        return service.stream("Subscribe", asked, "Envelope")

    def _call(self, name: str, answer: str) -> Any:
        service = self._service(name)
        return service.call("List", service.messages["Empty"](), answer)

    def _service(self, name: str) -> _grpc.GrpcService:
        return _grpc.GrpcService(self._find(), name, _messages(), {"containerd-namespace": self.namespace})


class ContainerdContainers:
    """The runtime of the scheme containerd. connect: makes the client of a namespace, at every use."""

    def __init__(self, connect: Callable[[str], ContainerdApi] = lambda namespace: ContainerdApi(socket_path, namespace)) -> None:
        self._connect = connect

    def open(self, reference: Reference, *, as_peer: bool = False) -> list[Target]:
        """The containers' namespaces; several may be one. What does not run is passed over when others of the label do.

        Raises NetweatherError: unknown-target (names the nearest), target-not-running, target-changed,
        target-elsewhere, cri-unreachable, cri-unsupported, cri-failed, no-grpc, needs-root.
        """
        api, word = self._api(reference)
        tasks = api.tasks()
        found = select(api, tasks, word)
        if not found:
            what = f"{reference.text} does not exist"
            begun = ids.unknown(what, word, filter(ids.is_id, tasks), f"containerd:{api.namespace}/{{}}")
            raise begun or unknown_target(what, word, tasks, "containers with a process", "list them: ctr containers ls")
        awake = [id for id in found if tasks[id].running]  # noqa: A001 - what containerd calls it
        if not awake:
            what = f"no container of {reference.text} is running"
            raise NetweatherError("target-not-running", what, ", ".join(found), "start or resume it: ctr tasks ls")
        with ExitStack() as undo:
            targets = [undo.enter_context(open_task(api, id, reference)) for id in awake]  # noqa: A001 - as above
            undo.pop_all()
        return targets

    def watch(self, reference: Reference) -> Watch:
        """Those containers, as they come and go."""
        api, word = self._api(reference)
        return TaskWatch(api, word, reference)

    def complete(self, word: str) -> str:
        """NAMESPACE/ID with an id in full in place of its beginning. Raises ambiguous-target, and what containerd's failures raise."""
        namespace, _, beginning = word.partition("/")
        tasks = self._connect(namespace).tasks() if ids.is_beginning(beginning) else {}
        found = None if beginning in tasks else ids.complete(beginning, filter(ids.is_id, tasks))
        return f"{namespace}/{found}" if found else word

    def listings(self) -> list[Listing]:
        """Nothing: pods are listed as pods, Docker's containers as Docker's, and a namespace must be named."""
        return []

    def _api(self, reference: Reference) -> tuple[ContainerdApi, str]:
        namespace, _, word = reference.rest.partition("/")
        return self._connect(namespace), word


class TaskWatch:
    """The running containers of a reference, as a Watch: a key is an id and its process, so that a restart is another key."""

    every = 10.0

    def __init__(self, api: ContainerdApi, word: str, reference: Reference) -> None:
        self._api, self._word, self._reference = api, word, reference
        self._events: _grpc.GrpcStream | None = None
        self._closed = False

    def present(self) -> set[str]:
        tasks = self._api.tasks()
        return {f"{id}/{tasks[id].pid}" for id in select(self._api, tasks, self._word) if tasks[id].running}  # noqa: A001 - as above

    def open(self, key: str) -> Target | None:
        try:
            return open_task(self._api, key.rpartition("/")[0], self._reference)
        except NetweatherError as error:
            if error.code != "target-changed":
                raise
            return None

    def changes(self) -> Iterator[str]:
        self._events = self._api.events()
        for event in () if self._closed else self._events:
            yield str(event.topic)  # no key: it only says that there is something to look at

    def close(self) -> None:
        self._closed = True
        if self._events is not None:
            self._events.close()


def select(api: ContainerdApi, tasks: dict[str, Task], word: str) -> list[str]:
    """The ids that a word names, running or not: the id itself, or those with the label."""
    key, labelled, value = word.removeprefix("label=").partition("=")
    if word.startswith("label=") and labelled:
        return sorted(api.labelled(key, value) & tasks.keys())
    return [word] if word in tasks else []


def open_task(api: ContainerdApi, id: str, reference: Reference) -> Target:  # noqa: A002 - what containerd calls it
    """Open a container's namespace, sure that it is this one's: containerd is asked again after opening.

    Raises target-changed, target-elsewhere, needs-root.
    """
    task = api.tasks().get(id)
    for _ in range(_LOOKS):
        if task is None or not task.running:
            break
        target = _open_namespaces.open_of_process(reference, id, pid=task.pid, ids=_groups(api.namespace, id))
        now = api.tasks().get(id)
        if target is not None and now == task:
            return target
        if target is not None:
            target.close()
        elif now == task:
            raise NetweatherError(
                "target-elsewhere",
                f"the container {id} cannot be reached from this process",
                f"process {task.pid} on this machine is not the container's, or its control group does not prove that",
                f"run netweather in the host's pid namespace; or name the process yourself, if it is the container's: pid:{task.pid}",
            )
        task = now
    raise NetweatherError(
        "target-changed", f"{reference.text} was replaced while Netweather examined it", "it ended", "try again"
    )


def _groups(namespace: str, id: str) -> tuple[str, ...]:  # noqa: A002 - what containerd calls it
    """How the control groups of a container may be named. An id that a person chose proves nothing by itself: it may be one letter."""
    whole = f"/{namespace}/{id}"
    return (f"{whole}\n", f"{whole}/", *([id] if re.fullmatch("[0-9a-f]{64}", id) else []))


@functools.cache
def _messages() -> _grpc.Messages:
    return _grpc.compiled("containerd.local", _TABLE)


RUNTIME = ContainerdContainers()

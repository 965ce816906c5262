"""An API server in memory, as `netweather.kubernetes.server.api.Api` shows one: lists, watches, versions, merge patches, 404 and 409.

What it does not do is authorize and validate: tests/e2e/kubernetes asks a real one.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from netweather.errors import NetweatherError
from netweather.kubernetes.server.api import Kind, Stale

Object = dict[str, Any]
Key = tuple[str, str, str]


class FakeApi:
    """away: whether it answers at all. forbidden: whether it says no to reads.

    forgetful: whether it has forgotten what watches would go on from. secret: kinds that may not be read. denied: what an access
    review says no to, as verb and resource. groups: versions that are served of each. namespace, asked: of whoever connects.
    closed: namespaces in which labels and logs are not ours to ask for. logs: by pod.
    """

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.writes = 0
        self.lists = 0
        self.away = self.forbidden = self.forgetful = False
        self.secret: set[str] = set()
        self.denied: set[tuple[str, str]] = set()
        self.groups: dict[str, tuple[str, ...]] = {"netweather.dev": ("v1alpha1",)}
        self.namespace = "default"
        self.asked: tuple[str, ...] = ()
        self.closed: set[str] = set()
        self.logs: dict[str, str] = {}
        self._version = 0
        self._watchers: list[tuple[str, str, asyncio.Queue[tuple[str, Object] | Exception]]] = []

    # what somebody else does

    def put(self, plural: str, found: Object) -> Object:
        """Adds or changes an object, as kubectl does."""
        metadata = found["metadata"]
        key = (plural, metadata.get("namespace", ""), metadata["name"])
        word = "MODIFIED" if key in self.objects else "ADDED"
        self._version += 1
        stored = copy.deepcopy(found)
        stored["metadata"]["resourceVersion"] = str(self._version)
        self.objects[key] = stored
        self._tell(plural, metadata["name"], word, stored)
        return copy.deepcopy(stored)

    def remove(self, plural: str, name: str, namespace: str = "", *, told: bool = True) -> None:
        """Takes an object away. told: whether watches hear of it."""
        found = self.objects.pop((plural, namespace, name))
        self._version += 1
        if told:
            self._tell(
                plural, name, "DELETED", {**found, "metadata": {**found["metadata"], "resourceVersion": str(self._version)}}
            )

    def hang_up(self) -> None:
        """Ends all watches with a failure."""
        for _, _, queue in self._watchers:
            queue.put_nowait(_away())
        self._watchers = []

    def _tell(self, plural: str, name: str, word: str, found: Object) -> None:
        for wanted, only, queue in self._watchers:
            if wanted == plural and only in ("", name):
                queue.put_nowait((word, copy.deepcopy(found)))

    # what `Api` offers

    async def version(self) -> str:
        self._need()
        return "v1.20.2"

    async def served(self, group: str) -> tuple[str, ...]:
        self._need()
        return self.groups.get(group, ())

    async def close(self) -> None:
        pass

    async def list(self, kind: Kind, name: str = "", namespace: str = "") -> tuple[list[Object], str]:
        self._need()
        if kind.plural in self.secret:
            raise _no(403)
        self.lists += 1
        found = [
            each
            for (plural, space, one), each in self.objects.items()
            if plural == kind.plural and name in ("", one) and namespace in ("", space)
        ]
        return copy.deepcopy(found), str(self._version)

    async def watch(self, kind: Kind, since: str, name: str = "") -> AsyncIterator[tuple[str, Object]]:
        self._need()
        if self.forgetful:
            self.forgetful = False
            raise Stale(since)
        queue: asyncio.Queue[tuple[str, Object] | Exception] = asyncio.Queue()
        self._watchers.append((kind.plural, name, queue))
        while True:
            event = await queue.get()
            if isinstance(event, Exception):
                raise event
            yield event

    async def labelled(self, kind: Kind, namespace: str, labels: str) -> tuple[Object, ...]:
        self._allow(namespace)
        key, value = labels.split("=")
        found = [each for (plural, where, _), each in self.objects.items() if (plural, where) == (kind.plural, namespace)]
        return tuple(copy.deepcopy(each) for each in found if (each["metadata"].get("labels") or {}).get(key) == value)

    async def log(self, pod: str, container: str, namespace: str, most: int) -> str:
        self._allow(namespace)
        return self.logs[pod][-most:]

    async def read(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        self._need()
        if self.forbidden or kind.plural in self.secret:
            raise _no(403)
        return copy.deepcopy(self.objects.get((kind.plural, namespace, name)))

    async def create(self, kind: Kind, found: Object, namespace: str = "") -> Object:
        if kind.plural == "selfsubjectaccessreviews":
            asked = found["spec"]["resourceAttributes"]
            return {**found, "status": {"allowed": (asked["verb"], asked["resource"]) not in self.denied}}
        if (kind.plural, namespace, found["metadata"]["name"]) in self.objects:
            raise _no(409)
        given = {"uid": f"uid-{found['metadata']['name']}", "generation": 1, "creationTimestamp": _now()}
        return self._written(kind, {**found, "metadata": {**given, **found["metadata"]}}, namespace)

    async def replace(self, kind: Kind, found: Object, namespace: str = "") -> Object:
        known = self._known(kind, found["metadata"]["name"], namespace)
        if known["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]:
            raise _no(409)
        return self._written(kind, found, namespace)

    async def merge(self, kind: Kind, name: str, change: Object, namespace: str = "", part: str = "") -> Object:
        known = self._known(kind, name, namespace)
        whole = "data" if kind.plural == "configmaps" else "spec"
        assert kind.plural == "events" or set(change) == {part or whole}, (
            "a subresource takes its own part, and the object the rest"
        )
        return self._written(kind, _merged(known, change), namespace)

    async def delete(self, kind: Kind, name: str, namespace: str = "") -> None:
        self._need()
        self.writes += 1
        if (kind.plural, namespace, name) in self.objects:
            self.remove(kind.plural, name, namespace)

    def _written(self, kind: Kind, found: Object, namespace: str) -> Object:
        self._need()
        self.writes += 1
        return self.put(kind.plural, {**found, "metadata": {**found["metadata"], "namespace": namespace}})

    def _known(self, kind: Kind, name: str, namespace: str) -> Object:
        self._need()
        if (kind.plural, namespace, name) not in self.objects:
            raise _no(404)
        return self.objects[kind.plural, namespace, name]

    def _allow(self, namespace: str) -> None:
        self._need()
        if namespace in self.closed:
            raise _no(403)

    def _need(self) -> None:
        if self.away:
            raise _away()


def _merged(known: Any, change: Any) -> Any:
    """RFC 7386."""
    if not isinstance(change, dict):
        return copy.deepcopy(change)
    found = dict(known) if isinstance(known, dict) else {}
    for key, value in change.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _merged(found.get(key), value)
    return found


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _away() -> NetweatherError:
    return NetweatherError("cluster-unreachable", "the cluster does not answer")


def _no(status: int) -> NetweatherError:
    error = NetweatherError("cluster-refused", f"the cluster said {status}")
    cause = Exception(str(status))
    cause.response = SimpleNamespace(status_code=status)  # type: ignore[attr-defined]  # as kr8s' have it
    error.__cause__ = cause
    return error


async def soon(true: Callable[[], object], seconds: float = 20) -> None:
    """Waits until it is true. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)

"""The API server, as far as conditions need it: list, watch, write. The one place that speaks to it, by kr8s' client.

Every call ends: a server that doesn't answer is a NetweatherError cluster-unreachable after seconds, one that says no is cluster-refused.
Versions of other groups than ours are asked for, since Kubernetes moves them (EndpointSlice was v1beta1 until 1.21).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from netweather.errors import NetweatherError

PAGE: Final = 500
ANSWERS_S, WATCHES_S = 10, 60
LOG_LINES, LOG_BYTES = 20_000, 64 << 20
"""Of a log that is read: its last lines, and so much of them at most."""
_MERGE: Final = {"Content-Type": "application/merge-patch+json"}
Object = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of object by its plural and group ("" is the core). version: unless given, the one that the server prefers."""

    plural: str
    group: str = ""
    version: str = ""


CONDITIONS: Final = Kind("networkconditions", "netweather.dev", "v1alpha1")
SCENARIOS: Final = Kind("networkscenarios", "netweather.dev", "v1alpha1")
PROFILES: Final = Kind("networkprofiles", "netweather.dev", "v1alpha1")
NODES: Final = Kind("nodeconditions", "netweather.dev", "v1alpha1")
MACHINES: Final = Kind("nodes", "", "v1")
TESTS: Final = Kind("networktests", "netweather.dev", "v1alpha1")
JOBS: Final = Kind("jobs", "batch", "v1")
CONFIGS: Final = Kind("configmaps", "", "v1")
PODS: Final = Kind("pods", "", "v1")
SERVICES: Final = Kind("services", "", "v1")
SLICES: Final = Kind("endpointslices", "discovery.k8s.io")
EVENTS: Final = Kind("events", "", "v1")
LEASES: Final = Kind("leases", "coordination.k8s.io", "v1")
NAMESPACES: Final = Kind("namespaces", "", "v1")
DAEMONSETS: Final = Kind("daemonsets", "apps", "v1")
DEPLOYMENTS: Final = Kind("deployments", "apps", "v1")
ACCESS: Final = Kind("selfsubjectaccessreviews", "authorization.k8s.io", "v1")


class Stale(Exception):
    """The server no longer has what a watch would go on from: list again."""


class Api:
    """A connection to the cluster that KUBECONFIG names, or of the pod that we are in."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._versions: dict[str, str] = {}
        self.writes = 0
        """How many there were."""

    @classmethod
    async def connect(cls, kubeconfig: str = "", context: str = "", namespace: str = "") -> Api:
        """Of another kubeconfig, context or namespace than usual. Raises NetweatherError no-kubernetes-extra, cluster-unreachable."""
        try:
            import kr8s
        except ModuleNotFoundError as error:
            raise no_extra(error) from error
        with warnings.catch_warnings():  # it says that it has not tried every release of Kubernetes; we have tried 1.20
            warnings.simplefilter("ignore")
            async with _explained("connecting"):
                client = await kr8s.asyncio.api(
                    kubeconfig=kubeconfig or None, context=context or None, namespace=namespace or None
                )
        client.timeout = ANSWERS_S
        return cls(client)

    @property
    def namespace(self) -> str:
        """The one that is meant unless another is named."""
        return str(self._client.namespace)

    async def version(self) -> str:
        """The API server's, such as v1.20.2. Raises NetweatherError."""
        async with _explained("GET version"), self._client.call_api("GET", base="/version", version="") as answer:
            return str(answer.json()["gitVersion"])

    async def served(self, group: str) -> tuple[str, ...]:
        """The versions of a group of kinds; none of a group that it doesn't know. Raises NetweatherError."""
        try:
            async with (
                _explained(f"GET {group}"),
                self._client.call_api("GET", base="/apis", version="", url=group) as answer,
            ):
                return tuple(each["version"] for each in answer.json()["versions"])
        except NetweatherError as error:
            if is_missing(error):
                return ()
            raise

    async def close(self) -> None:
        """Lets the connections go."""
        if self._client._session is not None:  # kr8s leaves that to the end of the process
            await self._client._session.aclose()

    async def list(self, kind: Kind, name: str = "", namespace: str = "") -> tuple[list[Object], str]:
        """All objects of a kind, of a namespace or of all, or that of a name; and what a watch goes on from. Raises NetweatherError."""
        found: list[Object] = []
        asked: dict[str, Any] = {"limit": PAGE, **_named(name)}
        while True:
            page = await self._call("GET", kind, namespace=namespace, params=asked)
            found += page["items"]
            if not (more := page["metadata"].get("continue")):
                return found, page["metadata"]["resourceVersion"]
            asked["continue"] = more

    async def labelled(self, kind: Kind, namespace: str, labels: str) -> tuple[Object, ...]:
        """The objects of a namespace with these labels ("key=value,…"); the rights of that namespace are enough. Raises NetweatherError."""
        page = await self._call("GET", kind, namespace=namespace, params={"labelSelector": labels})
        return tuple(page["items"])

    async def log(self, pod: str, container: str, namespace: str, most: int) -> str:
        """The last `most` bytes of what a container printed. Raises NetweatherError."""
        asked = {"container": container, "tailLines": LOG_LINES, "limitBytes": LOG_BYTES}
        end = b""
        async with _explained(f"the log of {pod}"):
            place = await self._place(PODS)
            place["url"] += f"/{pod}/log"
            async with self._client.call_api("GET", **place, namespace=namespace, params=asked, stream=True) as answer:
                async for part in answer.aiter_bytes():
                    end = (end + part)[-most:]
        return end.decode(errors="replace")

    async def watch(self, kind: Kind, since: str, name: str = "") -> AsyncIterator[tuple[str, Object]]:
        """('ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK', object) as it happens, for a minute. Raises Stale, NetweatherError."""
        import httpx

        asked = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": since,
            "timeoutSeconds": WATCHES_S,
            **_named(name),
        }
        patience = httpx.Timeout(ANSWERS_S, read=WATCHES_S + ANSWERS_S)
        async with (
            _explained(f"watching {kind.plural}"),
            self._client.call_api("GET", **await self._place(kind), params=asked, stream=True, timeout=patience) as answer,
        ):
            async for line in answer.aiter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise Stale(event["object"].get("message", ""))
                yield event["type"], event["object"]

    async def create(self, kind: Kind, found: Object, namespace: str = "") -> Object:
        """Raises NetweatherError cluster-refused when it is there already."""
        return await self._write("POST", kind, namespace, json=found)

    async def read(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        """None when there is none."""
        try:
            return await self._call("GET", kind, f"/{name}", namespace)
        except NetweatherError as error:
            if error.code == "cluster-refused" and is_missing(error):
                return None
            raise

    async def replace(self, kind: Kind, found: Object, namespace: str = "") -> Object:
        """As it was read: refused when somebody else has written it since."""
        return await self._write("PUT", kind, namespace, f"/{found['metadata']['name']}", json=found)

    async def merge(self, kind: Kind, name: str, change: Object, namespace: str = "", part: str = "") -> Object:
        """A merge patch. part: "status", or the whole."""
        rest = f"/{name}/{part}" if part else f"/{name}"
        return await self._write("PATCH", kind, namespace, rest, content=json.dumps(change), headers=_MERGE)

    async def delete(self, kind: Kind, name: str, namespace: str = "") -> None:
        """One that is gone already is no error; what it owns goes with it (a Job's pods would stay, unless told)."""
        try:
            await self._write("DELETE", kind, namespace, f"/{name}", params={"propagationPolicy": "Background"})
        except NetweatherError as error:
            if not is_missing(error):
                raise

    async def _write(self, method: str, kind: Kind, namespace: str, rest: str = "", **more: Any) -> Object:
        self.writes += 1
        return await self._call(method, kind, rest, namespace, **more)

    async def _call(self, method: str, kind: Kind, rest: str = "", namespace: str = "", **more: Any) -> Object:
        async with _explained(f"{method} {kind.plural}{rest}"):
            place = await self._place(kind)
            place["url"] += rest
            async with self._client.call_api(method, **place, namespace=namespace or None, **more) as answer:
                found: Object = answer.json()
        return found

    async def _place(self, kind: Kind) -> dict[str, str]:
        if not kind.group:
            return {"base": "/api", "version": kind.version, "url": kind.plural}
        version = kind.version or await self._preferred(kind.group)
        return {"base": "/apis", "version": f"{kind.group}/{version}", "url": kind.plural}

    async def _preferred(self, group: str) -> str:
        if group not in self._versions:
            async with self._client.call_api("GET", base="/apis", version="", url=group) as answer:
                self._versions[group] = answer.json()["preferredVersion"]["version"]
        return self._versions[group]


def no_extra(error: ModuleNotFoundError) -> NetweatherError:
    """What to tell who has not installed what a cluster needs."""
    why = f"the package {error.name} is not installed"
    return NetweatherError(
        "no-kubernetes-extra", "this installation has no support for Kubernetes", why, "install netweather[kubernetes]"
    )


def is_there_already(error: NetweatherError) -> bool:
    """Whether the server said that there is such an object, or a newer one."""
    return said(error) == 409


def is_missing(error: NetweatherError) -> bool:
    """Whether the server said that there is no such object or kind."""
    return said(error) == 404


def is_forbidden(error: NetweatherError) -> bool:
    """Whether the server said that this account may not, or that it knows no such account (any more)."""
    return said(error) in (401, 403)


def said(error: NetweatherError) -> int:
    """The status with which the server said no; 0 when it did not answer."""
    return int(getattr(getattr(error.__cause__, "response", None), "status_code", 0))


def _named(name: str) -> Mapping[str, str]:
    return {"fieldSelector": f"metadata.name={name}"} if name else {}


@asynccontextmanager
async def _explained(what: str) -> AsyncIterator[None]:
    """Every way in which it fails, as a NetweatherError."""
    import httpx
    import kr8s

    try:
        yield
    except kr8s.ServerError as error:
        response = getattr(error, "response", None)
        if response is not None and response.status_code == 410:
            raise Stale(str(error)) from error
        raise NetweatherError(
            "cluster-refused", f"{what}: the cluster refused it", str(error)[:500], "see the RBAC of this account"
        ) from error
    except (kr8s.APITimeoutError, kr8s.ConnectionClosedError, httpx.HTTPError, OSError, ValueError) as error:
        raise NetweatherError(
            "cluster-unreachable",
            f"{what}: the cluster does not answer",
            f"{type(error).__name__}: {error}"[:500],
            "see KUBECONFIG",
        ) from error

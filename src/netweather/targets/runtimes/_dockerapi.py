"""What Docker, or Podman by the same API, says of its containers: read-only calls over its unix socket, parsed at the edge.

http.client rather than aiodocker (docs/decisions/0010-docker-client.md). Not here: what a reference means.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote, urlencode

from netweather.errors import NetweatherError
from netweather.targets import _addresses, _sockets
from netweather.targets.model import Address

T = TypeVar("T")

_TIMEOUT: Final = 10.0
# Podman's own names of some stand beside Docker's; the rest (exec, health checks) would only wake us.
_EVENTS: Final = ("start", "die", "died", "destroy", "remove", "pause", "unpause", "rename")


@dataclass(frozen=True)
class Product:
    """An engine that speaks Docker's API. command: its client, and how its error codes begin; variable: of the environment, names
    its socket; sockets: where it listens unless told otherwise, the first that is there; start: what starts it."""

    name: str
    command: str
    variable: str
    sockets: tuple[str, ...]
    start: str


DOCKER: Final = Product("Docker", "docker", "DOCKER_HOST", ("/var/run/docker.sock",), "systemctl start docker")


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the unix socket at `path`; timeout in seconds."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path, self._seconds = path, timeout
        self._stream: _sockets.UnixStream | None = None  # http.client forgets its own when the other side will close

    def connect(self) -> None:
        self._stream = self.sock = _sockets.unix_stream(self._path, self._seconds)

    def be_patient(self) -> None:
        """From here on the other side may be silent for as long as it likes."""
        if self._stream is not None:
            self._stream.settimeout(None)

    def hang_up(self) -> None:
        """End the connection under whoever reads from it."""
        if self._stream is not None:
            _sockets.hang_up(self._stream)


@dataclass(frozen=True)
class ApiContainer:
    """A container as the engine describes it; lists leave out what follows network_mode.

    state: "running", "paused", "restarting", "created", "exited" …; pid: of its first process, 0 when there is none;
    sandbox: the engine's own file of the namespace, perhaps in a mount namespace of the engine's.
    """

    id: str
    name: str
    image: str
    state: str
    labels: Mapping[str, str]
    addresses: tuple[Address, ...]
    network_mode: str = ""
    pid: int = 0
    started_at: str = ""
    sandbox: str = ""

    @property
    def compose(self) -> str:
        """'PROJECT/SERVICE' of docker compose, "" for other containers."""
        project, service = (self.labels.get(f"com.docker.compose.{key}", "") for key in ("project", "service"))
        return f"{project}/{service}" if project and service else ""


class DockerApi:
    """An engine behind a unix socket. Every call connects anew (0.1 ms), so that nothing needs closing."""

    product = DOCKER

    def __init__(self, path: str, timeout: float = _TIMEOUT) -> None:
        self.path = path
        self._timeout = timeout

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The engine that the product's variable names, else the first socket that is there. Raises …-host-unsupported."""
        product = cls.product
        host = environment.get(product.variable, "")
        if not host:
            sockets = [os.path.expandvars(path) for path in product.sockets]
            return cls(next((path for path in sockets if os.path.exists(path)), sockets[0]))
        if not host.startswith("unix:///"):
            raise NetweatherError(
                f"{product.command}-host-unsupported",
                f"{product.variable}={host} is not a local socket",
                "a namespace can be opened only on the machine its container runs on",
                f"run netweather on that machine, with {product.variable} unset or unix:///PATH",
            )
        return cls(host.removeprefix("unix://"))

    def containers(self, *, every: bool = False, labels: Iterable[str] = ()) -> list[ApiContainer]:
        """The running (and paused) containers, or every one, that have all of the labels (KEY or KEY=VALUE).

        Raises NetweatherError docker-unreachable, docker-failed.
        """
        query = {"all": "1" if every else "0", "filters": json.dumps({"label": list(labels)})}
        found = self._get(f"/containers/json?{urlencode(query)}")
        if not isinstance(found, list):
            raise self._strange()
        return sorted((self._parsed(_listed, each) for each in found), key=lambda container: container.name)

    def inspect(self, word: str) -> ApiContainer | None:
        """What the engine takes the word for: a name, an id, or the beginning of one id; None when there is no such container.

        Raises NetweatherError docker-unreachable, docker-failed.
        """
        found = self._get(f"/containers/{quote(word, safe='')}/json", missing_ok=True)
        return None if found is None else self._parsed(_inspected, found)

    def events(self) -> EngineEvents:
        """The ids of containers that start, stop, pause or go, as it happens; nothing is asked before it is iterated over."""
        return EngineEvents(self)

    def _get(self, path: str, *, missing_ok: bool = False) -> Any:
        connection = _UnixConnection(self.path, self._timeout)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            status, body = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()
        try:
            found = json.loads(body)
        except ValueError as error:
            raise self._strange() from error
        if status == 200:
            return found
        message = str(found.get("message", "")) if isinstance(found, dict) else ""
        # Docker 20 answers 500 to an ambiguous prefix, later ones 400.
        ambiguous = "multiple" in message.lower() or "more than one" in message.lower()
        if missing_ok and (status == 404 or ambiguous):
            return None
        what = f"{self.product.name} at {self.path} answered {status}"
        raise NetweatherError(f"{self.product.command}-failed", what, message, "see the engine's log")

    def _parsed(self, parse: Callable[[Any], T], found: Any) -> T:
        try:
            return parse(found)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise self._strange() from error

    def _strange(self) -> NetweatherError:
        product = self.product
        what, remedy = (
            f"{self.path} does not answer as {product.name} does",
            f"point {product.variable} at {product.name}'s own socket",
        )
        return NetweatherError(f"{product.command}-failed", what, "", remedy)

    def _unreachable(self, error: Exception) -> NetweatherError:
        product = self.product
        set_host = f"or point {product.variable} at the engine's socket (unix:///PATH)"
        reason = str(getattr(error, "strerror", None) or error) or type(error).__name__
        if isinstance(error, FileNotFoundError):
            why, remedy = "the socket does not exist", f"start {product.name} ({product.start}), {set_host}"
        elif isinstance(error, PermissionError):
            why, remedy = reason, f"run netweather as root (sudo netweather …), or join the group {product.command}"
        elif isinstance(error, ConnectionRefusedError):
            why, remedy = "no process listens on it", f"start {product.name} ({product.start}), {set_host}"
        else:
            why, remedy = reason, f"see whether {product.command} ps answers, {set_host}"
        what = f"{product.name} could not be reached at {self.path}"
        return NetweatherError(f"{product.command}-unreachable", what, why, remedy)


class EngineEvents:
    """An engine's events: "" once it listens, then the id of each container that something happened to.

    Ends when it is closed, by any thread. Raises NetweatherError …-unreachable, …-failed when the engine does.
    """

    def __init__(self, api: DockerApi) -> None:
        self._api = api
        self._connection = _UnixConnection(api.path, _TIMEOUT)
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[str]:
        query = urlencode({"filters": json.dumps({"type": ["container"], "event": _EVENTS})})
        try:
            self._connection.request("GET", f"/events?{query}")
            if self._closed.is_set():  # before there was anything to hang up
                return
            answer = self._connection.getresponse()
            if answer.status != 200:
                raise self._api._strange()
            self._connection.be_patient()
            yield ""
            while line := answer.readline():
                yield str(json.loads(line)["Actor"]["ID"])
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
            if not self._closed.is_set():
                raise self._api._unreachable(error) from error
        finally:
            self._connection.close()
        if not self._closed.is_set():
            raise self._api._unreachable(ConnectionResetError("the engine ended its events"))

    def close(self) -> None:
        """End the iteration, also one that waits."""
        self._closed.set()
        self._connection.hang_up()


def _listed(found: dict[str, Any]) -> ApiContainer:
    # A container that others link to has further names of the form /OTHER/ALIAS.
    names = [name.removeprefix("/") for name in found["Names"] or []]
    return ApiContainer(
        id=str(found["Id"]),
        name=next((name for name in names if "/" not in name), str(found["Id"])[:12]),
        image=str(found.get("Image", "")),
        state=str(found["State"]),
        labels=dict(found.get("Labels") or {}),
        addresses=_networks(found),
        network_mode=str((found.get("HostConfig") or {}).get("NetworkMode") or ""),
    )


def _inspected(found: dict[str, Any]) -> ApiContainer:
    state = found["State"]
    return ApiContainer(
        id=str(found["Id"]),
        name=str(found["Name"]).removeprefix("/"),
        image=str(found["Config"].get("Image", "")),
        state=str(state["Status"]),
        labels=dict(found["Config"].get("Labels") or {}),
        addresses=_networks(found),
        network_mode=str((found.get("HostConfig") or {}).get("NetworkMode") or ""),
        pid=int(state["Pid"]),
        started_at=str(state["StartedAt"]),
        sandbox=str((found.get("NetworkSettings") or {}).get("SandboxKey") or ""),
    )


def _networks(found: dict[str, Any]) -> tuple[Address, ...]:
    networks = (found.get("NetworkSettings") or {}).get("Networks") or {}
    written = [network.get(key) or "" for network in networks.values() for key in ("IPAddress", "GlobalIPv6Address")]
    return _addresses.ordered(address for text in written if (address := _addresses.plain(text)) is not None)

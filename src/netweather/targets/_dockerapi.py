"""What Docker says of its containers: two read-only calls over its unix socket, parsed at the edge into frozen data.

http.client rather than aiodocker (docs/decisions/0010-docker-client.md). Not here: what a reference means.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from netweather.errors import NetweatherError
from netweather.targets import _addresses, _sockets
from netweather.targets.model import Address

DEFAULT_SOCKET: Final = "/var/run/docker.sock"
_TIMEOUT: Final = 10.0
_SET_HOST: Final = "or point DOCKER_HOST at the engine's socket (unix:///run/user/1000/docker.sock)"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the unix socket at `path`; timeout in seconds."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path, self._seconds = path, timeout

    def connect(self) -> None:
        self.sock = _sockets.unix_stream(self._path, self._seconds)


@dataclass(frozen=True)
class Container:
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

    def __init__(self, path: str, timeout: float = _TIMEOUT) -> None:
        self.path = path
        self._timeout = timeout

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> DockerApi:
        """The engine that DOCKER_HOST names, else the one at /var/run/docker.sock. Raises docker-host-unsupported."""
        host = environment.get("DOCKER_HOST", "")
        if not host:
            return cls(DEFAULT_SOCKET)
        if not host.startswith("unix:///"):
            raise NetweatherError(
                "docker-host-unsupported",
                f"DOCKER_HOST={host} is not a local socket",
                "a namespace can be opened only on the machine its container runs on",
                "run netweather on that machine, with DOCKER_HOST unset or unix:///PATH",
            )
        return cls(host.removeprefix("unix://"))

    def containers(self, *, every: bool = False, labels: Iterable[str] = ()) -> list[Container]:
        """The running (and paused) containers, or every one, that have all of the labels (KEY or KEY=VALUE).

        Raises NetweatherError docker-unreachable, docker-failed.
        """
        query = {"all": "1" if every else "0", "filters": json.dumps({"label": list(labels)})}
        found = self._get(f"/containers/json?{urlencode(query)}")
        if not isinstance(found, list):
            raise self._strange()
        return sorted((self._parsed(_listed, each) for each in found), key=lambda container: container.name)

    def inspect(self, word: str) -> Container | None:
        """The container of that name, id or prefix of an id; None when there is none or the prefix fits several.

        Raises NetweatherError docker-unreachable, docker-failed.
        """
        found = self._get(f"/containers/{quote(word, safe='')}/json", missing_ok=True)
        return None if found is None else self._parsed(_inspected, found)

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
        if missing_ok and (status == 404 or "multiple" in message.lower()):
            return None
        raise NetweatherError("docker-failed", f"Docker at {self.path} answered {status}", message, "see the log of dockerd")

    def _parsed(self, parse: Any, found: Any) -> Container:
        try:
            container: Container = parse(found)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise self._strange() from error
        return container

    def _strange(self) -> NetweatherError:
        return NetweatherError(
            "docker-failed", f"{self.path} does not answer as Docker does", "", "point DOCKER_HOST at Docker's own socket"
        )

    def _unreachable(self, error: Exception) -> NetweatherError:
        reason = str(getattr(error, "strerror", None) or error) or type(error).__name__
        if isinstance(error, FileNotFoundError):
            why, remedy = "there is no such socket", f"start Docker (systemctl start docker), {_SET_HOST}"
        elif isinstance(error, PermissionError):
            why, remedy = reason, "run netweather as root (sudo netweather …), or join the group docker"
        elif isinstance(error, ConnectionRefusedError):
            why, remedy = "nobody listens there", f"start Docker (systemctl start docker), {_SET_HOST}"
        else:
            why, remedy = reason, f"see whether docker ps answers, {_SET_HOST}"
        return NetweatherError("docker-unreachable", f"Docker could not be reached at {self.path}", why, remedy)


def _listed(found: dict[str, Any]) -> Container:
    # A container that others link to has further names of the form /OTHER/ALIAS.
    names = [name.removeprefix("/") for name in found["Names"] or []]
    return Container(
        id=str(found["Id"]),
        name=next((name for name in names if "/" not in name), str(found["Id"])[:12]),
        image=str(found.get("Image", "")),
        state=str(found["State"]),
        labels=dict(found.get("Labels") or {}),
        addresses=_networks(found),
        network_mode=str((found.get("HostConfig") or {}).get("NetworkMode") or ""),
    )


def _inspected(found: dict[str, Any]) -> Container:
    state = found["State"]
    return Container(
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

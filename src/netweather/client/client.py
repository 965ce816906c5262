"""The two clients: the same calls, sent by httpx over the agent's Unix socket or over HTTPS. Not here: what they mean (calls)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar

import httpcore
import httpx

from netweather.client import calls
from netweather.client.calls import Call
from netweather.client.stats_reader import RemoteStats
from netweather.conditions import NetworkCondition, Profile
from netweather.conditions.embedding import embedded
from netweather.conditions.scenario import Scenario, embedded_scenario
from netweather.engine import Chosen, Cleared, Done, Listed, Shown
from netweather.engine.draining import Held
from netweather.engine.safety import on_host, spare_own_session
from netweather.engine.verification import Progress, Wish, silent
from netweather.engine.views.socket_stats import Stats, Wanted
from netweather.errors import NetweatherError, UsageError
from netweather.host import service_sockets
from netweather.measure import Evidence

T = TypeVar("T")
_UNIX: Final = "unix://"
_CONNECT_S: Final = 5.0


@dataclass(frozen=True)
class Where:
    """Where an agent is. address: unix:///PATH or https://HOST[:PORT]. token: over https. ca: the file of who signed it, or ""."""

    address: str
    token: str = ""
    ca: str = ""

    def __post_init__(self) -> None:
        """Raises UsageError(code="bad-agent-address")."""
        if not self.path and not self.address.startswith("https://"):
            why = "an agent is reached by its Unix socket, or over TLS"
            raise UsageError(
                "bad-agent-address",
                f"{self.address!r} is not the address of an agent",
                why,
                "write unix:///run/netweather/agent.sock or https://HOST:8753",
            )

    @property
    def path(self) -> str:
        """Of the socket; "" of an address elsewhere."""
        return self.address.removeprefix(_UNIX) if self.address.startswith(_UNIX) else ""

    def options(self) -> dict[str, Any]:
        """For httpx, of either kind."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {"base_url": "http://agent" if self.path else self.address, "headers": headers, "follow_redirects": False}

    def tls(self) -> Any:
        """What its certificate is checked with."""
        if self.path:
            return False
        if not self.ca:
            return True
        import ssl

        try:
            return ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            why = str(error)
            raise UsageError(
                "bad-ca", f"{self.ca} can't be read as certificates", why, "name a PEM file: NETWEATHER_CA"
            ) from error

    def failed(self, error: httpx.HTTPError) -> NetweatherError:
        """Nothing came back."""
        why = str(error) or type(error).__name__
        return NetweatherError(
            "agent-unreachable", f"the agent at {self.address} does not answer", why, "start it: sudo netweather agent"
        )


class Client:
    """An agent, from a program's point of view. Blocking; a context manager. Every method raises the agent's NetweatherError.

    address: unix:///PATH or https://HOST[:PORT]. token, ca: over https, see `settings`. profiles: the caller's own.
    """

    def __init__(self, address: str, *, token: str = "", ca: str = "", profiles: Mapping[str, Profile] | None = None) -> None:
        self.profiles = profiles
        self.where = Where(address, token, ca)
        self._http = httpx.Client(transport=_Transport(self.where), **self.where.options())

    def set(
        self,
        conditions: Sequence[NetworkCondition],
        *,
        dry_run: bool = False,
        host: bool = False,
        verify: bool = False,
        progress: Progress = silent,
    ) -> list[Done]:
        """Puts conditions in force on the targets that they name: all, or none. host: the target `host` is meant.

        verify: each is measured; when one does not hold, all is as before, and it is not-proved.
        """
        if verify:
            progress(0.0, "measured by the agent")
        sent = _as_sent(conditions, self.where, self.profiles)
        return self._send(calls.set_conditions(sent, dry_run=dry_run, host=host, verify=verify))

    def show(self, references: Sequence[str] = (), *, lived: bool = False) -> list[Shown]:
        """The conditions in force on these targets, or on all of the agent's machine.

        lived: with what the connections of each rule lived through.
        """
        return self._send(calls.show(references, lived=lived))

    def clear(
        self, references: Sequence[str] = (), name: str | None = None, owner: str | None = None, *, held: Held = "drain"
    ) -> list[Cleared]:
        """Ends conditions: on these targets or all, of this name and owner or all. Traffic is normal on return.

        held: what becomes of packets that emulated links hold: "drain" lets them out later, for 10 s at most; "wait" returns
        when that is done, "drop" drops them. With both, all devices are removed on return.
        """
        return self._send(calls.clear(references, name, owner, held))

    def complete(self, reference: str) -> str:
        """The reference with an id in full in place of its beginning, as a command line takes it."""
        return self._send(calls.complete(reference))

    def verify(self, reference: str, wish: Wish | None = None, progress: Progress = silent) -> list[Evidence]:
        """The evidence for a target's conditions."""
        progress(0.0, "measured by the agent")
        return self._send(calls.verify(reference, wish or Wish()))

    def connections(self, reference: str, which: Chosen | None = None) -> list[Listed]:
        """The connections of each target that is named: how they fare, whose they are, which rules they meet."""
        return self._send(calls.connections([reference], which or Chosen()))

    def reset(self, reference: str, which: Chosen, *, host: bool = False) -> list[Listed]:
        """Ends connections, and returns those. host: the target `host` is meant."""
        return self._send(calls.reset([reference], which, host=host))

    def stats(self, reference: str, wanted: Wanted | None = None) -> Stats:
        """Begins to count what the sockets of each target that is named do; the caller closes it."""
        begun = self._send(calls.begin_stats(reference, wanted or Wanted()))
        return RemoteStats(
            begun, lambda number: self._send(calls.read_stats(number)), lambda number: self._send(calls.end_stats(number))
        )

    def run_scenario(self, scenario: Scenario) -> dict[str, Any]:
        """Begins to play a scenario; returns its document when the first moment is in force."""
        return self._send(calls.run_scenario(embedded_scenario(scenario, self.profiles)))

    def turn_scenario(self, name: str, how: Literal["pause", "resume", "stop"]) -> dict[str, Any]:
        """Holds a scenario, goes on with it, or ends it."""
        return self._send(calls.turn_scenario(name, how))

    def scenarios(self, name: str | None = None) -> list[dict[str, Any]]:
        """The scenarios of the agent, or one, with where each stands."""
        return self._send(calls.scenarios(name))

    def look(self, path: str) -> Any:
        """What the API says of health, targets, profiles or doctor, as it comes."""
        return self._send(calls.plain(path))

    def _send(self, call: Call[T]) -> T:
        try:
            response = self._http.request(**_request(call))
        except httpx.HTTPError as error:
            raise self.where.failed(error) from error
        return _answered(call, response)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient:
    """The same for asyncio."""

    def __init__(self, address: str, *, token: str = "", ca: str = "", profiles: Mapping[str, Profile] | None = None) -> None:
        self.profiles = profiles
        self.where = Where(address, token, ca)
        transport = httpx.AsyncHTTPTransport(uds=self.where.path or None, verify=self.where.tls())
        self._http = httpx.AsyncClient(transport=transport, **self.where.options())

    async def set(
        self, conditions: Sequence[NetworkCondition], *, dry_run: bool = False, host: bool = False, verify: bool = False
    ) -> list[Done]:
        """Puts conditions in force on the targets that they name: all, or none. host: the target `host` is meant.

        verify: each is measured; when one does not hold, all is as before, and it is not-proved.
        """
        sent = _as_sent(conditions, self.where, self.profiles)
        return await self._send(calls.set_conditions(sent, dry_run=dry_run, host=host, verify=verify))

    async def show(self, references: Sequence[str] = (), *, lived: bool = False) -> list[Shown]:
        """The conditions in force on these targets, or on all of the agent's machine.

        lived: with what the connections of each rule lived through.
        """
        return await self._send(calls.show(references, lived=lived))

    async def clear(
        self, references: Sequence[str] = (), name: str | None = None, owner: str | None = None, *, held: Held = "drain"
    ) -> list[Cleared]:
        """Ends conditions: on these targets or all, of this name and owner or all. Traffic is normal on return.

        held: what becomes of packets that emulated links hold: "drain" lets them out later, for 10 s at most; "wait" returns
        when that is done, "drop" drops them. With both, all devices are removed on return.
        """
        return await self._send(calls.clear(references, name, owner, held))

    async def complete(self, reference: str) -> str:
        """The reference with an id in full in place of its beginning, as a command line takes it."""
        return await self._send(calls.complete(reference))

    async def verify(self, reference: str, wish: Wish | None = None) -> list[Evidence]:
        """The evidence for a target's conditions."""
        return await self._send(calls.verify(reference, wish or Wish()))

    async def connections(self, reference: str, which: Chosen | None = None) -> list[Listed]:
        """The connections of each target that is named: how they fare, whose they are, which rules they meet."""
        return await self._send(calls.connections([reference], which or Chosen()))

    async def reset(self, reference: str, which: Chosen, *, host: bool = False) -> list[Listed]:
        """Ends connections, and returns those. host: the target `host` is meant."""
        return await self._send(calls.reset([reference], which, host=host))

    async def begin_stats(self, reference: str, wanted: Wanted | None = None) -> dict[str, Any]:
        """Begins to count what the sockets of each target that is named do. Returns the API's document, with the `id` to read it by."""
        return await self._send(calls.begin_stats(reference, wanted or Wanted()))

    async def read_stats(self, number: str) -> dict[str, Any]:
        """What was counted since the beginning; who doesn't ask for `leaseSeconds` ends it."""
        return await self._send(calls.read_stats(number))

    async def end_stats(self, number: str) -> dict[str, Any]:
        """Ends it, and returns the last reading."""
        return await self._send(calls.end_stats(number))

    async def run_scenario(self, scenario: Scenario) -> dict[str, Any]:
        """Begins to play a scenario; returns its document when the first moment is in force."""
        return await self._send(calls.run_scenario(embedded_scenario(scenario, self.profiles)))

    async def turn_scenario(self, name: str, how: Literal["pause", "resume", "stop"]) -> dict[str, Any]:
        """Holds a scenario, goes on with it, or ends it."""
        return await self._send(calls.turn_scenario(name, how))

    async def scenarios(self, name: str | None = None) -> list[dict[str, Any]]:
        """The scenarios of the agent, or one, with where each stands."""
        return await self._send(calls.scenarios(name))

    async def look(self, path: str) -> Any:
        """What the API says of health, targets, profiles or doctor, as it comes."""
        return await self._send(calls.plain(path))

    async def _send(self, call: Call[T]) -> T:
        try:
            response = await self._http.request(**_request(call))
        except httpx.HTTPError as error:
            raise self.where.failed(error) from error
        return _answered(call, response)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _as_sent(
    conditions: Sequence[NetworkCondition], where: Where, profiles: Mapping[str, Profile] | None
) -> list[NetworkCondition]:
    """Without files; and on this very host without the caller's own SSH session, which the agent can't know of."""
    whole = [embedded(each, profiles).condition for each in conditions]
    return [spare_own_session(each, os.environ) if where.path and on_host(each) else each for each in whole]


def _request(call: Call[T]) -> dict[str, Any]:
    """A call as httpx sends it."""
    patience = httpx.Timeout(call.patience_s, connect=_CONNECT_S)
    return {"method": call.method, "url": call.path, "params": call.parameters, "json": call.document, "timeout": patience}


def _answered(call: Call[T], response: httpx.Response) -> T:
    try:
        body = response.json()
    except ValueError:
        body = None
    return calls.answered(call, response.status_code, body)


class _Transport(httpx.HTTPTransport):
    """httpx's own, which leaves nothing open when nobody listens on the Unix socket."""

    def __init__(self, where: Where) -> None:
        super().__init__(uds=where.path or None, verify=where.tls())
        if where.path:
            self._pool = httpcore.ConnectionPool(uds=where.path, network_backend=_Backend())


class _Backend(httpcore.SyncBackend):
    """httpcore 1.0 leaves the socket of a refused connection to the garbage collector: so it is seen first whether it would be refused."""

    def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> httpcore.NetworkStream:
        try:
            listens = service_sockets.answers(Path(path))
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        if not listens:
            raise httpcore.ConnectError(f"no process listens on {path}")
        return super().connect_unix_socket(path, timeout, socket_options)

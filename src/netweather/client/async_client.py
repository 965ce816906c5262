"""The client for asyncio, by httpx over the agent's Unix socket or over HTTPS. Not here: what is asked (calls)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import httpx

from netweather.client import calls
from netweather.client.calls import Call
from netweather.client.client import Where, as_sent, parted
from netweather.client.https import CONNECT_S, contents, options, tls
from netweather.conditions import NetworkCondition
from netweather.conditions.embedding import own_profiles
from netweather.conditions.partitions import TargetGroup
from netweather.conditions.scenario import Scenario, embedded_scenario
from netweather.engine import SocketFilter, TargetSockets
from netweather.engine.draining import DrainMode
from netweather.engine.verification import VerifyOptions
from netweather.engine.views.socket_stats import CounterSelection
from netweather.measure import ConditionEvidence
from netweather.results import Cleared, ConditionStatus, SetOutcome

T = TypeVar("T")


class AsyncClient:
    """The same for asyncio."""

    def __init__(self, address: str, *, token: str = "", ca: str = "", profiles: Iterable[Path] = ()) -> None:
        self.profiles = tuple(profiles)
        self.where = Where(address, token, ca)
        transport = httpx.AsyncHTTPTransport(uds=self.where.path or None, verify=tls(self.where))
        self._http = httpx.AsyncClient(transport=transport, **options(self.where))

    async def set(
        self, conditions: Sequence[NetworkCondition], *, dry_run: bool = False, host: bool = False, verify: bool = False
    ) -> list[SetOutcome]:
        """Puts conditions in force on the targets that they name: all, or none. host: the target `host` is meant.

        verify: each is measured; when one does not hold, all is as before, and it is not-proved.
        """
        sent = as_sent(conditions, self.where, self.profiles)
        return await self._send(calls.set_conditions(sent, dry_run=dry_run, host=host, verify=verify))

    async def partition(
        self, groups: Sequence[TargetGroup], template: NetworkCondition, *, one_way: bool = False, dry_run: bool = False
    ) -> list[SetOutcome]:
        """Separates groups of targets, on all or on none. template: name, lease, owner and the one rule of its conditions."""
        return await self.set(parted(groups, template, one_way=one_way), dry_run=dry_run)

    async def show(self, references: Sequence[str] = (), *, lived: bool = False) -> list[ConditionStatus]:
        """The conditions in force on these targets, or on all of the agent's machine.

        lived: with what the connections of each rule lived through.
        """
        return await self._send(calls.show(references, lived=lived))

    async def clear(
        self, references: Sequence[str] = (), name: str | None = None, owner: str | None = None, *, held: DrainMode = "drain"
    ) -> list[Cleared]:
        """Ends conditions: on these targets or all, of this name and owner or all. Traffic is normal on return.

        held: what becomes of packets that emulated links hold: "drain" lets them out later, for 10 s at most; "wait" returns
        when that is done, "drop" drops them. With both, all devices are removed on return.
        """
        return await self._send(calls.clear(references, name, owner, held))

    async def complete(self, reference: str) -> str:
        """The reference with an id in full in place of its beginning, as a command line takes it."""
        return await self._send(calls.complete(reference))

    async def verify(self, reference: str, wish: VerifyOptions | None = None) -> list[ConditionEvidence]:
        """The evidence for a target's conditions."""
        return await self._send(calls.verify(reference, wish))

    async def connections(self, reference: str, which: SocketFilter | None = None) -> list[TargetSockets]:
        """The connections of each target that is named: how they fare, whose they are, which rules they meet."""
        return await self._send(calls.connections([reference], which))

    async def reset(self, reference: str, which: SocketFilter, *, host: bool = False) -> list[TargetSockets]:
        """Ends connections, and returns those. host: the target `host` is meant."""
        return await self._send(calls.reset([reference], which, host=host))

    async def begin_stats(self, reference: str, wanted: CounterSelection | None = None) -> dict[str, Any]:
        """Begins to count what the sockets of each target that is named do. Returns the API's document, with the `id` to read it by."""
        return await self._send(calls.begin_stats(reference, wanted))

    async def read_stats(self, number: str) -> dict[str, Any]:
        """What was counted since the beginning; who doesn't ask for `leaseSeconds` ends it."""
        return await self._send(calls.read_stats(number))

    async def end_stats(self, number: str) -> dict[str, Any]:
        """Ends it, and returns the last reading."""
        return await self._send(calls.end_stats(number))

    async def run_scenario(self, scenario: Scenario) -> dict[str, Any]:
        """Begins to play a scenario; returns its document when the first moment is in force."""
        return await self._send(calls.run_scenario(embedded_scenario(scenario, own_profiles(self.profiles))))

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
            patience = httpx.Timeout(call.patience_s, connect=CONNECT_S)
            response = await self._http.request(call.method, call.target, **contents(call.body), timeout=patience)
        except httpx.HTTPError as error:
            raise self.where.failed(error) from error
        return calls.answered(call, response.status_code, response.content)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

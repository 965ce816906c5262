"""The loop: whenever anything that matters has changed, resolve all of it anew and write what differs. It keeps no state of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from netweather.conditions.language.loading import API_VERSION
from netweather.errors import NetweatherError
from netweather.kubernetes.objects import node_objects
from netweather.kubernetes.objects.pod_selection import PodPolicy
from netweather.kubernetes.objects.profile_objects import profile_of, profile_status
from netweather.kubernetes.objects.snapshot import (
    Snapshot,
    condition_of,
    pod_of,
    scenario_of,
    service_addresses,
    slice_of,
    zone_of,
)
from netweather.kubernetes.objects.statuses import transitions
from netweather.kubernetes.reconcile import condition_status
from netweather.kubernetes.reconcile.node_plans import Resolution, resolve
from netweather.kubernetes.server import api as kinds
from netweather.kubernetes.server.api import Api
from netweather.kubernetes.server.informer import Informer
from netweather.operator.election import Election
from netweather.operator.event_writer import EventWriter

LOG: Final = logging.getLogger("netweather.operator")
GATHERS_S: Final = 0.05
"""So long it waits for more changes after the first: a rollout is many of them."""
RETRIES_S: Final = 1.0
WRITES_AT_ONCE: Final = 10


class Operator:
    """One operator. election: whether it is the one that writes, of several."""

    def __init__(self, api: Api, policy: PodPolicy | None = None, election: Election | None = None) -> None:
        self.api, self.policy, self.election = api, policy or PodPolicy(), election
        self._dirty = asyncio.Event()
        self._told = ""
        """The failure that was told last: it is tried again for as long as it lasts, and told once."""
        self.events = EventWriter(api)
        changed = self._dirty.set
        self.conditions = Informer(kinds.CONDITIONS, lambda found: (condition_of(found), found.get("status") or {}), changed)
        self.scenarios = Informer(kinds.SCENARIOS, lambda found: (scenario_of(found), found.get("status") or {}), changed)
        self.profiles = Informer(kinds.PROFILES, lambda found: (profile_of(found), found.get("status") or {}), changed)
        self.machines = Informer(kinds.MACHINES, zone_of, changed)
        self.pods = Informer(kinds.PODS, pod_of, changed)
        self.services = Informer(kinds.SERVICES, lambda found: service_addresses(found), changed)
        self.slices = Informer(kinds.SLICES, slice_of, changed)
        self.nodes = Informer(kinds.NODES, lambda found: (found.get("spec") or {}, found.get("status") or {}), changed)

    @property
    def _followed(self) -> tuple[Informer[Any], ...]:
        asked = (self.conditions, self.scenarios, self.profiles)
        return *asked, self.pods, self.services, self.slices, self.machines, self.nodes

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            for each in self._followed:
                group.create_task(each.run(self.api))
            if self.election is not None:
                group.create_task(self.election.run(self.api, self._dirty.set))
            for each in self._followed:  # of half of a cluster nothing must be concluded
                await each.listed.wait()
            LOG.info("ready: %d conditions, %d pods", len(self.conditions.objects), len(self.pods.objects))
            await self._serve()

    async def _serve(self) -> None:
        pause: float | None = 0.0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):  # wait_for forgets that it was cancelled when both happen at once
                    await self._dirty.wait()
            await asyncio.sleep(GATHERS_S)
            self._dirty.clear()
            if self.election is not None and not self.election.leads:
                pause = None
                continue
            again = await self.reconcile()
            pause = None if again is None else max(0.0, (again - datetime.now(UTC)).total_seconds())

    async def reconcile(self) -> datetime | None:
        """Once. When time alone will change anything, or what could not be written is tried again."""
        now = datetime.now(UTC)
        resolution = resolve(self.snapshot(now), self.policy)
        # A lease's beginning is remembered before anybody acts upon it.
        well = await self._each(self._status_writes(resolution, now))
        well = await self._each(self._node_writes(resolution)) and well
        if not well:
            return datetime.fromtimestamp(now.timestamp() + RETRIES_S, UTC)
        return resolution.again

    def snapshot(self, now: datetime) -> Snapshot:
        """What is known of the cluster."""
        endpoints: dict[str, tuple[str, ...]] = {}
        for name, addresses in self.slices.objects.values():
            endpoints[name] = endpoints.get(name, ()) + addresses
        return Snapshot(
            now,
            tuple(condition for condition, _ in self.conditions.objects.values()),
            tuple(self.pods.objects.values()),
            {"/".join(key): addresses for key, addresses in self.services.objects.items()},
            endpoints,
            {name: zone for (_, name), zone in self.machines.objects.items() if zone},
            {own.name: own.profile for own, _ in self.profiles.objects.values() if own.profile is not None},
            tuple(scenario for scenario, _ in self.scenarios.objects.values()),
        )

    def _status_writes(self, resolution: Resolution, now: datetime) -> Iterable[Callable[[], Awaitable[None]]]:
        reports = node_objects.read_reports(status for _, status in self.nodes.objects.values())
        for key, (condition, before) in list(self.conditions.objects.items()):
            if (resolved := resolution.conditions.get(condition.key)) is not None:
                yield from self._status_write(
                    self.conditions, key, before, condition_status.status_of(resolved, reports, before, now)
                )
        for key, (scenario, before) in list(self.scenarios.objects.items()):
            if (resolved := resolution.scenarios.get(scenario.key)) is not None:
                yield from self._status_write(
                    self.scenarios, key, before, condition_status.status_of(resolved, reports, before, now)
                )
        for key, (own, before) in list(self.profiles.objects.items()):
            yield from self._status_write(self.profiles, key, before, profile_status(own, before, now))

    def _status_write(
        self, followed: Informer[Any], key: tuple[str, str], before: dict[str, Any], after: dict[str, Any]
    ) -> Iterable[Callable[[], Awaitable[None]]]:
        """What writes a status, when it is another than before, and tells of what is new in it."""

        async def write() -> None:
            gone = dict.fromkeys(before.keys() - after.keys())
            found = await self.api.merge(followed.kind, key[1], {"status": {**gone, **after}}, key[0], "status")
            followed.put(found)
            await self.events.tell(found, transitions(before, after))

        if after != before:
            yield write

    def _node_writes(self, resolution: Resolution) -> Iterable[Callable[[], Awaitable[None]]]:
        known = {name: spec for (_, name), (spec, _) in self.nodes.objects.items()}
        alive = {pod.node for pod in self.pods.objects.values()}
        for name in sorted(known.keys() | resolution.nodes.keys()):
            wanted = resolution.nodes.get(name)
            if wanted is None and name in alive and self.nodes.objects["", name][1].get("conditions"):
                wanted = {"conditions": []}  # until the node says that nothing is in force any more
            if known.get(name) != wanted:
                yield self._node_write(name, wanted, new=name not in known)

    def _node_write(self, name: str, wanted: dict[str, Any] | None, *, new: bool) -> Callable[[], Awaitable[None]]:
        async def write() -> None:
            if wanted is None:
                await self.api.delete(kinds.NODES, name)
                self.nodes.drop(("", name))
            elif new:
                document = {
                    "apiVersion": API_VERSION,
                    "kind": node_objects.KIND,
                    "metadata": {"name": name},
                    "spec": wanted,
                }
                self.nodes.put(await self.api.create(kinds.NODES, document))
            else:
                self.nodes.put(await self.api.merge(kinds.NODES, name, {"spec": wanted}))

        return write

    async def _each(self, writes: Iterable[Callable[[], Awaitable[None]]]) -> bool:
        """A few at a time; whether all of them went well. One that fails is tried again with the next look."""
        slots = asyncio.Semaphore(WRITES_AT_ONCE)
        failures: list[NetweatherError] = []

        async def one(write: Callable[[], Awaitable[None]]) -> None:
            async with slots:
                try:
                    await write()
                except NetweatherError as error:
                    failures.append(error)

        async with asyncio.TaskGroup() as group:
            for write in writes:
                group.create_task(one(write))
        if failures and str(failures[0]) != self._told:
            LOG.warning("%d writes failed: %s", len(failures), failures[0])
        self._told = str(failures[0]) if failures else ""
        return not failures

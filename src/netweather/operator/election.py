"""Which of several operators writes: the holder of a Lease, as Kubernetes' own controllers do it.

Clocks are not compared: who waits counts, by its own clock, for how long a lease has not been renewed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from netweather.errors import NetweatherError
from netweather.kubernetes.server.api import LEASES, Api

LOG: Final = logging.getLogger("netweather.operator")
NAME: Final = "netweather-operator"
LASTS_S, RENEWS_S = 15.0, 3.0


class Election:
    """One candidate. identity: its own, such as its pod's name."""

    def __init__(self, identity: str, namespace: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.identity, self.namespace, self.clock = identity, namespace, clock
        self._mine_until = float("-inf")
        self._seen: tuple[str, float] = ("", 0.0)
        """What the lease said last, and since when it says so."""

    @property
    def leads(self) -> bool:
        """Whether nobody else can hold it now."""
        return self.clock() < self._mine_until

    async def run(self, api: Api, won: Callable[[], None]) -> None:
        """For ever. won: called when it becomes the one."""
        while True:
            before = self.leads
            try:
                await self.turn(api)
            except NetweatherError as error:
                LOG.debug("lease: %s", error)
            if self.leads and not before:
                LOG.info("%s leads", self.identity)
                won()
            await asyncio.sleep(RENEWS_S)

    async def turn(self, api: Api) -> None:
        """Takes the lease, or renews it, or sees that it is another's. Raises NetweatherError when somebody was quicker."""
        asked = self.clock()
        lease = await api.read(LEASES, NAME, self.namespace)
        if lease is None:
            await api.create(LEASES, {**_LEASE, "metadata": {"name": NAME}, "spec": self._spec({})}, self.namespace)
        else:
            spec = lease.get("spec") or {}
            if spec.get("holderIdentity") not in (None, "", self.identity) and not self._is_over(lease):
                return
            await api.replace(LEASES, {**lease, "spec": self._spec(spec)}, self.namespace)
        self._mine_until = asked + LASTS_S - RENEWS_S

    async def release(self, api: Api) -> None:
        """Lets another have it at once: who ends in order need not be waited for. Raises NetweatherError."""
        lease = await api.read(LEASES, NAME, self.namespace)
        self._mine_until = float("-inf")
        if lease is not None and (lease.get("spec") or {}).get("holderIdentity") == self.identity:
            await api.replace(LEASES, {**lease, "spec": {**lease["spec"], "holderIdentity": ""}}, self.namespace)

    def _is_over(self, lease: dict[str, Any]) -> bool:
        """Whether it was the same for as long as it lasts."""
        version = lease["metadata"]["resourceVersion"]
        if version != self._seen[0]:
            self._seen = (version, self.clock())
        return self.clock() - self._seen[1] > float(lease["spec"].get("leaseDurationSeconds", LASTS_S))

    def _spec(self, before: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        same = before.get("holderIdentity") == self.identity
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(LASTS_S),
            "acquireTime": before.get("acquireTime", now) if same else now,
            "renewTime": now,
            "leaseTransitions": before.get("leaseTransitions", 0) + (not same),
        }


_LEASE: Final = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}

"""Kubernetes events about objects of ours: one Event for each object and reason, which counts how often; never one a second.

Whatever goes wrong with an event is nobody's concern: the status says the same.
Not here: what is worth telling (kubernetes.objects.statuses).
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from netweather.errors import NetweatherError
from netweather.kubernetes.objects.snapshot import text_of
from netweather.kubernetes.objects.statuses import Transition
from netweather.kubernetes.server.api import EVENTS, Api, is_there_already

LOG: Final = logging.getLogger("netweather.operator")
RESTS_S: Final = 10.0
"""So long an event is only counted after it was written."""
MOST: Final = 10_000
"""Events that are remembered, so that memory has an end."""
_LONGEST_MESSAGE: Final = 1000  # of core/v1's 1024


class EventWriter:
    """Those of one operator."""

    def __init__(self, api: Api, clock: Callable[[], float] = time.monotonic) -> None:
        self.api, self.clock = api, clock
        self._written: dict[str, tuple[float, int]] = {}
        """By the event's name: when it was written last, and how often it came since."""

    async def tell(self, about: Mapping[str, Any], transitions: Iterable[Transition]) -> None:
        """about: the object."""
        for each in transitions:
            name = _name(about, each.reason)
            since, count = self._written.get(name, (float("-inf"), 0))
            if self.clock() - since < RESTS_S:
                self._written[name] = (since, count + 1)
                continue
            try:
                await self._write(name, about, each, count + 1)
            except NetweatherError as error:
                LOG.debug("event %s: %s", name, error)
            if len(self._written) >= MOST:
                self._written.clear()
            self._written[name] = (self.clock(), 0)

    async def _write(self, name: str, about: Mapping[str, Any], told: Transition, count: int) -> None:
        namespace = about["metadata"].get("namespace", "default")  # where Kubernetes has those of cluster objects
        now = text_of(datetime.now(UTC))
        changing = {"message": told.message[:_LONGEST_MESSAGE], "lastTimestamp": now, "count": count}
        try:
            await self.api.create(EVENTS, {**_event(name, namespace, about, told), **changing, "firstTimestamp": now}, namespace)
        except NetweatherError as error:
            if not is_there_already(error):
                raise
            known = await self.api.read(EVENTS, name, namespace) or {}
            await self.api.merge(EVENTS, name, {**changing, "count": known.get("count", 0) + count}, namespace)


def _name(about: Mapping[str, Any], reason: str) -> str:
    words = f"{about['metadata'].get('uid', '')}/{reason}"
    return f"{about['metadata']['name']}.{hashlib.sha256(words.encode()).hexdigest()[:16]}"


def _event(name: str, namespace: str, about: Mapping[str, Any], told: Transition) -> dict[str, Any]:
    metadata = about["metadata"]
    involved = {key: metadata[key] for key in ("namespace", "name", "uid") if key in metadata}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {"apiVersion": about["apiVersion"], "kind": about["kind"], **involved},
        "type": "Warning" if told.warning else "Normal",
        "reason": told.reason,
        "source": {"component": "netweather-operator"},
    }
